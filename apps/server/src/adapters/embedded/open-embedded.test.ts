import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RangeResult } from '../../ports/key-value-store.port.js';
import { expectReason, put } from '../../ports/store-under-test.contract.js';
import { migrate } from '../migrations.js';
import { type Embedded, type EmbeddedOptions, openEmbedded } from './open-embedded.js';

let directory: string;
const opened: Embedded[] = [];

async function open(options: Omit<EmbeddedOptions, 'directory'> = {}): Promise<Embedded> {
  const embedded = await openEmbedded({ directory, ...options });
  opened.push(embedded);
  return embedded;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bailiwick-embedded-'));
});

afterEach(async () => {
  for (const embedded of opened.splice(0)) await embedded.close();
  await rm(directory, { recursive: true, force: true });
});

/** Another process that takes the folder's lock as we do, says so, and stays. */
function holdLockElsewhere(): Promise<{ pid: number; kill: () => Promise<void> }> {
  const driver = createRequire(import.meta.url).resolve('better-sqlite3');
  const code = `
    const lock = new (require(${JSON.stringify(driver)}))(${JSON.stringify(join(directory, 'bailiwick.lock'))});
    lock.exec('BEGIN EXCLUSIVE');
    require('fs').writeFileSync(${JSON.stringify(join(directory, 'bailiwick.pid'))}, String(process.pid));
    console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): Promise<void> =>
    new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });
  return new Promise((resolve) => child.stdout.once('data', () => resolve({ pid: child.pid ?? 0, kill })));
}

describe('the data folder', () => {
  it('is refused to a second owner, with the pid of the first', async () => {
    await open();
    const error = await openEmbedded({ directory }).catch((rejection: unknown) => rejection);
    expect(String(error)).toContain(`in use by the process ${process.pid}`);
    expect(await readFile(join(directory, 'bailiwick.pid'), 'utf8')).toBe(`${process.pid}\n`);
  });

  it('is free again after close', async () => {
    await (await open()).close();
    await open();
  });

  it('is taken over from a process that was killed', async () => {
    const other = await holdLockElsewhere();
    await expectReason(openEmbedded({ directory }), 'store.locked');
    await expect(openEmbedded({ directory })).rejects.toThrow(String(other.pid));
    await other.kill();
    await open();
  });

  it('is refused when a newer version wrote it, and stays as it is', async () => {
    const embedded = await open();
    const row = { migration_set: 'history', number: 99, name: 'later', applied_at: '' };
    await embedded.database
      .withTables<{ schema_migrations: typeof row }>()
      .insertInto('schema_migrations')
      .values(row)
      .execute();
    await embedded.close();
    await expect(openEmbedded({ directory })).rejects.toThrow('newer version');
    await expect(openEmbedded({ directory })).rejects.toThrow('newer version');
  });
});

describe('a disk that is full', () => {
  it('refuses the write whole, goes on reading, and writes again when there is room', async () => {
    const { keyValueStore: store } = await open({ maxPages: 300 });
    const { revision } = await store.transact([], [put('/a', 'old'), put('/b', 'old')]);
    const big = 'x'.repeat(600 * 1024);
    await expectReason(store.transact([], [put('/a', 'new'), put('/b', big), put('/c', big)]), 'store.unavailable');
    expect((await store.range('/')).items.map((item) => [item.key, item.value])).toEqual([
      ['/a', 'old'],
      ['/b', 'old'],
    ]);
    expect(await store.transact([], [put('/a', 'new')])).toEqual({ succeeded: true, revision: revision + 1 });
  });

  it('refuses only what has no room, not what shares its commit', async () => {
    const { keyValueStore: store } = await open({ maxPages: 300 });
    const results = await Promise.allSettled([
      store.transact([], [put('/small', '1')]),
      store.transact([], [put('/big', 'x'.repeat(2 * 1024 * 1024))]),
      store.transact([], [put('/small', '2')]),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.get('/small'))?.value).toBe('2');
  });

  it('says so in its status while it is full, and that it is well as soon as there is room', async () => {
    const { keyValueStore: store } = await open({ maxPages: 300 });
    await store.transact([], [put('/old', 'x'.repeat(400 * 1024))]);
    const { revision } = await store.transact([], [{ kind: 'delete', key: '/old' }]);
    const keys: string[] = [];
    const fill = async (): Promise<void> => {
      for (;;) {
        const key = `/fill/${keys.length}`;
        await store.transact([], [put(key, 'x'.repeat(8 * 1024))]);
        keys.push(key);
      }
    };
    await expectReason(fill(), 'store.unavailable');
    expect(await store.status()).toMatchObject({ isHealthy: false, detail: 'database or disk is full' });
    expect((await store.range('/fill/')).items).toHaveLength(keys.length);
    await store.compact(revision);
    expect((await store.status()).isHealthy).toBe(true);
    expect((await store.range('/fill/')).items).toHaveLength(keys.length);
  });

  it('gives a revision to nobody twice after a group was refused', async () => {
    const { keyValueStore: store } = await open({ maxPages: 400 });
    const revisions: number[] = [];
    for (let i = 0; i < 30; i += 1) {
      const value = 'x'.repeat(i % 3 === 0 ? 2 * 1024 * 1024 : 10);
      await store.transact([], [put(`/${i}`, value)]).then(
        (result) => revisions.push(result.revision),
        () => undefined,
      );
    }
    expect(revisions).toHaveLength(20);
    expect(new Set(revisions).size).toBe(20);
    for (const item of (await store.range('/')).items) expect(revisions).toContain(item.modRevision);
  });
});

describe('group commit', () => {
  it('waits for the disk: write-ahead log with full synchronisation', async () => {
    const { database } = await open();
    expect((await sql`PRAGMA synchronous`.execute(database)).rows).toEqual([{ synchronous: 2 }]);
    expect((await sql`PRAGMA journal_mode`.execute(database)).rows).toEqual([{ journal_mode: 'wal' }]);
  });

  it('does not let one failing statement fail those that share its commit', async () => {
    const { database, keyValueStore } = await open();
    const db = database.withTables<{ t: { id: number } }>();
    await sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`.execute(db);
    const insert = (id: number) => db.insertInto('t').values({ id }).execute();
    const results = await Promise.allSettled([
      insert(1),
      insert(1),
      keyValueStore.transact([], [put('/g', '1')]),
      insert(2),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' } });
    expect(await db.selectFrom('t').select('id').execute()).toEqual([{ id: 1 }, { id: 2 }]);
  });
});

describe('history', () => {
  it('is bounded by revisions: a watch from further back lists anew, a nearer one resumes', async () => {
    const { keyValueStore: store } = await open({ maxHistoryRevisions: 100 });
    const revisions: number[] = [];
    for (let i = 0; i < 300; i += 1)
      revisions.push((await store.transact([], [put(`/h/${i % 7}`, String(i))])).revision);
    const resyncs: RangeResult[] = [];
    const seen: number[] = [];
    const watchFrom = (afterRevision: number) =>
      store.watch({
        prefix: '/h/',
        afterRevision,
        onBatch: (batch) => seen.push(batch.revision),
        onResync: (range) => resyncs.push(range),
      });
    const far = watchFrom(revisions[100] as number);
    await vi.waitFor(() => expect(resyncs[0]?.items).toHaveLength(7));
    expect(seen).toEqual([]);
    const near = watchFrom(revisions[210] as number);
    await vi.waitFor(() => expect(seen).toEqual(revisions.slice(211)));
    await Promise.all([far.close(), near.close()]);
    expect((await store.range('/h/')).items).toHaveLength(7);
  });

  it('is bounded by size: the file does not grow for ever', async () => {
    const { keyValueStore: store, database } = await open({ maxHistoryBytes: 1024 * 1024 });
    const value = 'x'.repeat(32 * 1024);
    for (let i = 0; i < 400; i += 1) await store.transact([], [put('/same', value)]);
    const { rows } = await sql<{ bytes: number }>`SELECT sum(bytes) AS bytes FROM kv_history`.execute(database);
    expect(rows[0]?.bytes).toBeLessThan(102 * 33 * 1024);
    expect((await store.get('/same'))?.value).toBe(value);
  });

  it('keeps a value that was last written long before, and drops it when it is written again', async () => {
    const { keyValueStore: store, database } = await open({ maxHistoryRevisions: 10 });
    await store.transact([], [put('/old', 'kept')]);
    for (let i = 0; i < 200; i += 1) await store.transact([], [put('/busy', String(i))]);
    expect((await store.get('/old'))?.value).toBe('kept');
    await store.transact([], [put('/old', 'again')]);
    const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM kv_history WHERE key = '/old'`.execute(
      database,
    );
    expect(rows[0]?.n).toBe(1);
  });
});

describe('leases', () => {
  it('of a process that died are gone when the folder is opened again, and a resuming watch sees it', async () => {
    const embedded = await open();
    const lease = await embedded.keyValueStore.grantLease(60_000);
    const operation = { kind: 'put', key: '/alive/1', value: '', leaseId: lease.id } as const;
    const { revision } = await embedded.keyValueStore.transact([], [operation, put('/stays', '')]);
    // Without close(), as a killed process would: the file as it is now, opened elsewhere.
    const copy = await mkdtemp(join(tmpdir(), 'bailiwick-copy-'));
    for (const file of ['bailiwick.db', 'bailiwick.db-wal']) await copyFile(join(directory, file), join(copy, file));
    const again = await openEmbedded({ directory: copy });
    try {
      expect((await again.keyValueStore.range('/')).items.map((item) => item.key)).toEqual(['/stays']);
      const seen: string[] = [];
      const watch = again.keyValueStore.watch({
        prefix: '/alive/',
        afterRevision: revision,
        onBatch: (batch) => seen.push(...batch.events.map((event) => event.kind)),
        onResync: () => seen.push('resync'),
      });
      await vi.waitFor(() => expect(seen).toEqual(['delete']));
      await watch.close();
    } finally {
      await again.close();
      await rm(copy, { recursive: true, force: true });
    }
  });
});

describe('the relational side', () => {
  const createNote = async (db: Kysely<unknown>): Promise<void> => {
    await sql`CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)`.execute(db);
  };

  it('applies each migration once, in order', async () => {
    const { database } = await open();
    const first = [{ number: 1, name: 'notes', up: createNote }];
    expect(await migrate(database, 'notes', first)).toBe(1);
    expect(await migrate(database, 'notes', first)).toBe(0);
    const second = [...first, { number: 2, name: 'fails', up: () => Promise.reject(new Error('half way')) }];
    await expect(migrate(database, 'notes', second)).rejects.toThrow('half way');
    expect(await migrate(database, 'notes', first)).toBe(0);
  });

  it('commits a transaction whole, rolls back when its body throws, and keeps others out meanwhile', async () => {
    const { database, keyValueStore } = await open();
    const db = database.withTables<{ note: { id: number; body: string } }>();
    await createNote(db as unknown as Kysely<unknown>);
    const failing = db.transaction().execute(async (transaction) => {
      await transaction.insertInto('note').values({ id: 1, body: 'lost' }).execute();
      throw new Error('planted');
    });
    const order: string[] = [];
    let between: Promise<unknown> | undefined;
    const working = db.transaction().execute(async (transaction) => {
      between = keyValueStore.transact([], [put('/between', '')]).then(() => order.push('after'));
      await transaction.insertInto('note').values({ id: 2, body: 'kept' }).execute();
      const { body } = await transaction
        .selectFrom('note')
        .select('body')
        .where('id', '=', 2)
        .executeTakeFirstOrThrow();
      order.push(`in transaction: ${body}`);
    });
    await expect(failing).rejects.toThrow('planted');
    await working;
    await between;
    expect(order).toEqual(['in transaction: kept', 'after']);
    expect(await db.selectFrom('note').selectAll().execute()).toEqual([{ id: 2, body: 'kept' }]);
  });
});
