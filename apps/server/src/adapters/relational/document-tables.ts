/**
 * The relational tables of documents, on SQLite and on PostgreSQL. What filters ask for often has a column; tags, groups and metadata
 * are one JSON value, `jsonb` with a GIN index on PostgreSQL. Sources may be longer than an index entry: their hash is what is unique.
 */
import { type Kysely, sql } from 'kysely';
import type { Migration } from '../migrations.js';

export type SqlDialect = 'sqlite' | 'postgres';

export interface DocumentRow {
  readonly project: string;
  readonly id: string;
  readonly version: number;
  /** The step of the feed that this state of the row is. */
  readonly change_number: number;
  readonly name: string;
  readonly title: string;
  readonly media_type: string;
  readonly source: string;
  /** SHA-256 of the source, hex. */
  readonly source_hash: string;
  readonly created_by: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly size: number;
  /** `{tags, groups, metadata}`: JSON text on SQLite; PostgreSQL's driver has parsed it. */
  readonly attributes: unknown;
  readonly state: string;
  /** JSON text. */
  readonly fault: string | null;
  readonly sha256: string;
  readonly generation: number;
  readonly chunks: number;
  readonly pages: number | null;
  /** JSON text. */
  readonly notes: string;
  readonly claimed_by: string | null;
  /** 0 without a claim. */
  readonly claimed_until_ms: number;
}

export interface ChunkRow {
  readonly project: string;
  readonly id: string;
  readonly generation: number;
  readonly document_id: string;
  readonly ordinal: number;
  readonly hash: string;
  /** The rest as JSON text, which holds any text a parser may find, U+0000 too. */
  readonly content: string;
}

export interface DocumentTables {
  readonly documents: DocumentRow;
  readonly document_chunks: ChunkRow;
  readonly document_vectors: {
    readonly project: string;
    readonly model: string;
    readonly hash: string;
    /** float32, little-endian. */
    readonly vector: Uint8Array;
  };
  readonly document_removals: {
    readonly project: string;
    readonly id: string;
    readonly version: number;
    readonly change_number: number;
    readonly removed_ms: number;
  };
  /** One row: the newest change's number. */
  readonly document_positions: { readonly name: string; readonly position: number };
}

async function createTables(database: Kysely<unknown>, dialect: SqlDialect): Promise<void> {
  const isPostgres = dialect === 'postgres';
  // Text sorts by code point on both, as cursors and filters expect.
  const text = sql.raw(isPostgres ? 'TEXT COLLATE "C" NOT NULL' : 'TEXT NOT NULL');
  const json = sql.raw(isPostgres ? 'JSONB NOT NULL' : 'TEXT NOT NULL');
  const bytes = sql.raw(isPostgres ? 'BYTEA NOT NULL' : 'BLOB NOT NULL');
  await sql`CREATE TABLE documents (
    project ${text}, id ${text}, version INTEGER NOT NULL, change_number BIGINT NOT NULL,
    name ${text}, title ${text}, media_type ${text}, source ${text}, source_hash ${text}, created_by ${text},
    created_at ${text}, updated_at ${text}, size BIGINT NOT NULL, attributes ${json}, state ${text}, fault TEXT,
    sha256 ${text}, generation INTEGER NOT NULL, chunks INTEGER NOT NULL, pages INTEGER, claimed_by TEXT,
    claimed_until_ms BIGINT NOT NULL, PRIMARY KEY (project, id)
  )`.execute(database);
  await sql`CREATE UNIQUE INDEX documents_source ON documents (project, source_hash)`.execute(database);
  await sql`CREATE INDEX documents_newest ON documents (project, created_at DESC, id)`.execute(database);
  await sql`CREATE UNIQUE INDEX documents_feed ON documents (change_number)`.execute(database);
  await sql`CREATE INDEX documents_pending ON documents (updated_at) WHERE state IN ('queued', 'processing')`.execute(
    database,
  );
  if (isPostgres)
    await sql`CREATE INDEX documents_attributes ON documents USING GIN (attributes jsonb_path_ops)`.execute(database);
  await sql`CREATE TABLE document_chunks (
    project ${text}, id ${text}, generation INTEGER NOT NULL, document_id ${text}, ordinal INTEGER NOT NULL, hash ${text},
    content ${text}, PRIMARY KEY (project, id, generation)
  )`.execute(database);
  await sql`CREATE INDEX document_chunks_order ON document_chunks (project, document_id, generation, ordinal)`.execute(
    database,
  );
  await sql`CREATE INDEX document_chunks_hash ON document_chunks (project, hash)`.execute(database);
  await sql`CREATE TABLE document_vectors (
    project ${text}, hash ${text}, model ${text}, vector ${bytes}, PRIMARY KEY (project, hash, model)
  )`.execute(database);
  await sql`CREATE TABLE document_removals (
    project ${text}, id ${text}, version INTEGER NOT NULL, change_number BIGINT NOT NULL, removed_ms BIGINT NOT NULL,
    PRIMARY KEY (project, id)
  )`.execute(database);
  await sql`CREATE UNIQUE INDEX document_removals_feed ON document_removals (change_number)`.execute(database);
  await sql`CREATE INDEX document_removals_age ON document_removals (removed_ms)`.execute(database);
  await sql`CREATE TABLE document_positions (name TEXT PRIMARY KEY, position BIGINT NOT NULL)`.execute(database);
  await sql`INSERT INTO document_positions (name, position) VALUES ('change', 0)`.execute(database);
}

export const documentMigrations = (dialect: SqlDialect): readonly Migration[] => [
  { number: 1, name: 'documents', up: (database) => createTables(database, dialect) },
  {
    number: 2,
    name: 'document notes',
    up: async (database) =>
      void (await sql`ALTER TABLE documents ADD COLUMN notes TEXT NOT NULL DEFAULT '[]'`.execute(database)),
  },
];
