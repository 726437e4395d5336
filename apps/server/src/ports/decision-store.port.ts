/**
 * Logged decisions, for search, explanation and replay. Not the truth of anything: losing the newest few in a crash is allowed
 * (they are written in batches off the hot path), writing one twice is not.
 */
import type { DecisionEntry } from '@bailiwick/contract';
import type { Page } from './policy-archive.port.js';

/** What our own decisions carry beside OPA's members, so that they can be decided again. */
export interface StoredDecision extends DecisionEntry {
  readonly allowed: boolean;
  readonly project?: string;
  readonly claimed_project?: string;
  readonly control_plane: boolean;
}

export interface DecisionFilter {
  readonly project?: string;
  /** Only these (what the caller may see). */
  readonly projects?: readonly string[];
  readonly actor?: string;
  readonly allowed?: boolean;
  readonly path?: string;
  readonly requestId?: string;
  readonly from?: string;
  readonly to?: string;
}

export interface DecisionStore {
  /** Ignores entries whose decision_id is there already. */
  append(entries: readonly StoredDecision[]): Promise<void>;
  get(decisionId: string): Promise<StoredDecision | undefined>;
  /** Newest first. */
  search(
    filter: DecisionFilter,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<StoredDecision>>;
  /** Keeps the newest `keep`. Returns how many went. */
  prune(keep: number): Promise<number>;
}
