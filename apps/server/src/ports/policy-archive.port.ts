/**
 * History: every version of every policy (`policy_versions` of the specification, section 11) and the audit trail.
 * Filled by the outbox worker, at least once a record; appending is idempotent, so history holds each exactly once.
 * Adapters: `adapters/embedded` (SQLite) and `adapters/mongodb`. Contract: `policy-archive.contract.ts`.
 */
export type PolicyScope = 'platform' | 'project';

export interface PolicyVersion {
  readonly scope: PolicyScope;
  /** Present exactly when scope is 'project'. */
  readonly project?: string;
  /** 1, 2, 3 … a policy; goes on after a delete. */
  readonly version: number;
  /** The ETag's value without quotes: the store's revision of the write. */
  readonly etag: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly ts: string;
  readonly actor: string;
  readonly action: 'create' | 'replace' | 'patch' | 'delete' | 'rollback';
  /** For a rollback: the version whose content came back. */
  readonly rolledBackTo?: number;
  /** Empty for a delete. */
  readonly rego: string;
  /** The data document as JSON text: the truth, to the last digit. */
  readonly dataText: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; present when there is more. */
  readonly next?: string;
}

export interface PolicyArchive {
  /** Keeps the record unless the same (scope, project, version) is there already. Durable on a majority when it resolves. */
  append(version: PolicyVersion): Promise<void>;
  /** Like `append` for many at once; when it rejects, some may be there: repeating it is safe. */
  appendAll(versions: readonly PolicyVersion[]): Promise<void>;
  /** Newest first. */
  list(policy: PolicyName, options: { readonly limit: number; readonly cursor?: string }): Promise<Page<PolicyVersion>>;
  get(policy: PolicyName, version: number): Promise<PolicyVersion | undefined>;
  /** The version whose ETag this is. */
  findByEtag(policy: PolicyName, etag: string): Promise<PolicyVersion | undefined>;
  /** Deletes all but the newest `keep` versions; returns how many went. */
  prune(policy: PolicyName, keep: number): Promise<number>;
  isHealthy(): Promise<boolean>;
  close(): Promise<void>;
}

/** 'platform' or a project's name; `platform` is a reserved project name. */
export type PolicyName = string;
