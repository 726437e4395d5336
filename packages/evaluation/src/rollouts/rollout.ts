/**
 * A rollout: who gets the new value of something, when. It is data; commands turn it into the next one
 * (`apply-command.ts`), and `exposure.ts` says who is in. Times are milliseconds since 1970, durations milliseconds,
 * percentages 0 … 100 in steps of 0.001.
 */

/** From `afterMs` of running time on (pauses do not count), `percent` are in. */
export interface RolloutStep {
  readonly percent: number;
  readonly afterMs: number;
}

/** People named one by one, or by a group they are in. */
export interface Audience {
  /** Values of the sticky attribute. */
  readonly users?: readonly string[];
  readonly groups?: readonly string[];
  /** The attribute of the context that lists someone's groups (a list or one text); `groups` when absent. */
  readonly groupsAttribute?: string;
}

/** Growth as AWS AppConfig has it. */
export interface RolloutGrowth {
  /** Step n (from 0) reaches `factor · (n + 1)` percent when linear, `factor · 2^n` when exponential; at most 100. */
  readonly kind: 'linear' | 'exponential';
  /** Percent, above 0. */
  readonly factor: number;
  /** When it must be at 100 %, whatever the factor gives. */
  readonly durationMs: number;
  /** Between steps; absent: the duration divided evenly over the steps. */
  readonly intervalMs?: number;
}

export type RolloutStrategy =
  | { readonly kind: 'immediate' }
  /** A timetable: 10 % → 25 % at 1 h → 50 % at 2 h → 100 % at 4 h. */
  | { readonly kind: 'percentage'; readonly steps: readonly RolloutStep[] }
  | { readonly kind: 'percentage'; readonly growth: RolloutGrowth }
  /** A small share and named people first; after `durationMs`, and only while the guards say healthy, everybody. */
  | {
      readonly kind: 'canary';
      readonly percent: number;
      readonly durationMs: number;
      readonly audience?: Audience;
    }
  /** Those for whom the flag answers with the variant. */
  | { readonly kind: 'flag'; readonly flag: string; readonly variant: string }
  /** Everybody from start to end; afterwards the old value again. */
  | { readonly kind: 'time_window'; readonly startAtMs: number; readonly endAtMs: number }
  | { readonly kind: 'targeting'; readonly audience: Audience };

export interface RolloutDefinition {
  readonly id: string;
  readonly strategy: RolloutStrategy;
  /** The attribute that buckets are sticky by; `targetingKey` when absent. */
  readonly stickyAttribute?: string;
  /** What is hashed before the sticky attribute; the id when absent. Rollouts with the same one let the same people in first. */
  readonly bucketKey?: string;
  /** How long everybody has it and the guards still watch, before it is completed; 0 when absent. */
  readonly bakeMs?: number;
  /** Not before this moment. */
  readonly startAtMs?: number;
}

export type RolloutState =
  | 'draft'
  | 'scheduled'
  | 'running'
  | 'paused'
  | 'baking'
  | 'completed'
  | 'aborted'
  | 'rolled_back';

/** Plain data: it may be stored as JSON and read back. */
export interface Rollout {
  readonly definition: RolloutDefinition;
  readonly state: RolloutState;
  /** Who is in, of those who can be; only commands change it, so every replica agrees. It never falls while under way. */
  readonly percent: number;
  /** How many steps of the timetable have been taken. */
  readonly stepsTaken: number;
  /** Running time up to `sinceMs`, pauses left out. */
  readonly elapsedMs: number;
  /** Since when time counts; null while it does not. */
  readonly sinceMs: number | null;
  /** The latest moment a command came at: time is not counted twice when a clock goes back. */
  readonly lastMs: number;
  /** What a paused rollout goes back to. */
  readonly pausedFrom?: 'running' | 'baking';
}

/** What the guards say: `unknown` (no guard, or no figures yet) holds a canary back and lets a timetable go on. */
export type GuardVerdict = 'healthy' | 'unhealthy' | 'unknown';

export type RolloutCommand =
  | { readonly kind: 'start' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  /** The next step now; `full`: the last one. A rollout by flag, window or audience is given to everybody. */
  | { readonly kind: 'promote'; readonly full?: boolean }
  | { readonly kind: 'abort'; readonly reason?: string }
  | { readonly kind: 'rollback'; readonly reason?: string }
  /** Time has passed: takes at most one step. */
  | { readonly kind: 'advance'; readonly verdict: GuardVerdict };

export interface RolloutEvent {
  readonly kind:
    | 'created'
    | 'scheduled'
    | 'started'
    | 'stepped'
    | 'paused'
    | 'resumed'
    | 'baking'
    | 'completed'
    | 'aborted'
    | 'rolled_back';
  readonly atMs: number;
  /** Who is in from now on. */
  readonly percent: number;
  readonly reason?: string;
}
