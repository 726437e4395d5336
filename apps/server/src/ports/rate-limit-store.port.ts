/**
 * Counters of rate limits. Adapters: `adapters/embedded/local-rate-limits.ts` (this process) and `adapters/redis/redis-rate-limits.ts` (exact
 * across processes). Contract: `rate-limit-store.contract.ts`. Methods of the local one answer at once, so that a limit costs no promise.
 */

export interface Count {
  /** What is left after this request; below 0: refused, and not counted further. */
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

export interface Leak {
  readonly isAdmitted: boolean;
  /** Milliseconds to wait so that the rate holds; 0 within the rate. */
  readonly delayMs: number;
}

/** So much of a window's limit, set aside before it is known what will be used. */
export interface Reservation {
  /** What was set aside; 0: refused, and nothing is. */
  readonly granted: number;
  /** What is left of the limit. */
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
  /** Names the window, for `settle`. */
  readonly window: number;
}

export interface Wish {
  /** Whole numbers, `least <= most`: less than `least` is a refusal, and `most` is given when there is so much. */
  readonly least: number;
  readonly most: number;
}

type Now<T> = T | Promise<T>;

/** Errors: methods reject with `store.unavailable` when the counters cannot be reached. */
export interface RateLimitStore {
  /** A window of `windowMs` begins with its first request. */
  countFixed(key: string, limit: number, windowMs: number): Now<Count>;
  /** The last `windowMs`, estimated from this window's and the last one's counts. A refused request is not counted. */
  countSliding(key: string, limit: number, windowMs: number): Now<Count>;
  /** Sets an amount aside in a window of `windowMs` that begins with its first reservation. */
  reserve(key: string, wish: Wish, limit: number, windowMs: number): Now<Reservation>;
  /** Corrects what was set aside by what was used (`by` may be negative), unless that window has ended. */
  settle(key: string, by: number, window: number): Now<void>;
  /** A bucket that leaks `rate` requests a second and holds `burst` beyond. A refused request is not counted. */
  leak(key: string, rate: number, burst: number): Now<Leak>;
  /** One more at the same time; how many there are with it. Above `most` it is refused and not counted; forgotten after `ttlMs` without a change. */
  enter(key: string, most: number, ttlMs: number): Now<number>;
  /** One less. */
  leave(key: string): Now<void>;
  close(): Promise<void>;
}

/** Where Redis is, as APISIX's plugins write it. */
export type RedisLocation =
  | {
      readonly kind: 'single';
      readonly host: string;
      readonly port: number;
      readonly database: number;
      readonly tls: RedisTls;
      readonly username?: string | undefined;
      readonly password?: string | undefined;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: 'cluster';
      /** `host:port`. */
      readonly nodes: readonly string[];
      readonly tls: RedisTls;
      readonly password?: string | undefined;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: 'sentinel';
      readonly sentinels: readonly { readonly host: string; readonly port: number }[];
      readonly masterName: string;
      readonly role: 'master' | 'slave';
      readonly database: number;
      readonly username?: string | undefined;
      readonly password?: string | undefined;
      readonly sentinelUsername?: string | undefined;
      readonly sentinelPassword?: string | undefined;
      readonly timeoutMs: number;
    };

export interface RedisTls {
  readonly isOn: boolean;
  readonly isVerified: boolean;
}
