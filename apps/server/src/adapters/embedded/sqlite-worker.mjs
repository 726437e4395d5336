/**
 * The thread that owns the SQLite file. Two run for an open store: the writer, the only one that ever writes, and a reader.
 * The writer gets groups of requests and makes one commit of each group (one fsync), every request inside its own
 * savepoint; the answer is posted after the commit is on disk. Plain JavaScript, so that it runs from the sources, under
 * the test runner and copied beside a bundle alike. The messages are typed in `worker-protocol.ts`.
 *
 * Tables: `kv_history` is an append-only log of every written value, its id = revision * 128 + place in the transaction;
 * `kv_current` points from each living key to its newest entry. So a value is written once, a revision's changes lie
 * together for a watch that resumes, and compaction deletes old entries that no key points to.
 */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {import('./worker-protocol.js').WorkerSettings} */
const settings = workerData;
const isWriter = settings.role === 'writer';
const placesPerRevision = 128;
/** Never compacted by size: what a watcher that was away for a moment needs. */
const minKeptRevisions = 100;
const maxCachedStatements = 500;
const maxHistoryChunkBytes = 4 * 1024 * 1024;

const db = new Database(settings.file, { readonly: !isWriter, timeout: 5000 });

/** @type {Map<string, import('better-sqlite3').Statement>} */
const statements = new Map();

/** @param {string} sql */
function prepare(sql) {
  let statement = statements.get(sql);
  if (statement) return statement;
  if (statements.size >= maxCachedStatements) statements.delete(/** @type {string} */ (statements.keys().next().value));
  statement = db.prepare(sql);
  statements.set(sql, statement);
  return statement;
}

const schema = `
  CREATE TABLE kv_history (
    id INTEGER PRIMARY KEY, create_revision INTEGER NOT NULL, bytes INTEGER NOT NULL, key TEXT NOT NULL, value TEXT
  );
  CREATE TABLE kv_current (
    key TEXT PRIMARY KEY, id INTEGER NOT NULL, create_revision INTEGER NOT NULL, lease TEXT
  ) WITHOUT ROWID;
  CREATE INDEX kv_current_lease ON kv_current (lease) WHERE lease IS NOT NULL;
  CREATE TABLE kv_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO kv_meta VALUES ('revision', 1), ('compacted', 0);
  PRAGMA user_version = 1;
`;

function prepareDatabase() {
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.pragma('temp_store = MEMORY');
  db.pragma('cache_size = -32768');
  if (!isWriter) return;
  db.pragma('journal_mode = WAL');
  db.pragma('wal_autocheckpoint = 4000');
  db.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
  if (settings.maxPages !== undefined) db.pragma(`max_page_count = ${settings.maxPages}`);
  const version = db.pragma('user_version', { simple: true });
  if (version === 0) db.transaction(() => db.exec(schema))();
  else if (version !== 1) throw new Error(`the data was written by a newer version (key-value schema ${version})`);
}

/** What the writer knows without asking the file; read again by the first group after a rollback. */
const state = { revision: 0, compacted: 0, historyBytes: 0, revisionOnDisk: 0, isKnown: false };

function loadState() {
  const meta = prepare('SELECT value FROM kv_meta WHERE name = ?');
  state.revision = state.revisionOnDisk = meta.get('revision').value;
  state.compacted = meta.get('compacted').value;
  const sum = prepare('SELECT coalesce(sum(bytes), 0) AS bytes FROM kv_history WHERE id >= ?');
  state.historyBytes = sum.get((state.compacted + 1) * placesPerRevision).bytes;
  state.isKnown = true;
}

/** Rolls back to what is on disk. @param {{ revision: number, historyBytes: number }} before */
function restoreState(before) {
  state.revision = before.revision;
  state.historyBytes = before.historyBytes;
}

const kv = isWriter
  ? {
      find: () => prepare('SELECT id, create_revision FROM kv_current WHERE key = ?'),
      append: () => prepare('INSERT INTO kv_history (id, create_revision, bytes, key, value) VALUES (?, ?, ?, ?, ?)'),
      point: () =>
        prepare(
          'INSERT INTO kv_current (key, id, create_revision, lease) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET id = excluded.id, create_revision = excluded.create_revision, lease = excluded.lease',
        ),
      drop: () => prepare('DELETE FROM kv_current WHERE key = ?'),
      forget: () => prepare('DELETE FROM kv_history WHERE id = ?'),
    }
  : undefined;

/** Runs one operation at its place; returns the key's creation revision, 0 when nothing was there to delete. */
function applyOperation(operation, revision, place) {
  const id = revision * placesPerRevision + place;
  const old = kv.find().get(operation.key);
  if (operation.kind === 'delete' && !old) return 0;
  const isPut = operation.kind === 'put';
  const createRevision = old ? old.create_revision : revision;
  const bytes = operation.key.length + (isPut ? operation.value.length : 0) + 64;
  kv.append().run(id, createRevision, bytes, operation.key, isPut ? operation.value : null);
  state.historyBytes += bytes;
  if (isPut) kv.point().run(operation.key, id, createRevision, operation.leaseId ?? null);
  else kv.drop().run(operation.key);
  // An entry that compaction left because its key pointed to it: nobody needs it from now on.
  if (old && old.id < (state.compacted + 1) * placesPerRevision) kv.forget().run(old.id);
  return createRevision;
}

function transact({ conditions, operations }) {
  for (const { key, modRevision } of conditions) {
    const found = kv.find().get(key);
    const actual = found ? Math.floor(found.id / placesPerRevision) : 0;
    if (actual !== modRevision) return { succeeded: false, revision: state.revision, created: [] };
  }
  const revision = state.revision + 1;
  const created = operations.map((operation, place) => applyOperation(operation, revision, place));
  if (created.some((createRevision) => createRevision > 0)) state.revision = revision;
  return { succeeded: true, revision: state.revision, created };
}

/** Deletes the keys of a lease (null: of every lease), at most 128 a revision. */
function revoke({ leaseId }) {
  const rows =
    leaseId === null
      ? prepare('SELECT key FROM kv_current WHERE lease IS NOT NULL ORDER BY key').all()
      : prepare('SELECT key FROM kv_current WHERE lease = ? ORDER BY key').all(leaseId);
  const batches = [];
  for (let start = 0; start < rows.length; start += placesPerRevision) {
    const keys = rows.slice(start, start + placesPerRevision).map((row) => row.key);
    const { revision } = transact({ conditions: [], operations: keys.map((key) => ({ kind: 'delete', key })) });
    batches.push({ revision, keys });
  }
  return batches;
}

/** Forgets history up to `target`, in steps of at most 500 revisions so that a group stays short. */
function compactTo(target, maxBytes) {
  const boundary = (state.compacted + 1) * placesPerRevision;
  const rows = prepare(
    'SELECT id / 128 AS revision, sum(bytes) AS bytes FROM kv_history WHERE id >= ? GROUP BY id / 128 ORDER BY id / 128 LIMIT 500',
  ).all(boundary);
  let compacted = state.compacted;
  for (const { revision, bytes } of rows) {
    const isTooMuch = state.historyBytes > maxBytes && revision < state.revision - minKeptRevisions;
    if (revision > target && !isTooMuch) break;
    compacted = revision;
    state.historyBytes -= bytes;
  }
  if (compacted === state.compacted) return;
  prepare(
    'DELETE FROM kv_history WHERE id >= ? AND id < ? AND NOT EXISTS (SELECT 1 FROM kv_current c WHERE c.key = kv_history.key AND c.id = kv_history.id)',
  ).run(boundary, (compacted + 1) * placesPerRevision);
  prepare("UPDATE kv_meta SET value = ? WHERE name = 'compacted'").run(compacted);
  state.compacted = compacted;
}

function compactWhenDue() {
  const { maxHistoryRevisions: maxRevisions, maxHistoryBytes: maxBytes } = settings;
  const excess = state.revision - state.compacted - maxRevisions;
  // A tenth of slack, so that the work comes in worthwhile pieces.
  if (excess <= maxRevisions / 10 && state.historyBytes <= maxBytes) return;
  compactTo(state.revision - maxRevisions, maxBytes);
}

function runSql({ sql, parameters }) {
  const statement = prepare(sql);
  if (statement.reader) return { rows: statement.all(parameters), changes: 0, lastInsertRowid: 0 };
  const { changes, lastInsertRowid } = statement.run(parameters);
  return { rows: [], changes, lastInsertRowid: Number(lastInsertRowid) };
}

/** Prepared once, whatever the number of rows: a statement with a place for every value of every row is read anew for each number. */
function runMany({ sql, rows }) {
  const statement = prepare(sql);
  for (const row of rows) statement.run(row);
}

const rangeSql = (columns, hasEnd, hasLimit) =>
  `SELECT c.key, ${columns} AS value, c.create_revision AS createRevision, c.id / 128 AS modRevision FROM kv_current c ${
    columns === "''" ? '' : 'JOIN kv_history h ON h.id = c.id'
  } WHERE c.key >= ? ${hasEnd ? 'AND c.key < ?' : ''} ORDER BY c.key ${hasLimit ? 'LIMIT ?' : ''}`;

const range = db.transaction(({ prefix, end, limit, keysOnly }) => {
  const { value: revision } = prepare("SELECT value FROM kv_meta WHERE name = 'revision'").get();
  const parameters = [prefix, ...(end === null ? [] : [end]), ...(limit === null ? [] : [limit])];
  const items = prepare(rangeSql(keysOnly ? "''" : 'h.value', end !== null, limit !== null)).all(parameters);
  return { revision, items };
});

/** Whole revisions after `afterRevision` that touch the prefix, up to about 4 MiB; `upTo` says how far they reach. */
const history = db.transaction(({ prefix, end, afterRevision }) => {
  const meta = prepare('SELECT value FROM kv_meta WHERE name = ?');
  const revision = meta.get('revision').value;
  if (afterRevision < meta.get('compacted').value || afterRevision > revision) return { isGone: true };
  const sql = `SELECT id, key, value, create_revision AS createRevision FROM kv_history WHERE id >= ? AND key >= ? ${
    end === null ? '' : 'AND key < ?'
  } ORDER BY id`;
  const rows = [];
  let bytes = 0;
  for (const row of db
    .prepare(sql)
    .iterate([(afterRevision + 1) * placesPerRevision, prefix, ...(end === null ? [] : [end])])) {
    const rowRevision = Math.floor(row.id / placesPerRevision);
    const isNewRevision = rows.length === 0 || rows.at(-1).revision !== rowRevision;
    if (isNewRevision && bytes > maxHistoryChunkBytes)
      return { isGone: false, rows, upTo: rows.at(-1).revision, isComplete: false };
    bytes += row.key.length + (row.value?.length ?? 0);
    rows.push({ revision: rowRevision, key: row.key, value: row.value, createRevision: row.createRevision });
  }
  return { isGone: false, rows, upTo: revision, isComplete: true };
});

const handlers = {
  transact,
  revoke,
  sql: runSql,
  many: runMany,
  range,
  history,
  compact: ({ revision }) => {
    while (state.compacted < Math.min(revision, state.revision)) {
      const before = state.compacted;
      compactTo(Math.min(revision, state.revision), Number.POSITIVE_INFINITY);
      if (state.compacted === before) break;
    }
  },
  /** A write of that size, and none: whether the disk has room again. */
  probe: ({ bytes }) => {
    if (bytes > 0) prepare("INSERT OR REPLACE INTO kv_meta (name, value) VALUES ('probe', zeroblob(?))").run(bytes);
    else prepare("DELETE FROM kv_meta WHERE name = 'probe'").run();
  },
};

const failure = (error) => ({
  ok: false,
  error: { message: String(error?.message ?? error), code: String(error?.code ?? '') },
});

function runOne(request) {
  try {
    return { ok: true, value: handlers[request.kind](request) };
  } catch (error) {
    return failure(error);
  }
}

/** In its own savepoint; throws when the fault ended the whole transaction (disk full, I/O). */
function runIsolated(request) {
  const before = { revision: state.revision, historyBytes: state.historyBytes };
  prepare('SAVEPOINT request').run();
  const reply = runOne(request);
  if (!reply.ok) {
    if (!db.inTransaction) throw Object.assign(new Error(reply.error.message), { code: reply.error.code });
    prepare('ROLLBACK TO request').run();
    restoreState(before);
  }
  prepare('RELEASE request').run();
  return reply;
}

/** A disk that is gone may refuse even this; the next group begins with it then. */
function rollBack() {
  try {
    if (db.inTransaction) prepare('ROLLBACK').run();
  } catch (error) {
    process.emitWarning(`SQLite could not roll back: ${error}`);
  }
}

/** One commit for all. Either every reply is final and on disk, or every request failed with the one error. */
function runGroup(requests) {
  try {
    if (db.inTransaction) prepare('ROLLBACK').run();
    prepare('BEGIN IMMEDIATE').run();
    if (!state.isKnown) loadState();
    const replies = requests.map(runIsolated);
    compactWhenDue();
    if (state.revision !== state.revisionOnDisk)
      prepare("UPDATE kv_meta SET value = ? WHERE name = 'revision'").run(state.revision);
    prepare('COMMIT').run();
    state.revisionOnDisk = state.revision;
    return replies;
  } catch (error) {
    state.isKnown = false;
    rollBack();
    // A large request may have filled the disk that has room for the small ones beside it.
    if (error?.code === 'SQLITE_FULL' && requests.length > 1) return requests.flatMap((request) => runGroup([request]));
    return requests.map(() => failure(error));
  }
}

/** A transaction of several messages (Kysely): `begin`, statements, `commit` or `rollback`. The sender lets nothing between. */
function runControl(sql) {
  try {
    if (sql !== 'ROLLBACK' || db.inTransaction) db.prepare(sql).run();
    return { ok: true, value: undefined };
  } catch (error) {
    if (sql === 'COMMIT') rollBack();
    return failure(error);
  }
}

const controls = { begin: 'BEGIN IMMEDIATE', commit: 'COMMIT', rollback: 'ROLLBACK' };

/** @param {import('./worker-protocol.js').WorkerMessage} message */
function answer(message) {
  switch (message.mode) {
    case 'group':
      return isWriter ? runGroup(message.requests) : message.requests.map(runOne);
    case 'inside':
      return message.requests.map(runOne);
    default:
      return [runControl(controls[message.mode])];
  }
}

function start() {
  try {
    prepareDatabase();
    if (isWriter) loadState();
  } catch (error) {
    port.postMessage({ ready: failure(error) });
    return;
  }
  port.on('message', (message) => {
    if (message.mode === 'close') {
      db.close();
      port.close();
      return;
    }
    port.postMessage({ replies: answer(message) });
  });
  port.postMessage({ ready: { ok: true } });
}

start();
