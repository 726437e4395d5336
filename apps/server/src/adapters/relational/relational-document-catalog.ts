/**
 * `DocumentCatalog` in SQL, for SQLite and PostgreSQL alike. Every write of a document moves one counter on and so holds its row
 * until it commits: whoever reads a number of the feed has all smaller ones before it. A removal is one transaction.
 */
import type { Filter } from '@bailiwick/rego';
import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type {
  CatalogDocument,
  Chunk,
  DocumentCatalog,
  DocumentChange,
  StoredVector,
} from '../../ports/document-catalog.port.js';
import type { Page } from '../../ports/policy-archive.port.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import { reduceFilter } from '../document-filter.js';
import { assertStorable } from '../document-text.js';
import { fromBytes, toBytes } from '../float32-bytes.js';
import { toCondition } from './document-condition.js';
import { hashOf, toChunk, toChunkRow, toDocument, toRow } from './document-rows.js';
import { type DocumentRow, type DocumentTables, documentMigrations, type SqlDialect } from './document-tables.js';
import { ignoreUnavailable, Schema } from './schema.js';

export interface DocumentCatalogOptions {
  readonly database: Kysely<DocumentTables>;
  readonly dialect: SqlDialect;
  /** Keeps other instances from migrating at the same time. */
  readonly exclusively?: (work: (database: Kysely<DocumentTables>) => Promise<unknown>) => Promise<void>;
  /** Turns a driver's error into `store.unavailable`; leaves the statement's own faults. */
  readonly toError?: (error: unknown) => unknown;
  readonly now?: () => number;
}

/** A deletion stays in the feed this long: a day more than the port promises. */
const removalsKeptMs = 8 * 24 * 3_600_000;
const rowsAtOnce = 200;
/** Names the lock between sweeps of vectors and new chunks; any number that nothing else uses. */
const sweepLock = 7_240_502;

type Work = Transaction<DocumentTables>;

export class RelationalDocumentCatalog implements DocumentCatalog {
  readonly #database: Kysely<DocumentTables>;
  readonly #dialect: SqlDialect;
  readonly #toError: (error: unknown) => unknown;
  readonly #schema: Schema<DocumentTables>;
  readonly #now: () => number;

  private constructor(options: DocumentCatalogOptions) {
    this.#database = options.database;
    this.#dialect = options.dialect;
    this.#toError = options.toError ?? ((error) => error);
    this.#schema = new Schema(options, 'documents', documentMigrations(options.dialect));
    this.#now = options.now ?? Date.now;
  }

  /** Migrates, or does so with the first call that reaches the database: one that is away is no reason not to start. */
  static async open(options: DocumentCatalogOptions): Promise<RelationalDocumentCatalog> {
    const catalog = new RelationalDocumentCatalog(options);
    await catalog.#schema.ensure().catch(ignoreUnavailable);
    return catalog;
  }

  async insert(document: CatalogDocument): Promise<'inserted' | 'taken'> {
    assertStorable(document);
    return await this.#write(async (work) => {
      const { numInsertedOrUpdatedRows } = await work
        .insertInto('documents')
        .values(toRow(document, await nextChange(work), this.#dialect) as never)
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirstOrThrow();
      if (numInsertedOrUpdatedRows !== 1n) return 'taken';
      const { project, id } = document;
      await work.deleteFrom('document_removals').where('project', '=', project).where('id', '=', id).execute();
      return 'inserted';
    });
  }

  async replace(document: CatalogDocument): Promise<'replaced' | 'outdated'> {
    assertStorable(document);
    const { project, id, version, source } = document;
    return await this.#write(async (work) => {
      const { numUpdatedRows } = await work
        .updateTable('documents')
        .set(toRow(document, await nextChange(work), this.#dialect) as never)
        .where('project', '=', project)
        .where('id', '=', id)
        .where('version', '=', version - 1)
        .where('source_hash', '=', hashOf(source))
        .executeTakeFirstOrThrow();
      return numUpdatedRows === 1n ? 'replaced' : 'outdated';
    });
  }

  async get(project: string, id: string): Promise<CatalogDocument | undefined> {
    const row = await this.#guard(() => this.#documents(project).where('id', '=', id).executeTakeFirst());
    return row && toDocument(row);
  }

  async getMany(project: string, ids: readonly string[]): Promise<readonly CatalogDocument[]> {
    if (ids.length === 0) return [];
    const rows = await this.#guard(() => this.#documents(project).where(this.#isIn('id', ids)).execute());
    return rows.map(toDocument);
  }

  async bySource(project: string, source: string): Promise<CatalogDocument | undefined> {
    const row = await this.#guard(() =>
      this.#documents(project).where('source_hash', '=', hashOf(source)).executeTakeFirst(),
    );
    return row && toDocument(row);
  }

  async list(
    project: string,
    options: { readonly filter: Filter; readonly limit: number; readonly cursor?: string },
  ): Promise<Page<CatalogDocument>> {
    let query = this.#documents(project).where(toCondition(reduceFilter(options.filter), this.#dialect));
    if (options.cursor !== undefined) {
      const [at, id] = decodeCursor(options.cursor, ['string', 'string']);
      query = query.where(sql<boolean>`(created_at < ${at} OR (created_at = ${at} AND id > ${id}))`);
    }
    const limited = query
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(options.limit + 1);
    const rows = await this.#guard(() => limited.execute());
    const items = rows.slice(0, options.limit).map(toDocument);
    const last = items.at(-1);
    if (rows.length === items.length || !last) return { items };
    return { items, next: encodeCursor([last.created_at, last.id]) };
  }

  async select(project: string, filter: Filter): Promise<readonly string[]> {
    const condition = toCondition(reduceFilter(filter), this.#dialect);
    // One row with all of them: ten thousand rows cost more on their way here than the search for them.
    const all = this.#dialect === 'postgres' ? sql<string>`json_agg(id)::text` : sql<string>`json_group_array(id)`;
    const { ids } = await this.#guard(() =>
      this.#database
        .selectFrom('documents')
        .select(all.as('ids'))
        .where('project', '=', project)
        .where('generation', '>', 0)
        .where(condition)
        .executeTakeFirstOrThrow(),
    );
    // PostgreSQL has no list of nothing.
    return ids === null ? [] : (JSON.parse(ids) as readonly string[]);
  }

  async remove(project: string, id: string, version: number): Promise<'removed' | 'outdated'> {
    return await this.#write(async (work) => {
      const change_number = await nextChange(work);
      const { numDeletedRows } = await work
        .deleteFrom('documents')
        .where('project', '=', project)
        .where('id', '=', id)
        .where('version', '=', version)
        .executeTakeFirstOrThrow();
      if (numDeletedRows === 0n) {
        const removal = await work
          .selectFrom('document_removals')
          .select('version')
          .where('project', '=', project)
          .where('id', '=', id)
          .executeTakeFirst();
        return removal?.version === version ? 'removed' : 'outdated';
      }
      const removed_ms = this.#now();
      await work.insertInto('document_removals').values({ project, id, version, change_number, removed_ms }).execute();
      await work
        .deleteFrom('document_removals')
        .where('removed_ms', '<', removed_ms - removalsKeptMs)
        .execute();
      await this.#sweep(work, project, id, undefined);
      return 'removed';
    });
  }

  async pending(nowMs: number, limit: number): Promise<readonly CatalogDocument[]> {
    const rows = await this.#guard(() =>
      this.#database
        .selectFrom('documents')
        .selectAll()
        .where(sql<boolean>`state IN ('queued', 'processing')`)
        .where('claimed_until_ms', '<', nowMs)
        .orderBy('updated_at')
        .limit(limit)
        .execute(),
    );
    return rows.map(toDocument);
  }

  async putChunks(project: string, chunks: readonly Chunk[]): Promise<void> {
    if (chunks.length === 0) return;
    await this.#write(async (work) => {
      await this.#lockVectors(work, project, 'shared');
      for (let at = 0; at < chunks.length; at += rowsAtOnce)
        await work
          .insertInto('document_chunks')
          .values(chunks.slice(at, at + rowsAtOnce).map((chunk) => toChunkRow(project, chunk)))
          .onConflict((conflict) =>
            conflict.columns(['project', 'id', 'generation']).doUpdateSet((row) => ({
              document_id: row.ref('excluded.document_id'),
              ordinal: row.ref('excluded.ordinal'),
              hash: row.ref('excluded.hash'),
              content: row.ref('excluded.content'),
            })),
          )
          .execute();
    });
  }

  async chunksOf(project: string, documentId: string, generation: number): Promise<readonly Chunk[]> {
    const rows = await this.#guard(() =>
      this.#database
        .selectFrom('document_chunks')
        .selectAll()
        .where('project', '=', project)
        .where('document_id', '=', documentId)
        .where('generation', '=', generation)
        .orderBy('ordinal')
        .execute(),
    );
    return rows.map(toChunk);
  }

  async chunksById(project: string, ids: readonly string[]): Promise<readonly Chunk[]> {
    if (ids.length === 0) return [];
    const rows = await this.#guard(() =>
      this.#database
        .selectFrom('document_chunks')
        .selectAll()
        .where('project', '=', project)
        .where(this.#isIn('id', ids))
        .orderBy('generation')
        .execute(),
    );
    return [...new Map(rows.map((row) => [row.id, toChunk(row)])).values()];
  }

  async keepGeneration(project: string, documentId: string, generation: number): Promise<void> {
    await this.#write((work) => this.#sweep(work, project, documentId, generation));
  }

  async putVectors(project: string, model: string, vectors: readonly StoredVector[]): Promise<void> {
    const byHash = new Map(vectors.map(({ hash, vector }) => [hash, vector]));
    const rows = [...byHash].map(([hash, vector]) => ({ project, hash, model, vector: toBytes(vector) }));
    for (let at = 0; at < rows.length; at += rowsAtOnce)
      await this.#guard(() =>
        this.#database
          .insertInto('document_vectors')
          .values(rows.slice(at, at + rowsAtOnce))
          .onConflict((conflict) =>
            conflict
              .columns(['project', 'hash', 'model'])
              .doUpdateSet((row) => ({ vector: row.ref('excluded.vector') })),
          )
          .execute(),
      );
  }

  async vectors(project: string, model: string, hashes: readonly string[]): Promise<readonly StoredVector[]> {
    if (hashes.length === 0) return [];
    const rows = await this.#guard(() =>
      this.#database
        .selectFrom('document_vectors')
        .select(['hash', 'vector'])
        .where('project', '=', project)
        .where(this.#isIn('hash', hashes))
        .where('model', '=', model)
        .execute(),
    );
    return rows.map(({ hash, vector }) => ({ hash, vector: fromBytes(vector) }));
  }

  async changesAfter(
    cursor: string | undefined,
    limit: number,
  ): Promise<{ readonly changes: readonly DocumentChange[]; readonly cursor: string | undefined }> {
    const [after] = cursor === undefined ? [0] : decodeCursor(cursor, ['number']);
    const steps = (table: 'documents' | 'document_removals') =>
      sql`SELECT change_number, project, id FROM ${sql.table(table)} WHERE change_number > ${after}`;
    // One statement: two would see two states, and a step that lies between them would be passed over.
    const query = sql<DocumentRow & { feed_number: number; feed_project: string; feed_id: string }>`
      SELECT feed.change_number AS feed_number, feed.project AS feed_project, feed.id AS feed_id, documents.*
      FROM (${steps('documents')} UNION ALL ${steps('document_removals')} ORDER BY change_number LIMIT ${limit}) AS feed
      LEFT JOIN documents ON documents.project = feed.project AND documents.id = feed.id ORDER BY feed.change_number`;
    const { rows } = await this.#guard(() => query.execute(this.#database));
    const last = rows.at(-1);
    if (!last) return { changes: [], cursor };
    const changes = rows.map(({ feed_number: _number, feed_project: project, feed_id: id, ...row }) => ({
      ...{ project, id },
      document: row.id === null ? null : toDocument(row),
    }));
    return { changes, cursor: encodeCursor([Number(last.feed_number)]) };
  }

  /** Removes chunks of all generations but one, and the vectors that only they named. */
  async #sweep(work: Work, project: string, documentId: string, kept: number | undefined): Promise<void> {
    await this.#lockVectors(work, project, 'alone');
    const going = sql<boolean>`project = ${project} AND document_id = ${documentId} AND generation <> ${kept ?? -1}`;
    const named = await work.selectFrom('document_chunks').select('hash').distinct().where(going).execute();
    await work.deleteFrom('document_chunks').where(going).execute();
    const hashes = named.map(({ hash }) => hash);
    if (hashes.length === 0) return;
    await work
      .deleteFrom('document_vectors')
      .where('project', '=', project)
      .where(this.#isIn('hash', hashes))
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('document_chunks')
              .select('document_chunks.id')
              .where('document_chunks.project', '=', project)
              .whereRef('document_chunks.hash', '=', 'document_vectors.hash'),
          ),
        ),
      )
      .execute();
  }

  /** A sweep must see all chunks that name a vector: on PostgreSQL none may be on its way. SQLite has one writer. */
  async #lockVectors(work: Work, project: string, how: 'shared' | 'alone'): Promise<void> {
    if (this.#dialect !== 'postgres') return;
    const lock = sql.raw(how === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock');
    await sql`SELECT ${lock}(hashtextextended(${project}, ${sql.lit(sweepLock)}))`.execute(work);
  }

  #documents(project: string) {
    return this.#database.selectFrom('documents').selectAll().where('project', '=', project);
  }

  /** One parameter, however many values: the statement stays the same. */
  #isIn(column: 'id' | 'hash', values: readonly string[]): RawBuilder<boolean> {
    return this.#dialect === 'postgres'
      ? sql<boolean>`${sql.ref(column)} = ANY(${[...values]}::text[])`
      : sql<boolean>`${sql.ref(column)} IN (SELECT value FROM json_each(${JSON.stringify(values)}))`;
  }

  #write<T>(work: (transaction: Work) => Promise<T>): Promise<T> {
    return this.#guard(() => this.#database.transaction().execute(work));
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    await this.#schema.ensure();
    try {
      return await work();
    } catch (error) {
      throw this.#toError(error);
    }
  }
}

async function nextChange(work: Work): Promise<number> {
  const { position } = await work
    .updateTable('document_positions')
    .set({ position: sql`position + 1` })
    .where('name', '=', 'change')
    .returning('position')
    .executeTakeFirstOrThrow();
  return Number(position);
}
