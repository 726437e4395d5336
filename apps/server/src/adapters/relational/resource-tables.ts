/**
 * The relational tables of configuration, the same on SQLite and on PostgreSQL (text, integers and indexes only).
 * `configs`, `config_versions`, `rollouts` and `audit_logs` are the specification's; the other kinds have the columns of `configs`.
 */
import { type Kysely, sql } from 'kysely';
import type { ResourceKind } from '../../ports/resource-store.port.js';
import type { Migration } from '../migrations.js';

/** An absent app or environment is stored as '', so that one unique index holds for all scopes. */
export interface ResourceRow {
  readonly id: string;
  readonly app_id: string;
  readonly environment: string;
  readonly key: string;
  readonly version: number;
  readonly revision: number;
  readonly content: string;
  readonly created_at: string;
  readonly created_by: string;
  readonly updated_at: string;
  readonly updated_by: string;
}

export interface VersionRow {
  readonly revision: number;
  readonly place: number;
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly app_id: string;
  readonly environment: string;
  readonly key: string;
  readonly action: string;
  readonly rolled_back_to: number | null;
  readonly content: string | null;
  readonly updated_at: string;
  readonly updated_by: string;
}

export interface AuditRow {
  readonly id: string;
  readonly revision: number;
  readonly place: number;
  readonly ts: string;
  readonly actor: string;
  readonly action: string;
  readonly resource: string;
  readonly app_id: string;
  readonly environment: string;
  /** The whole record as JSON text. */
  readonly facts: string;
}

export interface DeliveryRow {
  readonly id: string;
  readonly webhook_id: string;
  readonly event: string;
  readonly created_ms: number;
  readonly attempts: number;
  readonly next_attempt_ms: number;
  readonly state: string;
  readonly status: number | null;
  readonly error: string | null;
}

export interface AnswerRow {
  readonly key: string;
  readonly fingerprint: string;
  readonly expires_ms: number;
  readonly answer: string;
}

export interface ResourceTables {
  readonly config_answers: AnswerRow;
  readonly webhook_deliveries: DeliveryRow;
  readonly configs: ResourceRow;
  readonly flags: ResourceRow;
  readonly segments: ResourceRow;
  readonly rollouts: ResourceRow;
  readonly webhooks: ResourceRow;
  readonly approvals: ResourceRow;
  readonly freezes: ResourceRow;
  readonly snapshots: ResourceRow;
  readonly config_versions: VersionRow;
  readonly audit_logs: AuditRow;
  /** One row a counter: the newest revision, and how far each reader of the feed is. */
  readonly config_positions: { readonly name: string; readonly position: number };
  /** One row: the name of this history. */
  readonly config_epoch: { readonly epoch: string };
}

export const tableOf = {
  config: 'configs',
  flag: 'flags',
  segment: 'segments',
  rollout: 'rollouts',
  webhook: 'webhooks',
  approval: 'approvals',
  freeze: 'freezes',
  snapshot: 'snapshots',
} as const satisfies Record<ResourceKind, keyof ResourceTables>;

async function createTables(database: Kysely<unknown>): Promise<void> {
  for (const table of Object.values(tableOf)) {
    const name = sql.table(table);
    await sql`CREATE TABLE ${name} (
      id TEXT PRIMARY KEY, app_id TEXT NOT NULL, environment TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
      revision BIGINT NOT NULL, content TEXT NOT NULL, created_at TEXT NOT NULL, created_by TEXT NOT NULL,
      updated_at TEXT NOT NULL, updated_by TEXT NOT NULL
    )`.execute(database);
    await sql`CREATE UNIQUE INDEX ${sql.id(`${table}_scope_key`)} ON ${name} (app_id, environment, key)`.execute(
      database,
    );
  }
  await sql`CREATE TABLE config_versions (
    revision BIGINT NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    app_id TEXT NOT NULL, environment TEXT NOT NULL, key TEXT NOT NULL, action TEXT NOT NULL, rolled_back_to INTEGER,
    content TEXT, updated_at TEXT NOT NULL, updated_by TEXT NOT NULL, PRIMARY KEY (revision, place)
  )`.execute(database);
  await sql`CREATE UNIQUE INDEX config_versions_history ON config_versions (kind, id, version)`.execute(database);
  await sql`CREATE INDEX config_versions_scope ON config_versions (app_id, environment, key)`.execute(database);
  await sql`CREATE TABLE audit_logs (
    id TEXT PRIMARY KEY, revision BIGINT NOT NULL, place INTEGER NOT NULL, ts TEXT NOT NULL, actor TEXT NOT NULL,
    action TEXT NOT NULL, resource TEXT NOT NULL, app_id TEXT NOT NULL, environment TEXT NOT NULL, facts TEXT NOT NULL
  )`.execute(database);
  await sql`CREATE INDEX audit_logs_time ON audit_logs (ts, revision, place)`.execute(database);
  await sql`CREATE INDEX audit_logs_resource ON audit_logs (resource, ts)`.execute(database);
  await sql`CREATE INDEX audit_logs_actor ON audit_logs (actor, ts)`.execute(database);
  await sql`CREATE TABLE config_positions (name TEXT PRIMARY KEY, position BIGINT NOT NULL)`.execute(database);
  await sql`CREATE TABLE config_epoch (epoch TEXT PRIMARY KEY)`.execute(database);
  await sql`INSERT INTO config_positions (name, position) VALUES ('revision', 0)`.execute(database);
}

/** Answers by Idempotency-Key. */
async function createAnswers(database: Kysely<unknown>): Promise<void> {
  await sql`CREATE TABLE config_answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, expires_ms BIGINT NOT NULL, answer TEXT NOT NULL
  )`.execute(database);
  await sql`CREATE INDEX config_answers_expiry ON config_answers (expires_ms)`.execute(database);
}

export const resourceMigrations: readonly Migration[] = [
  { number: 1, name: 'resources', up: createTables },
  { number: 2, name: 'answers', up: createAnswers },
];
