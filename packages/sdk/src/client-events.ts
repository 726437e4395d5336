/** What a client says of itself, and what can be waited for. */
import type { DataSource } from './answer.js';
import type { ChangedKeys } from './changed-keys.js';
import type { SourceCounter } from './source.js';

/** `starting`: nothing from the server yet. `stale`: not heard for two heartbeats. `offline`: asked not to call. */
export type ClientState = 'starting' | 'live' | 'stale' | 'offline' | 'closed';

export interface ClientStatus {
  readonly state: ClientState;
  readonly source: DataSource;
  readonly epoch: string | undefined;
  /** 0 without data. */
  readonly revision: number;
  /** Since the server was last heard; undefined: not in this run. */
  readonly ageMs: number | undefined;
  /** The last thing that went wrong since the server was last heard. */
  readonly error: Error | undefined;
}

export interface ChangeEvent extends ChangedKeys {
  /** Configuration and flags for which somebody may get another answer than before. */
  readonly keys: readonly string[];
  readonly epoch: string;
  readonly revision: number;
}

export interface ClientEvents {
  change: ChangeEvent;
  /** The server was heard: for the first time, or again after having been stale. */
  live: ClientStatus;
  stale: ClientStatus;
  /** Something failed that evaluations go on without. */
  error: Error;
}

/** Since the client was made. */
export interface ClientCounters extends Readonly<Record<SourceCounter, number>> {
  /** Answers given with reason `STALE`. */
  readonly staleAnswers: number;
  readonly timesStale: number;
  readonly changes: number;
  readonly droppedUsage: number;
}

export interface WaitOptions {
  /** Default: 5,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}
