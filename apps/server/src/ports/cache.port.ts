/**
 * Short-lived shared memory: values with a time to live, exact counters, and messages to whoever listens now. What is in it can be
 * gone at any moment; nothing depends on it for being right, only for being fast. Adapters: `adapters/memory` (one process)
 * and `adapters/redis` (single, Sentinel, Cluster). Contract: `cache.contract.ts`.
 */
export interface Counter {
  /** The count in the running window, this call's share included. */
  readonly count: number;
  /** Milliseconds until the window ends. */
  readonly resetsInMs: number;
}

/**
 * Errors: every method rejects with `cache.unavailable` (kind `unavailable`), within a bound, when the server cannot be reached;
 * callers go on without it.
 */
export interface Cache {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, ttlMs: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Adds to a counter that begins with the first call and ends `windowMs` later: exact however many instances count. `get` reads it, as digits. */
  increment(key: string, by: number, windowMs: number): Promise<Counter>;
  /** To every listener of the channel that is connected now, in this process too. */
  publish(channel: string, message: string): Promise<void>;
  /** Returns the function that ends it. After a lost connection `onGap` is called: messages may have been missed. */
  subscribe(channel: string, onMessage: (message: string) => void, onGap?: () => void): Promise<() => Promise<void>>;
  isHealthy(): Promise<boolean>;
  close(): Promise<void>;
}
