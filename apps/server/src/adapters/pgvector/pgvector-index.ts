/**
 * `VectorIndex` in PostgreSQL with the extension `vector` (0.5 or later). A table a dimension; a space that has grown gets an HNSW index
 * of its own, so that other projects' points never stand in the way. Few candidates are compared one by one, many through the index;
 * an answer of the index that came back short is asked again exactly (extensions before 0.8 do not look further by themselves).
 */
import { createHash } from 'node:crypto';
import pg from 'pg';
import type { Selection, VectorHit, VectorIndex, VectorPoint, VectorSpace } from '../../ports/vector-index.port.js';
import { toPostgresError } from '../postgres-errors.js';
import { lastOfEach } from '../vector-points.js';

export interface PgvectorOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Connections at most. */
  readonly poolSize: number;
  /** PEM of the authority that signed the server's certificate; TLS is used and checked when given. */
  readonly ca?: string;
  /** The bound of every statement and of waiting for a connection. */
  readonly timeoutMs?: number;
  /** A lost idle connection, or an HNSW index that could not be made: for the log; searches go on exactly. */
  readonly onError?: (error: unknown) => void;
  /** Up to this many candidates are compared one by one. */
  readonly exactPoints?: number;
}

/** Any number, the same in every version: one instance at a time makes tables and indexes. */
const schemaLock = 7_240_503;
/** The extension's limit for an index on full precision; longer vectors are always compared one by one. */
const maxIndexedDimensions = 2000;
const largestEf = 1000;

interface HitRow {
  readonly chunk_id: string;
  readonly document_id: string;
  readonly score: number;
}

type Query = (text: string, values: readonly unknown[]) => Promise<{ rows: unknown[]; rowCount: number | null }>;

function tableOf({ dimensions }: VectorSpace): string {
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > 16_000)
    throw new RangeError('pgvector holds vectors of 1 to 16,000 dimensions');
  return `vector_points_${dimensions}`;
}

const indexOf = (space: VectorSpace): string =>
  `vector_hnsw_${createHash('sha256')
    .update(JSON.stringify([space.project, space.model, space.dimensions]))
    .digest('hex')
    .slice(0, 40)}`;

const keyOf = ({ project, model, dimensions }: VectorSpace): string => JSON.stringify([project, model, dimensions]);
const printed = (vector: Float32Array): string => `[${vector.join(',')}]`;
const toHit = ({ chunk_id, document_id, score }: HitRow): VectorHit => ({
  chunkId: chunk_id,
  documentId: document_id,
  score: Number(score),
});

export class PgvectorIndex implements VectorIndex {
  readonly #pool: pg.Pool;
  readonly #options: PgvectorOptions;
  readonly #exactPoints: number;
  readonly #tables = new Map<number, Promise<void>>();
  /** Spaces whose HNSW index is known to be there. */
  readonly #indexed = new Set<string>();
  readonly #building = new Map<string, Promise<void>>();

  /** Connects when it is first used. */
  constructor(options: PgvectorOptions) {
    this.#options = options;
    this.#exactPoints = options.exactPoints ?? 10_000;
    const timeoutMs = options.timeoutMs ?? 5_000;
    this.#pool = new pg.Pool({
      ...this.#connection(),
      max: options.poolSize,
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      query_timeout: timeoutMs + 500,
      idle_in_transaction_session_timeout: 3 * timeoutMs,
      idleTimeoutMillis: 60_000,
    });
    this.#pool.on('error', (error) => options.onError?.(error));
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  async put(space: VectorSpace, points: readonly VectorPoint[]): Promise<void> {
    const table = await this.#table(space);
    const rows = lastOfEach(points);
    for (let at = 0; at < rows.length; at += 500) {
      const part = rows.slice(at, at + 500);
      await this.#query(
        `INSERT INTO ${table} (project, model, chunk_id, document_id, embedding)
         SELECT $1, $2, point.chunk_id, point.document_id, point.embedding::vector
         FROM unnest($3::text[], $4::text[], $5::text[]) AS point (chunk_id, document_id, embedding)
         ON CONFLICT (project, model, chunk_id)
         DO UPDATE SET document_id = excluded.document_id, embedding = excluded.embedding`,
        [
          ...[space.project, space.model, part.map(({ chunkId }) => chunkId), part.map(({ documentId }) => documentId)],
          part.map(({ vector }) => printed(vector)),
        ],
      );
    }
    if (rows.length > 0) this.#indexWhenGrown(space);
  }

  async chunkIds(space: VectorSpace, documentId: string): Promise<readonly string[]> {
    const table = await this.#table(space);
    const { rows } = await this.#query(
      `SELECT chunk_id FROM ${table} WHERE project = $1 AND model = $2 AND document_id = $3`,
      [space.project, space.model, documentId],
    );
    return (rows as HitRow[]).map(({ chunk_id }) => chunk_id);
  }

  async removeChunks(space: VectorSpace, chunkIds: readonly string[]): Promise<void> {
    await this.#delete(space, 'chunk_id', chunkIds);
  }

  async removeDocument(space: VectorSpace, documentId: string): Promise<void> {
    await this.#delete(space, 'document_id', [documentId]);
  }

  async search(
    space: VectorSpace,
    vector: Float32Array,
    selection: Selection,
    limit: number,
  ): Promise<readonly VectorHit[]> {
    const ids = await selection.ids();
    if (ids?.size === 0) return [];
    const table = await this.#table(space);
    const documents = ids && [...ids];
    const candidates = await this.#candidates(space, documents);
    if (candidates === 0) return [];
    const isMany = candidates > this.#exactPoints && (await this.#isIndexed(space));
    if (isMany) {
      const found = await this.#nearby(space, vector, documents, limit);
      if (found.length >= limit) return found;
    }
    const { rows } = await this.#query(
      // Materialized: the planner must not go through the index after all, whose answer may be short.
      `WITH chosen AS MATERIALIZED (
         SELECT chunk_id, document_id, embedding FROM ${table}
         WHERE project = $1 AND model = $2 AND ($5::text[] IS NULL OR document_id = ANY($5::text[]))
       ) SELECT chunk_id, document_id, 1 - (embedding <=> $3::vector) AS score FROM chosen ORDER BY embedding <=> $3::vector LIMIT $4`,
      [space.project, space.model, printed(vector), limit, documents ?? null],
    );
    return (rows as HitRow[]).map(toHit);
  }

  async count(space: VectorSpace): Promise<number> {
    const table = await this.#table(space);
    const text = `SELECT count(*) AS number FROM ${table} WHERE project = $1 AND model = $2`;
    const { rows } = await this.#query(text, [space.project, space.model]);
    return Number((rows[0] as { number: string }).number);
  }

  async drop(space: VectorSpace): Promise<void> {
    const table = await this.#table(space);
    await this.#building.get(keyOf(space));
    this.#indexed.delete(keyOf(space));
    await this.#query(`DROP INDEX IF EXISTS ${indexOf(space)}`, []);
    await this.#query(`DELETE FROM ${table} WHERE project = $1 AND model = $2`, [space.project, space.model]);
  }

  /** Waits until HNSW indexes that are being made are done: for measurements. */
  async settled(): Promise<void> {
    await Promise.all(this.#building.values());
  }

  async close(): Promise<void> {
    await this.settled();
    await this.#pool.end();
  }

  async #delete(space: VectorSpace, column: 'chunk_id' | 'document_id', values: readonly string[]): Promise<void> {
    if (values.length === 0) return;
    const table = await this.#table(space);
    await this.#query(`DELETE FROM ${table} WHERE project = $1 AND model = $2 AND ${column} = ANY($3::text[])`, [
      ...[space.project, space.model, values],
    ]);
  }

  /** How many points there are to choose from; counting stops where it no longer matters. */
  async #candidates(space: VectorSpace, documents: readonly string[] | undefined): Promise<number> {
    const { rows } = await this.#query(
      `SELECT count(*) AS number FROM (
         SELECT 1 FROM ${tableOf(space)}
         WHERE project = $1 AND model = $2 AND ($3::text[] IS NULL OR document_id = ANY($3::text[])) LIMIT $4
       ) AS counted`,
      [space.project, space.model, documents ?? null, this.#exactPoints + 1],
    );
    return Number((rows[0] as { number: string }).number);
  }

  /** Through the HNSW index, looking at many more than are wanted, because the condition is applied to what it gives. */
  async #nearby(space: VectorSpace, vector: Float32Array, documents: readonly string[] | undefined, limit: number) {
    const ef = Math.min(largestEf, Math.max(100, documents ? largestEf : 2 * limit));
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw toPostgresError(error);
    });
    let failure: Error | undefined;
    try {
      await client.query(
        `BEGIN READ ONLY; SET LOCAL hnsw.ef_search = ${ef}; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off`,
      );
      const text = `SELECT chunk_id, document_id, 1 - (embedding <=> $1::vector) AS score FROM ${tableOf(space)}
        WHERE project = ${pg.escapeLiteral(space.project)} AND model = ${pg.escapeLiteral(space.model)}
        ${documents ? 'AND document_id = ANY($3::text[])' : ''} ORDER BY embedding <=> $1::vector LIMIT $2`;
      const { rows } = await client.query(text, [printed(vector), limit, ...(documents ? [documents] : [])]);
      await client.query('COMMIT');
      return (rows as HitRow[]).map(toHit);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      throw toPostgresError(error);
    } finally {
      // A connection that failed in a transaction is not given to others.
      client.release(failure);
    }
  }

  async #isIndexed(space: VectorSpace): Promise<boolean> {
    const key = keyOf(space);
    if (this.#indexed.has(key)) return true;
    if (await isValid((text, values) => this.#query(text, values), indexOf(space))) this.#indexed.add(key);
    else this.#indexWhenGrown(space);
    return this.#indexed.has(key);
  }

  /** In the background, on a connection of its own without a bound: searches are exact until it is there. */
  #indexWhenGrown(space: VectorSpace): void {
    const key = keyOf(space);
    if (this.#indexed.has(key) || this.#building.has(key) || space.dimensions > maxIndexedDimensions) return;
    const building = this.#buildIndex(space)
      .catch((error: unknown) => this.#options.onError?.(error))
      .finally(() => this.#building.delete(key));
    this.#building.set(key, building);
  }

  async #buildIndex(space: VectorSpace): Promise<void> {
    if ((await this.#candidates(space, undefined)) <= this.#exactPoints) return;
    const client = new pg.Client({ ...this.#connection(), connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const query: Query = (text, values) => client.query(text, [...values]);
      const name = indexOf(space);
      // Not a lock that waits: a waiting transaction would keep the index of the one that holds it from becoming valid.
      const { rows } = await client.query(`SELECT pg_try_advisory_lock(${schemaLock}, hashtext($1)) AS is_ours`, [
        name,
      ]);
      if ((rows[0] as { is_ours: boolean }).is_ours !== true) return;
      if (!(await isValid(query, name))) {
        // What a broken-off build left is there by name, but unusable.
        await client.query(`DROP INDEX IF EXISTS ${name}`);
        await client.query(
          `CREATE INDEX CONCURRENTLY ${name} ON ${tableOf(space)} USING hnsw (embedding vector_cosine_ops)
           WHERE project = ${pg.escapeLiteral(space.project)} AND model = ${pg.escapeLiteral(space.model)}`,
        );
      }
      this.#indexed.add(keyOf(space));
    } finally {
      await client.end();
    }
  }

  /** Makes the table of the space's dimension once a process. Returns its name. */
  async #table(space: VectorSpace): Promise<string> {
    const table = tableOf(space);
    let made = this.#tables.get(space.dimensions);
    if (!made) {
      made = this.#makeTable(table, space.dimensions);
      this.#tables.set(space.dimensions, made);
      // A failure is not remembered: the next call tries again.
      made.catch(() => this.#tables.delete(space.dimensions));
    }
    await made;
    return table;
  }

  async #makeTable(table: string, dimensions: number): Promise<void> {
    // One statement is one transaction: the lock ends with it.
    await this.#query(
      `DO $make$ BEGIN
         PERFORM pg_advisory_xact_lock(${schemaLock});
         CREATE EXTENSION IF NOT EXISTS vector;
         CREATE TABLE IF NOT EXISTS ${table} (
           project TEXT NOT NULL, model TEXT NOT NULL, chunk_id TEXT NOT NULL, document_id TEXT NOT NULL,
           embedding vector(${dimensions}) NOT NULL, PRIMARY KEY (project, model, chunk_id)
         );
         CREATE INDEX IF NOT EXISTS ${table}_documents ON ${table} (project, model, document_id);
       END $make$`,
      [],
    );
  }

  #connection(): pg.ClientConfig {
    const { url, ca } = this.#options;
    const common = { connectionString: url, keepAlive: true, application_name: 'bailiwick' };
    return ca === undefined ? common : { ...common, ssl: { ca } };
  }

  async #query(text: string, values: readonly unknown[]): Promise<{ rows: unknown[]; rowCount: number | null }> {
    try {
      return await this.#pool.query(text, [...values]);
    } catch (error) {
      throw toPostgresError(error);
    }
  }
}

async function isValid(query: Query, name: string): Promise<boolean> {
  const text = 'SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)';
  const { rows } = await query(text, [name]);
  return (rows[0] as { indisvalid: boolean } | undefined)?.indisvalid === true;
}
