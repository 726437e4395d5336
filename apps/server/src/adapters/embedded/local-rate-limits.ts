/** Counters of this process, bounded in number: what was used longest ago goes first. */
import type { Count, Leak, RateLimitStore, Reservation, Wish } from '../../ports/rate-limit-store.port.js';

const maxKeys = 100_000;

/** A map that forgets its oldest entries; an entry that is used becomes the youngest. */
class Recent<T> {
  readonly #entries = new Map<string, T>();

  get(key: string): T | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: T): void {
    if (this.#entries.size >= maxKeys) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(key, value);
  }

  /** To be the youngest again. */
  renew(key: string, value: T): void {
    this.#entries.delete(key);
    this.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

interface Window {
  count: number;
  endsMs: number;
}

interface Reserved {
  used: number;
  readonly endsMs: number;
}

interface Sliding {
  windowMs: number;
  index: number;
  current: number;
  previous: number;
}

export function localRateLimits(nowMs: () => number = Date.now): RateLimitStore {
  const windows = new Recent<Window>();
  const slides = new Recent<Sliding>();
  const buckets = new Recent<{ excess: number; atMs: number }>();
  const reserved = new Recent<Reserved>();
  const present = new Recent<{ count: number; changedMs: number }>();
  return {
    countFixed: (key, limit, windowMs) => countFixed(windows, key, { limit, windowMs, nowMs: nowMs() }),
    countSliding: (key, limit, windowMs) => countSliding(slides, key, { limit, windowMs, nowMs: nowMs() }),
    reserve: (key, wish, limit, windowMs) => reserve(reserved, key, wish, { limit, windowMs, nowMs: nowMs() }),
    settle: (key, by, window) => {
      const known = reserved.get(key);
      if (known?.endsMs === window) known.used = Math.max(0, known.used + by);
    },
    leak: (key, rate, burst) => leak(buckets, key, { rate, burst, nowMs: nowMs() }),
    enter: (key, most, ttlMs) => {
      const now = nowMs();
      const known = present.get(key);
      const before = known && now - known.changedMs < ttlMs ? known.count : 0;
      if (before < most) present.renew(key, { count: before + 1, changedMs: now });
      return before + 1;
    },
    leave: (key) => {
      const known = present.get(key);
      if (!known) return;
      known.changedMs = nowMs();
      known.count -= 1;
      if (known.count <= 0) present.delete(key);
    },
    close: async () => undefined,
  };
}

interface Limit {
  readonly limit: number;
  readonly windowMs: number;
  readonly nowMs: number;
}

function countFixed(windows: Recent<Window>, key: string, { limit, windowMs, nowMs }: Limit): Count {
  const known = windows.get(key);
  if (!known || known.endsMs <= nowMs) {
    windows.renew(key, { count: 1, endsMs: nowMs + windowMs });
    return { remaining: limit - 1, resetMs: windowMs };
  }
  known.count = Math.min(known.count + 1, limit + 1);
  return { remaining: Math.max(-1, limit - known.count), resetMs: known.endsMs - nowMs };
}

function reserve(reserved: Recent<Reserved>, key: string, { least, most }: Wish, limit: Limit): Reservation {
  const { nowMs } = limit;
  let known = reserved.get(key);
  if (!known || known.endsMs <= nowMs) {
    known = { used: 0, endsMs: nowMs + limit.windowMs };
    reserved.renew(key, known);
  }
  const left = limit.limit - known.used;
  const granted = left >= Math.max(1, least) ? Math.min(left, most) : 0;
  known.used += granted;
  const remaining = Math.max(0, left - granted);
  return { granted, remaining, resetMs: known.endsMs - nowMs, window: known.endsMs };
}

function countSliding(slides: Recent<Sliding>, key: string, { limit, windowMs, nowMs }: Limit): Count {
  const index = Math.floor(nowMs / windowMs);
  const resetMs = (index + 1) * windowMs - nowMs;
  let known = slides.get(key);
  if (!known || known.windowMs !== windowMs || index - known.index > 1) {
    known = { windowMs, index, current: 0, previous: 0 };
    slides.renew(key, known);
  } else if (known.index !== index) {
    known.previous = known.current;
    known.current = 0;
    known.index = index;
  }
  const estimate = known.previous * (resetMs / windowMs) + known.current;
  if (estimate + 1 > limit) return { remaining: -1, resetMs };
  known.current += 1;
  return { remaining: Math.max(0, Math.floor(limit - estimate - 1)), resetMs };
}

function leak(
  buckets: Recent<{ excess: number; atMs: number }>,
  key: string,
  { rate, burst, nowMs }: { readonly rate: number; readonly burst: number; readonly nowMs: number },
): Leak {
  const known = buckets.get(key);
  const excess = known ? Math.max(0, known.excess - (rate * Math.abs(nowMs - known.atMs)) / 1000 + 1) : 0;
  if (excess > burst) return { isAdmitted: false, delayMs: 0 };
  buckets.renew(key, { excess, atMs: nowMs });
  return { isAdmitted: true, delayMs: (excess / rate) * 1000 };
}
