/**
 * The truth of configuration: entries, flags, segments, rollouts and what belongs to them, as versioned resources. One gap-free revision
 * numbers all writes; a write names the revision it was checked against and is refused when another came between, so every
 * resource is validated against exactly the state it becomes part of. Every version stays: they are the history and, read in the
 * order of revisions, the feed that replicas follow. Audit facts are part of the same transaction.
 * Adapter: `adapters/relational` on SQLite and on PostgreSQL. Contract: `resource-store.contract.ts`.
 */
import type { AuditFacts } from '@bailiwick/contract';
import type { Page } from './policy-archive.port.js';

/** Each kind has its own table; all have the same columns. */
export const resourceKinds = [
  'config',
  'flag',
  'segment',
  'rollout',
  'webhook',
  'approval',
  'freeze',
  'snapshot',
] as const;
export type ResourceKind = (typeof resourceKinds)[number];

/** Where a resource applies: everywhere, in an app, or in one environment of an app. `environment` needs an `appId`. */
export interface ResourceScope {
  readonly appId: string | null;
  readonly environment: string | null;
}

export interface Resource extends ResourceScope {
  readonly kind: ResourceKind;
  /** UUID; never used again. */
  readonly id: string;
  /** Unique within kind and scope. */
  readonly key: string;
  /** 1, 2, 3 … a resource. */
  readonly version: number;
  /** The revision of the write that made this version. */
  readonly revision: number;
  /** What the resource says, as JSON text: kept to the last character. */
  readonly content: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly createdAt: string;
  readonly createdBy: string;
  readonly updatedAt: string;
  readonly updatedBy: string;
}

/** One version in history. Of a delete, `content` is null and `version` one more than the last. */
export interface ResourceVersion extends Omit<Resource, 'content' | 'createdAt' | 'createdBy'> {
  readonly content: string | null;
  /** `create`, `replace`, `delete`, `rollback`, `import`, or the rollout's command. */
  readonly action: string;
  /** For a rollback: the version whose content came back. */
  readonly rolledBackTo: number | null;
  /** Order within the revision, from 0. */
  readonly place: number;
}

/** The newest revision in which a resource of a kind was deleted in a scope. */
export interface LastDeletion extends ResourceScope {
  readonly kind: ResourceKind;
  readonly revision: number;
}

export interface LoadedResources {
  readonly revision: number;
  readonly resources: readonly Resource[];
  /** One a kind and scope: what is gone has changed something too. */
  readonly deletions: readonly LastDeletion[];
}

/** `resource.content` null deletes. Two puts of one resource in a write are not allowed. */
export interface ResourceChange {
  readonly resource: Omit<Resource, 'revision' | 'content'> & { readonly content: string | null };
  readonly action: string;
  readonly rolledBackTo?: number;
}

/** The answer to a write that came with an Idempotency-Key. */
export interface RememberedAnswer {
  /** A hash of caller and key. */
  readonly key: string;
  /** A hash of everything that makes the request what it is. */
  readonly fingerprint: string;
  /** Milliseconds since 1970; from then on the key is free. */
  readonly expiresMs: number;
  /** JSON text. */
  readonly answer: string;
}

export interface ResourceWrite {
  /** The revision the changes were checked against. */
  readonly baseRevision: number;
  readonly changes: readonly ResourceChange[];
  /** `etag_after` is `pending` where it is the revision of this write. */
  readonly audit: readonly AuditFacts[];
  /** Kept in the same transaction. `nowMs`: what has expired by then does not count. */
  readonly remember?: RememberedAnswer & { readonly nowMs: number };
}

export type ResourceCommit =
  | { readonly kind: 'committed'; readonly revision: number }
  /** Another write came first; nothing was done. */
  | { readonly kind: 'outdated'; readonly revision: number }
  /** The key was answered before; nothing was done. */
  | { readonly kind: 'remembered'; readonly answer: RememberedAnswer };

export interface ChangeLogFilter {
  readonly actor?: string;
  readonly action?: string;
  readonly resource?: string;
  readonly appId?: string;
  readonly environment?: string;
  /** RFC 3339, inclusive. */
  readonly from?: string;
  /** RFC 3339, exclusive. */
  readonly to?: string;
}

/** A row of `audit_logs`. */
export interface ChangeLogEntry extends AuditFacts, ResourceScope {
  readonly revision: number;
}

/**
 * Errors: every method rejects with `store.unavailable` when the database cannot serve; a commit so rejected may or may not have
 * happened. A key that is taken rejects with `resource.key_taken` (kind `conflict`); the service checks before, this is the last fence.
 */
export interface ResourceStore {
  /** Names this history: another database, or one restored from a backup, has another. */
  epoch(): Promise<string>;
  /** All living resources at one revision. */
  load(): Promise<LoadedResources>;
  commit(write: ResourceWrite): Promise<ResourceCommit>;
  /** What a write with this key was answered, expired or not. */
  remembered(key: string): Promise<RememberedAnswer | undefined>;
  /** Deletes the answers that expired before; returns how many. */
  forgetAnswers(beforeMs: number): Promise<number>;
  /** The newest revision. */
  revision(): Promise<number>;
  /** Versions written after `revision`, in order, whole revisions only; at least one revision when there is one, else about `limit` versions. */
  changesAfter(revision: number, limit: number): Promise<readonly ResourceVersion[]>;
  /** Every resource of the kind as of a revision: the newest version of each up to it; what was deleted by then is left out. */
  asOf(kind: ResourceKind, revision: number): Promise<readonly ResourceVersion[]>;
  /** Newest first; also of deleted resources. */
  versions(
    kind: ResourceKind,
    id: string,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<ResourceVersion>>;
  version(kind: ResourceKind, id: string, version: number): Promise<ResourceVersion | undefined>;
  /** Newest first. */
  changeLog(
    filter: ChangeLogFilter,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<ChangeLogEntry>>;
  /** Audit rows written after `revision`, in order, whole revisions only, like `changesAfter`. */
  auditAfter(revision: number, limit: number): Promise<readonly ChangeLogEntry[]>;
  /** How far a reader of the feed has come; 0 before its first. */
  position(reader: string): Promise<number>;
  /** Moves it on from `from`; false when another instance moved it meanwhile. */
  advance(reader: string, from: number, to: number): Promise<boolean>;
  isHealthy(): Promise<boolean>;
}
