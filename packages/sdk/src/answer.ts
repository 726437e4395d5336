/** What an evaluation says beside the value. */
import type { JsonValue } from './json.js';

/**
 * `STATIC`, `TARGETING_MATCH`, `SPLIT`, `DISABLED`: as OpenFeature means them. `DEFAULT`: no rule chose, or there is no data yet. `STALE`:
 * the value is the last one known, but the server has not been heard for two heartbeats. `ERROR`: the code's default, and why.
 */
export type Reason = 'STATIC' | 'TARGETING_MATCH' | 'SPLIT' | 'DISABLED' | 'DEFAULT' | 'STALE' | 'ERROR' | 'UNKNOWN';

export type ErrorCode =
  | 'NOT_READY'
  | 'FLAG_NOT_FOUND'
  | 'CONFIG_NOT_FOUND'
  | 'TYPE_MISMATCH'
  | 'PARSE_ERROR'
  | 'INVALID_KEY'
  | 'GENERAL';

/** Where the data came from: `server` in this run, the cache of an earlier one, the file that was shipped, or nowhere. */
export type DataSource = 'server' | 'storage' | 'bootstrap' | 'none';

export interface Details<T> {
  readonly key: string;
  readonly value: T;
  readonly variant?: string;
  readonly reason: Reason;
  /** JSON pointer of the part of the rule that chose; absent with remote evaluation. */
  readonly rule?: string;
  /** Of the data that answered; 0 without any. */
  readonly revision: number;
  readonly source: DataSource;
  readonly errorCode?: ErrorCode;
  readonly errorMessage?: string;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

/** Literal types widened: the default `false` asks for a boolean, not for `false`. */
export type Widened<T> = T extends boolean
  ? boolean
  : T extends number
    ? number
    : T extends string
      ? string
      : T extends null | undefined
        ? JsonValue
        : T;
