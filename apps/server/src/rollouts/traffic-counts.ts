/**
 * How many requests failed and how many were denied lately, of all instances: each adds what it counted to counters of ten seconds in the cache.
 * Counting is an addition in memory; the cache is told every second.
 */
import type { Cache } from '../ports/cache.port.js';

const bucketMs = 10_000;
/** Longest window of a guard, and the bucket that is being filled. */
const keptMs = 3_600_000 + 2 * bucketMs;
const flushMs = 1_000;

const countKinds = ['error_rate', 'denial_rate', 'difference_rate'] as const;
export type CountKind = (typeof countKinds)[number];

export interface Sum {
  readonly total: number;
  readonly bad: number;
}

interface Slot {
  readonly bucket: number;
  total: number;
  bad: number;
}

/** All projects together. */
const everything = '';

export class TrafficCounts {
  readonly #cache: Cache;
  readonly #nowMs: () => number;
  /** What is counted now, by kind and project; becomes counts for the cache when it is flushed or its ten seconds end. */
  readonly #open: Readonly<Record<CountKind, Map<string, Slot>>> = {
    error_rate: new Map(),
    denial_rate: new Map(),
    difference_rate: new Map(),
  };
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

  /** Never throws; cost: two look-ups in a map and two additions, and nothing allocated. */
  count(kind: CountKind, project: string | undefined, isBad: boolean): void {
    const bucket = Math.floor(this.#nowMs() / bucketMs);
    this.#countOne(kind, everything, bucket, isBad);
    if (project !== undefined) this.#countOne(kind, project, bucket, isBad);
  }

  #countOne(kind: CountKind, project: string, bucket: number, isBad: boolean): void {
    const open = this.#open[kind];
    let slot = open.get(project);
    if (slot?.bucket !== bucket) {
      if (slot) this.#close(kind, project, slot);
      slot = { bucket, total: 0, bad: 0 };
      open.set(project, slot);
    }
    slot.total += 1;
    if (isBad) slot.bad += 1;
  }

  #close(kind: CountKind, project: string, { bucket, total, bad }: Slot): void {
    this.#add(keyOf(kind, project, bucket, 'total'), total);
    if (bad > 0) this.#add(keyOf(kind, project, bucket, 'bad'), bad);
  }

  /** Sends what was counted; what cannot be sent is tried again. */
  async flush(): Promise<void> {
    for (const kind of countKinds) {
      for (const [project, slot] of this.#open[kind]) this.#close(kind, project, slot);
      this.#open[kind].clear();
    }
    const taken = [...this.#pending];
    this.#pending.clear();
    await Promise.all(
      taken.map(([key, count]) =>
        this.#cache.increment(key, count, keptMs).catch(() => {
          this.#add(key, count);
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

  #add(key: string, count: number): void {
    this.#pending.set(key, (this.#pending.get(key) ?? 0) + count);
  }
}

const keyOf = (kind: CountKind, project: string, bucket: number, what: 'total' | 'bad'): string =>
  `traffic:${kind}:${project}:${bucket}:${what}`;
