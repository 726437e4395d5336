/**
 * `ResourceStore` in SQL, for SQLite and PostgreSQL alike. The newest revision is one row; a commit moves it on from its base
 * revision first and so holds the row until it ends: commits come one after another, and the revision has no gap.
 * Reads that need not be the newest go to `readDatabase` (a replica, where there is one).
 */
import { randomUUID } from 'node:crypto';
import { type AuditFacts, BailiwickError } from '@bailiwick/contract';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Page } from '../../ports/policy-archive.port.js';
import {
  type ChangeLogEntry,
  type ChangeLogFilter,
  type LastDeletion,
  type LoadedResources,
  type RememberedAnswer,
  type Resource,
  type ResourceCommit,
  type ResourceKind,
  type ResourceStore,
  type ResourceVersion,
  type ResourceWrite,
  resourceKinds,
} from '../../ports/resource-store.port.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import {
  type AuditRow,
  type ResourceRow,
  type ResourceTables,
  resourceMigrations,
  tableOf,
  type VersionRow,
} from './resource-tables.js';
import { ignoreUnavailable, Schema } from './schema.js';

export interface RelationalOptions {
  readonly database: Kysely<ResourceTables>;
  /** For reads that may be a little behind. Default: `database`. */
  readonly readDatabase?: Kysely<ResourceTables>;
  /** Keeps other instances from migrating at the same time. */
  readonly exclusively?: (work: (database: Kysely<ResourceTables>) => Promise<unknown>) => Promise<void>;
  /** Turns a driver's error into `store.unavailable`; leaves the statement's own faults. */
  readonly toError?: (error: unknown) => unknown;
}

export class RelationalResourceStore implements ResourceStore {
  readonly #database: Kysely<ResourceTables>;
  readonly #replica: Kysely<ResourceTables>;
  readonly #toError: (error: unknown) => unknown;
  readonly #schema: Schema<ResourceTables>;
  #epoch: string | undefined;

  private constructor(options: RelationalOptions) {
    this.#database = options.database;
    this.#replica = options.readDatabase ?? options.database;
    this.#toError = options.toError ?? ((error) => error);
    this.#schema = new Schema(options, 'configuration', resourceMigrations);
  }

  /** Migrates, or does so with the first call that reaches the database: one that is away is no reason not to start. */
  static async open(options: RelationalOptions): Promise<RelationalResourceStore> {
    const store = new RelationalResourceStore(options);
    await store.#schema.ensure().catch(ignoreUnavailable);
    return store;
  }

  async epoch(): Promise<string> {
    this.#epoch ??= await this.#guard(async () => {
      const rows = await this.#database.selectFrom('config_epoch').select('epoch').execute();
      if (rows[0]) return rows[0].epoch;
      return await this.#database.transaction().execute(async (transaction) => {
        // The counter's row is the lock: two that start at once make one epoch.
        await sql`UPDATE config_positions SET position = position WHERE name = 'revision'`.execute(transaction);
        const again = await transaction.selectFrom('config_epoch').select('epoch').executeTakeFirst();
        if (again) return again.epoch;
        const epoch = randomUUID().slice(0, 8);
        await transaction.insertInto('config_epoch').values({ epoch }).execute();
        return epoch;
      });
    });
    return this.#epoch;
  }

  async load(): Promise<LoadedResources> {
    return await this.#guard(() =>
      this.#database
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute(async (transaction) => {
          const revision = await revisionIn(transaction);
          const resources: Resource[] = [];
          for (const kind of resourceKinds) {
            const rows = await transaction.selectFrom(tableOf[kind]).selectAll().execute();
            for (const row of rows) resources.push(toResource(kind, row));
          }
          return { revision, resources, deletions: await deletionsIn(transaction) };
        }),
    );
  }

  async commit(write: ResourceWrite): Promise<ResourceCommit> {
    try {
      return await this.#commit(write);
    } catch (error) {
      if (error instanceof Remembered) return { kind: 'remembered', answer: error.answer };
      throw error;
    }
  }

  async remembered(key: string): Promise<RememberedAnswer | undefined> {
    return await this.#guard(() => answerIn(this.#database, key));
  }

  async forgetAnswers(beforeMs: number): Promise<number> {
    const gone = await this.#guard(() =>
      this.#database.deleteFrom('config_answers').where('expires_ms', '<=', beforeMs).executeTakeFirst(),
    );
    return Number(gone.numDeletedRows);
  }

  async #commit(write: ResourceWrite): Promise<ResourceCommit> {
    return await this.#guard(() =>
      this.#database.transaction().execute(async (transaction): Promise<ResourceCommit> => {
        const revision = write.baseRevision + 1;
        const moved = await transaction
          .updateTable('config_positions')
          .set({ position: revision })
          .where('name', '=', 'revision')
          .where('position', '=', write.baseRevision)
          .executeTakeFirst();
        if (moved.numUpdatedRows !== 1n) return { kind: 'outdated', revision: await revisionIn(transaction) };
        // Commits come one after another: whoever had the key first is there by now.
        const remembered = write.remember && (await answerIn(transaction, write.remember.key));
        if (remembered !== undefined && remembered.expiresMs > (write.remember?.nowMs ?? 0))
          throw new Remembered(remembered);
        for (const [place, change] of write.changes.entries()) await apply(transaction, change, revision, place);
        if (write.remember !== undefined) await insertAnswer(transaction, write.remember);
        await insertAudit(transaction, write, revision);
        return { kind: 'committed', revision };
      }),
    );
  }

  async revision(): Promise<number> {
    return await this.#guard(() => revisionIn(this.#database));
  }

  async changesAfter(revision: number, limit: number): Promise<readonly ResourceVersion[]> {
    const rows = await this.#after('config_versions', revision, limit);
    return rows.map((row) => toVersion(row as VersionRow));
  }

  async auditAfter(revision: number, limit: number): Promise<readonly ChangeLogEntry[]> {
    const rows = await this.#after('audit_logs', revision, limit);
    return rows.map((row) => toChangeLogEntry(row as AuditRow));
  }

  /** Rows after a revision in order, whole revisions: as many as fit in `limit`, at least one. */
  async #after(
    table: 'config_versions' | 'audit_logs',
    revision: number,
    limit: number,
  ): Promise<readonly (VersionRow | AuditRow)[]> {
    const rows = this.#database.selectFrom(table).selectAll().orderBy('revision').orderBy('place');
    return await this.#guard(async () => {
      const found = await rows
        .where('revision', '>', revision)
        .limit(limit + 1)
        .execute();
      if (found.length <= limit) return found;
      const last = found.at(-1)?.revision;
      const whole = found.filter((row) => row.revision !== last);
      return whole.length > 0 ? whole : await rows.where('revision', '=', last as number).execute();
    });
  }

  async asOf(kind: ResourceKind, revision: number): Promise<readonly ResourceVersion[]> {
    const rows = await this.#guard(() =>
      this.#database
        .selectFrom('config_versions as version')
        .selectAll()
        .where('kind', '=', kind)
        .where('revision', '<=', revision)
        .where('content', 'is not', null)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('config_versions as newer')
                .select('newer.id')
                .whereRef('newer.kind', '=', 'version.kind')
                .whereRef('newer.id', '=', 'version.id')
                .whereRef('newer.version', '>', 'version.version')
                .where('newer.revision', '<=', revision),
            ),
          ),
        )
        .orderBy('revision')
        .orderBy('place')
        .execute(),
    );
    return rows.map(toVersion);
  }

  async versions(
    kind: ResourceKind,
    id: string,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<ResourceVersion>> {
    return await this.#guard(async () => {
      let query = this.#replica.selectFrom('config_versions').selectAll().where('kind', '=', kind).where('id', '=', id);
      if (options.cursor !== undefined) {
        const [before] = decodeCursor(options.cursor, ['number']);
        query = query.where('version', '<', before as number);
      }
      const rows = await query
        .orderBy('version', 'desc')
        .limit(options.limit + 1)
        .execute();
      return pageOf(rows.map(toVersion), options.limit, (last) => [last.version]);
    });
  }

  async version(kind: ResourceKind, id: string, version: number): Promise<ResourceVersion | undefined> {
    const row = await this.#guard(() =>
      this.#database
        .selectFrom('config_versions')
        .selectAll()
        .where('kind', '=', kind)
        .where('id', '=', id)
        .where('version', '=', version)
        .executeTakeFirst(),
    );
    return row && toVersion(row);
  }

  async changeLog(
    filter: ChangeLogFilter,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<ChangeLogEntry>> {
    return await this.#guard(async () => {
      let query = this.#replica.selectFrom('audit_logs').selectAll();
      const exact = { actor: filter.actor, action: filter.action, resource: filter.resource } as const;
      for (const [column, value] of Object.entries(exact))
        if (value !== undefined) query = query.where(column as keyof typeof exact, '=', value);
      if (filter.appId !== undefined) query = query.where('app_id', '=', filter.appId);
      if (filter.environment !== undefined) query = query.where('environment', '=', filter.environment);
      if (filter.from !== undefined) query = query.where('ts', '>=', filter.from);
      if (filter.to !== undefined) query = query.where('ts', '<', filter.to);
      if (options.cursor !== undefined) {
        const [ts, revision, place] = decodeCursor(options.cursor, ['string', 'number', 'number']);
        query = query.where(sql<boolean>`(ts, revision, place) < (${ts}, ${revision}, ${place})`);
      }
      const rows = await query
        .orderBy('ts', 'desc')
        .orderBy('revision', 'desc')
        .orderBy('place', 'desc')
        .limit(options.limit + 1)
        .execute();
      const kept = rows.slice(0, options.limit);
      const items = kept.map(toChangeLogEntry);
      const last = kept.at(-1);
      if (rows.length === kept.length || !last) return { items };
      return { items, next: encodeCursor([last.ts, Number(last.revision), last.place]) };
    });
  }

  async position(reader: string): Promise<number> {
    const row = await this.#guard(() =>
      this.#database
        .selectFrom('config_positions')
        .select('position')
        .where('name', '=', `reader:${reader}`)
        .executeTakeFirst(),
    );
    return Number(row?.position ?? 0);
  }

  async advance(reader: string, from: number, to: number): Promise<boolean> {
    const name = `reader:${reader}`;
    return await this.#guard(async () => {
      await this.#database
        .insertInto('config_positions')
        .values({ name, position: 0 })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const moved = await this.#database
        .updateTable('config_positions')
        .set({ position: to })
        .where('name', '=', name)
        .where('position', '=', from)
        .executeTakeFirst();
      return moved.numUpdatedRows === 1n;
    });
  }

  async isHealthy(): Promise<boolean> {
    return await this.#guard(() => revisionIn(this.#database)).then(
      () => true,
      () => false,
    );
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    await this.#schema.ensure();
    try {
      return await work();
    } catch (error) {
      // Not a fault, and not the database's to name.
      throw error instanceof Remembered ? error : this.#toError(error);
    }
  }
}

/** Rolls a transaction back: its key was answered before. */
class Remembered extends Error {
  readonly answer: RememberedAnswer;
  constructor(answer: RememberedAnswer) {
    super('answered before');
    this.answer = answer;
  }
}

async function answerIn(database: Kysely<ResourceTables>, key: string): Promise<RememberedAnswer | undefined> {
  const row = await database.selectFrom('config_answers').selectAll().where('key', '=', key).executeTakeFirst();
  return row && { key, fingerprint: row.fingerprint, expiresMs: Number(row.expires_ms), answer: row.answer };
}

async function insertAnswer(
  transaction: Transaction<ResourceTables>,
  { key, fingerprint, expiresMs, answer }: RememberedAnswer,
): Promise<void> {
  await transaction.deleteFrom('config_answers').where('key', '=', key).execute();
  const row = { key, fingerprint, expires_ms: expiresMs, answer };
  await transaction.insertInto('config_answers').values(row).execute();
}

async function deletionsIn(transaction: Transaction<ResourceTables>): Promise<readonly LastDeletion[]> {
  const rows = await transaction
    .selectFrom('config_versions')
    .where('content', 'is', null)
    .groupBy(['kind', 'app_id', 'environment'])
    .select((of) => ['kind', 'app_id', 'environment', of.fn.max('revision').as('revision')])
    .execute();
  return rows.map(({ kind, app_id, environment, revision }) => ({
    ...{ kind: kind as ResourceKind, revision: Number(revision) },
    ...{ appId: app_id || null, environment: environment || null },
  }));
}

async function revisionIn(database: Kysely<ResourceTables>): Promise<number> {
  const row = await database
    .selectFrom('config_positions')
    .select('position')
    .where('name', '=', 'revision')
    .executeTakeFirstOrThrow();
  return Number(row.position);
}

async function apply(
  transaction: Transaction<ResourceTables>,
  { resource, action, rolledBackTo }: ResourceWrite['changes'][number],
  revision: number,
  place: number,
): Promise<void> {
  const { kind, content, appId, environment, createdAt, createdBy, updatedAt, updatedBy, ...rest } = resource;
  const scope = { app_id: appId ?? '', environment: environment ?? '' };
  const updated = { updated_at: updatedAt, updated_by: updatedBy };
  const table = tableOf[kind];
  if (content === null) await transaction.deleteFrom(table).where('id', '=', rest.id).execute();
  else {
    const row: ResourceRow = {
      ...rest,
      ...scope,
      revision,
      content,
      created_at: createdAt,
      created_by: createdBy,
      ...updated,
    };
    const { id: _id, created_at: _at, created_by: _by, ...changed } = row;
    await transaction
      .insertInto(table)
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet(changed))
      .execute()
      .catch((error: unknown) => {
        throw isKeyTaken(error) ? keyTaken(resource.key, error) : error;
      });
  }
  await transaction
    .insertInto('config_versions')
    .values({
      ...rest,
      ...scope,
      ...updated,
      revision,
      place,
      kind,
      action,
      content,
      rolled_back_to: rolledBackTo ?? null,
    })
    .execute();
}

async function insertAudit(
  transaction: Transaction<ResourceTables>,
  write: ResourceWrite,
  revision: number,
): Promise<void> {
  if (write.audit.length === 0) return;
  const rows = write.audit.map((facts, place) => {
    const final = facts.etag_after === 'pending' ? { ...facts, etag_after: String(revision) } : facts;
    const scope = write.changes[place]?.resource ?? write.changes[0]?.resource;
    const { id, ts, actor, action, resource } = final;
    return {
      ...{ id, revision, place, ts, actor, action, resource },
      app_id: scope?.appId ?? '',
      environment: scope?.environment ?? '',
      facts: JSON.stringify(final),
    };
  });
  for (let at = 0; at < rows.length; at += 100)
    await transaction
      .insertInto('audit_logs')
      .values(rows.slice(at, at + 100))
      .execute();
}

/** SQLite's and PostgreSQL's words for a unique index that refuses. */
function isKeyTaken(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '23505' || code === 'SQLITE_CONSTRAINT_UNIQUE';
}

const keyTaken = (key: string, cause: unknown): BailiwickError =>
  new BailiwickError('conflict', {
    reason: 'resource.key_taken',
    message: `There is already an entry '${key}' in this scope. Read it and change it with its ETag.`,
    cause,
  });

const orNull = (text: string): string | null => (text === '' ? null : text);

function toResource(kind: ResourceKind, row: ResourceRow): Resource {
  const { app_id, environment, created_at, created_by, updated_at, updated_by, revision, ...rest } = row;
  return {
    ...rest,
    kind,
    appId: orNull(app_id),
    environment: orNull(environment),
    revision: Number(revision),
    createdAt: created_at,
    createdBy: created_by,
    updatedAt: updated_at,
    updatedBy: updated_by,
  };
}

function toVersion(row: VersionRow): ResourceVersion {
  const { app_id, environment, rolled_back_to, updated_at, updated_by, revision, kind, ...rest } = row;
  return {
    ...rest,
    kind: kind as ResourceKind,
    appId: orNull(app_id),
    environment: orNull(environment),
    revision: Number(revision),
    rolledBackTo: rolled_back_to,
    updatedAt: updated_at,
    updatedBy: updated_by,
  };
}

const toChangeLogEntry = (row: AuditRow): ChangeLogEntry => ({
  ...(JSON.parse(row.facts) as AuditFacts),
  appId: orNull(row.app_id),
  environment: orNull(row.environment),
  revision: Number(row.revision),
});

function pageOf<T>(rows: readonly T[], limit: number, cursorOf: (last: T) => readonly (string | number)[]): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length === items.length || last === undefined) return { items };
  return { items, next: encodeCursor(cursorOf(last)) };
}
