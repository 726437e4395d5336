/**
 * The audit trail's storage: sealed records in chains, one chain a project (and `platform`, and `root` for the joined heads).
 * Sealing (hashes, signature) is `audit/`'s work; this port keeps what it is given and never two records with one place.
 * Adapters: `adapters/embedded` (SQLite) and `adapters/mongodb`. Contract: `audit-log.contract.ts`.
 */
import type { Page } from './policy-archive.port.js';

/** What happened, as the specification lists it (section 11). */
export interface AuditFacts {
  /** Unique, made where the fact arose; makes appending idempotent. */
  readonly id: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly ts: string;
  readonly actor: string;
  /** `policy.create`, `policy.replace`, `policy.rollback`, `api_key.create`, `policy.read` … */
  readonly action: string;
  /** `/policies/platform`, `/policies/team-a`, `/api/v1/api-keys/…` */
  readonly resource: string;
  readonly etag_before: string | null;
  readonly etag_after: string | null;
  /** `success`, or the error code of the refusal. */
  readonly result: string;
  readonly request_id: string;
  readonly client_ip: string;
  /** The chain: a project's name or `platform`. */
  readonly chain: string;
  readonly detail?: string;
}

/** A record in its place. `hash` covers the facts, `seq` and `hash_prev`. */
export interface AuditRecord extends AuditFacts {
  /** 1, 2, 3 … without a gap within the chain. */
  readonly seq: number;
  /** Hex SHA-256 of the record before; 64 zeros for the first kept nowhere. */
  readonly hash_prev: string;
  readonly hash: string;
  /** Ed25519 over the hash, base64url; of records of the `root` chain. */
  readonly signature?: string;
}

export interface AuditFilter {
  readonly chain?: string;
  /** Only these chains (what the caller may see); undefined = all. */
  readonly chains?: readonly string[];
  readonly actor?: string;
  readonly action?: string;
  readonly resource?: string;
  readonly result?: string;
  /** RFC 3339, inclusive. */
  readonly from?: string;
  /** RFC 3339, exclusive. */
  readonly to?: string;
}

export interface AuditLogStore {
  /** `conflict` when another record has (chain, seq): the caller takes the new head and seals again. `duplicate` when the id is there. */
  append(record: AuditRecord): Promise<'appended' | 'conflict' | 'duplicate'>;
  /** The record with the highest seq. */
  head(chain: string): Promise<AuditRecord | undefined>;
  chains(): Promise<readonly string[]>;
  /** Newest first (by ts, then chain, then seq). */
  search(
    filter: AuditFilter,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<AuditRecord>>;
  /** One chain from its first kept record, oldest first, for export and verification. */
  read(chain: string, afterSeq: number, limit: number): Promise<readonly AuditRecord[]>;
  /**
   * Deletes records older than `before` from the start of each chain, never from its middle; returns how many.
   * A chain's newest record always stays, so that the next can be joined to it.
   */
  prune(before: string): Promise<number>;
  isHealthy(): Promise<boolean>;
  close(): Promise<void>;
}
