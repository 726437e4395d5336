/**
 * The live truth: policies, their outbox, leases. Model: etcd v3, of which this is the part we need.
 * Every successful transaction has one revision, larger than all before it; all keys it writes carry that revision.
 * Adapters: `adapters/embedded` (SQLite) and `adapters/etcd`. Contract: `key-value-store.contract.ts`.
 */

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Revision of the transaction that made the key (after a delete it is made anew). */
  readonly createRevision: number;
  /** Revision of the transaction that last wrote the key. */
  readonly modRevision: number;
}

/** A condition a transaction checks. `modRevision: 0` means: the key does not exist. */
export interface Compare {
  readonly key: string;
  readonly modRevision: number;
}

export type Operation =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly leaseId?: string }
  | { readonly kind: 'delete'; readonly key: string };

export interface TransactionResult {
  readonly succeeded: boolean;
  /** Revision of the write; of the store when nothing was written. */
  readonly revision: number;
}

export interface RangeResult {
  /** Revision of the store at which the items were read. */
  readonly revision: number;
  /** Ordered by key (bytes). */
  readonly items: readonly KeyValue[];
}

export type ChangeEvent =
  | { readonly kind: 'put'; readonly item: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: number };

/** All changes of one revision, whole and in order: a transaction is never seen in halves. */
export interface ChangeBatch {
  readonly revision: number;
  readonly events: readonly ChangeEvent[];
}

export interface WatchOptions {
  readonly prefix: string;
  /** Deliver changes after this revision. Batches come in order, each once, none skipped. */
  readonly afterRevision: number;
  readonly onBatch: (batch: ChangeBatch) => void;
  /**
   * The history after `afterRevision` is gone (compaction, another cluster): the adapter has listed the prefix anew.
   * The receiver replaces all it knows of the prefix by these items; watching goes on after `range.revision`.
   */
  readonly onResync: (range: RangeResult) => void;
  /** The connection to the store is up or down; down means that changes may be late. Never throws. */
  readonly onHealth?: (isConnected: boolean) => void;
}

export interface Watch {
  /** Resolves when no callback will be called any more. */
  close(): Promise<void>;
}

export interface Lease {
  readonly id: string;
  /** Settles when the lease has been lost (expired, revoked, store away for longer than its time to live). */
  readonly lost: Promise<void>;
  /** Revokes: its keys go at once. */
  release(): Promise<void>;
}

export interface StoreStatus {
  readonly isHealthy: boolean;
  readonly revision: number;
  /** Epoch milliseconds of the last answer from the store. */
  readonly lastContactMs: number;
  readonly detail?: string;
}

/**
 * Errors: every method rejects with `store.unavailable` (contract `errors.ts`, kind `unavailable`) when the store cannot
 * serve linearizably (no quorum, away, disk full, closed); a write so rejected may or may not have happened. A put that
 * names a lease that is gone rejects with `store.lease_lost`; a transaction against the rules below with a RangeError; one
 * larger than the store takes with `store.too_large` (kind `too-large`).
 */
export interface KeyValueStore {
  /** Linearizable. */
  get(key: string): Promise<KeyValue | undefined>;
  /** Linearizable; all keys that begin with `prefix`, at one revision. */
  range(prefix: string, options?: { readonly limit?: number; readonly keysOnly?: boolean }): Promise<RangeResult>;
  /** Atomic: all conditions hold and all operations are done, durably, or nothing is. At most 128 operations, a key once. */
  transact(conditions: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult>;
  watch(options: WatchOptions): Watch;
  /** Kept alive by the adapter until released; keys put with its id vanish with it. */
  grantLease(ttlMs: number): Promise<Lease>;
  status(): Promise<StoreStatus>;
  close(): Promise<void>;
}
