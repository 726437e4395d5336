/** The relational tables of the policies' history and of the audit trail. */
import { type Kysely, sql } from 'kysely';
import type { Migration } from '../migrations.js';

export interface PolicyVersionRow {
  readonly scope: 'platform' | 'project';
  /** Empty for the platform. */
  readonly project: string;
  readonly version: number;
  readonly etag: string;
  readonly ts: string;
  readonly actor: string;
  readonly action: string;
  readonly rolled_back_to: number | null;
  readonly rego: string;
  /** JSON text. */
  readonly data: string;
}

export interface AuditRecordRow {
  readonly chain: string;
  readonly seq: number;
  readonly id: string;
  readonly ts: string;
  readonly actor: string;
  readonly action: string;
  readonly resource: string;
  readonly result: string;
  /** The whole record as JSON text: what the hash was made of comes back to the last character. */
  readonly record: string;
}

export interface HistoryTables {
  readonly policy_versions: PolicyVersionRow;
  readonly policy_audit: AuditRecordRow;
}

async function createTables(database: Kysely<unknown>): Promise<void> {
  await sql`CREATE TABLE policy_versions (
    scope TEXT NOT NULL, project TEXT NOT NULL, version INTEGER NOT NULL, etag TEXT NOT NULL, ts TEXT NOT NULL,
    actor TEXT NOT NULL, action TEXT NOT NULL, rolled_back_to INTEGER, rego TEXT NOT NULL, data TEXT NOT NULL,
    CONSTRAINT policy_versions_key UNIQUE (scope, project, version)
  )`.execute(database);
  await sql`CREATE INDEX policy_versions_etag ON policy_versions (scope, project, etag)`.execute(database);
  await sql`CREATE TABLE policy_audit (
    chain TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, ts TEXT NOT NULL, actor TEXT NOT NULL,
    action TEXT NOT NULL, resource TEXT NOT NULL, result TEXT NOT NULL, record TEXT NOT NULL,
    CONSTRAINT policy_audit_key UNIQUE (chain, seq)
  )`.execute(database);
  await sql`CREATE INDEX policy_audit_time ON policy_audit (ts, chain, seq)`.execute(database);
  await sql`CREATE INDEX policy_audit_resource ON policy_audit (resource, ts)`.execute(database);
}

export const historyMigrations: readonly Migration[] = [{ number: 1, name: 'history', up: createTables }];
