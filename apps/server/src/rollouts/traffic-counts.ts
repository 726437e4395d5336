/**
 * How many requests failed and how many were denied lately, of all instances: each adds what it counted to counters of ten seconds in the cache.
 * Counting is an addition in memory; the cache is told every second.
 */
import type { Cache } from '../ports/cache.port.js';

const bucketMs = 10_000;
/** Longest window of a guard, and the bucket that is being filled. */
const keptMs = 3_600_000 + 2 * bucketMs;
const flushMs = 1_000;

export type CountKind = 'error_rate' | 'denial_rate' | 'difference_rate';

export interface Sum {
  readonly total: number;
  readonly bad: number;
}

/** All projects together. */
const everything = '';

export class TrafficCounts {
  readonly #cache: Cache;
  readonly #nowMs: () => number;
  readonly #pending = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(cache: Cache, nowMs: () => number = Date.now) {
    this.#cache = cache;
    this.#nowMs = nowMs;
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), flushMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** Never throws; cost: two additions in a map. */
  count(kind: CountKind, project: string | undefined, isBad: boolean): void {
    const bucket = Math.floor(this.#nowMs() / bucketMs);
    for (const name of project === undefined ? [everything] : [everything, project]) {
      this.#add(keyOf(kind, name, bucket, 'total'));
      if (isBad) this.#add(keyOf(kind, name, bucket, 'bad'));
    }
  }

  /** Sends what was counted; what cannot be sent is tried again. */
  async flush(): Promise<void> {
    const taken = [...this.#pending];
    this.#pending.clear();
    await Promise.all(
      taken.map(([key, count]) =>
        this.#cache.increment(key, count, keptMs).catch(() => {
          this.#pending.set(key, (this.#pending.get(key) ?? 0) + count);
        }),
      ),
    );
  }

  /** Over the last `windowSeconds`, to ten seconds. Errors: `cache.unavailable`. */
  async sum(kind: CountKind, project: string | undefined, windowSeconds: number): Promise<Sum> {
    await this.flush();
    const newest = Math.floor(this.#nowMs() / bucketMs);
    const buckets = Array.from({ length: Math.ceil((windowSeconds * 1_000) / bucketMs) + 1 }, (_, i) => newest - i);
    const read = async (what: 'total' | 'bad'): Promise<number> => {
      const counts = await Promise.all(
        buckets.map((bucket) => this.#cache.get(keyOf(kind, project ?? everything, bucket, what))),
      );
      return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
    };
    const [total, bad] = await Promise.all([read('total'), read('bad')]);
    return { total, bad };
  }

  #add(key: string): void {
    this.#pending.set(key, (this.#pending.get(key) ?? 0) + 1);
  }
}

const keyOf = (kind: CountKind, project: string, bucket: number, what: 'total' | 'bad'): string =>
  `traffic:${kind}:${project}:${bucket}:${what}`;
