/** The messages between the event loop and the threads that own the SQLite file (`sqlite-worker.mjs`). */
import type { Compare, Operation, RangeResult } from '../../ports/key-value-store.port.js';

export interface WorkerSettings {
  readonly role: 'writer' | 'reader';
  readonly file: string;
  /** A watch resumes within this many revisions … */
  readonly maxHistoryRevisions: number;
  /** … and about this much of keys and values. */
  readonly maxHistoryBytes: number;
  /** Limits the file to this many pages of 4 KiB: how tests fill the disk. */
  readonly maxPages?: number;
}

export type SqlValue = null | number | bigint | string | Uint8Array;

type TransactRequest = {
  readonly kind: 'transact';
  readonly conditions: readonly Compare[];
  readonly operations: readonly Operation[];
};

/** `end`: the first key after the prefix, null = none. */
export type WorkerRequest =
  | TransactRequest
  | { readonly kind: 'revoke'; readonly leaseId: string | null }
  | { readonly kind: 'compact'; readonly revision: number }
  | { readonly kind: 'probe'; readonly bytes: number }
  /** The same statement for each row of values. */
  | { readonly kind: 'many'; readonly sql: string; readonly rows: readonly (readonly SqlValue[])[] }
  | { readonly kind: 'sql'; readonly sql: string; readonly parameters: readonly SqlValue[] }
  | {
      readonly kind: 'range';
      readonly prefix: string;
      readonly end: string | null;
      readonly limit: number | null;
      readonly keysOnly: boolean;
    }
  | { readonly kind: 'history'; readonly prefix: string; readonly end: string | null; readonly afterRevision: number };

export interface HistoryRow {
  readonly revision: number;
  readonly key: string;
  /** null = deleted. */
  readonly value: string | null;
  readonly createRevision: number;
}

type HistoryResult =
  | { readonly isGone: true }
  | {
      readonly isGone: false;
      readonly rows: readonly HistoryRow[];
      /** All of the prefix up to this revision is in `rows`. */
      readonly upTo: number;
      readonly isComplete: boolean;
    };

export interface SqlResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly changes: number;
  readonly lastInsertRowid: number;
}

/** What each kind of request is answered with. */
export interface WorkerAnswers {
  /** `created[i]`: creation revision of operation i's key, 0 when there was nothing to delete. */
  readonly transact: { readonly succeeded: boolean; readonly revision: number; readonly created: readonly number[] };
  readonly revoke: readonly { readonly revision: number; readonly keys: readonly string[] }[];
  readonly compact: undefined;
  readonly probe: undefined;
  readonly many: undefined;
  readonly sql: SqlResult;
  readonly range: RangeResult;
  readonly history: HistoryResult;
}

export type WorkerReply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: { readonly message: string; readonly code: string } };

export type WorkerMessage =
  | { readonly mode: 'group'; readonly requests: readonly WorkerRequest[] }
  | { readonly mode: 'inside'; readonly requests: readonly WorkerRequest[] }
  | { readonly mode: 'begin' | 'commit' | 'rollback' }
  | { readonly mode: 'close' };

export type WorkerOutput = { readonly ready: WorkerReply } | { readonly replies: readonly WorkerReply[] };
