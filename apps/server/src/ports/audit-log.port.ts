/**
 * The audit trail's storage: sealed records in chains, one chain a project (and `platform`, and `root` for the joined heads).
 * Sealing (hashes, signature) is `audit/`'s work; this port keeps what it is given and never two records with one place.
 * Adapters: `adapters/embedded` (SQLite) and `adapters/mongodb`. Contract: `audit-log.contract.ts`.
 */
import type { AuditFacts, AuditRecord } from '@bailiwick/contract';
import type { Page } from './policy-archive.port.js';

export type { AuditFacts, AuditRecord };

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
  /**
   * Consecutive records of one chain, in order; stops before the first that cannot be appended. Returns how many were appended, which may
   * be fewer than given: `append` of the next one then says why.
   */
  appendAll(records: readonly AuditRecord[]): Promise<number>;
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
