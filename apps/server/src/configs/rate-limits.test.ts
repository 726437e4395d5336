import { describe, expect, it } from 'vitest';
import { MemoryCache } from '../adapters/memory/memory-cache.js';
import type { Cache } from '../ports/cache.port.js';
import { ReadRateLimits } from './rate-limits.js';

/** How many of `calls` are let through. */
async function through(limits: readonly ReadRateLimits[], calls: number): Promise<number> {
  const results = await Promise.allSettled(
    Array.from({ length: calls }, (_, i) => limits[i % limits.length]?.take('key') ?? Promise.resolve()),
  );
  return results.filter((one) => one.status === 'fulfilled').length;
}

describe('read rate limits', () => {
  it('let exactly as many through as the limit says, over instances that share a cache', async () => {
    let nowMs = 0;
    const cache = new MemoryCache({ nowMs: () => nowMs });
    const limits = [1, 2].map(() => new ReadRateLimits(cache, 100, () => nowMs));
    const first = await through(limits, 50);
    expect(first).toBe(50);
    const rest = await through([limits[0] as ReadRateLimits], 200);
    // What the other instance took ahead and has not used is not lost to anybody but this one, and never more than a tenth.
    expect(first + rest).toBeLessThanOrEqual(100);
    expect(first + rest).toBeGreaterThanOrEqual(90);
    nowMs = 60_001;
    expect(await through(limits, 40)).toBe(40);
  });

  it('are none when the limit is 0', () => {
    expect(new ReadRateLimits(new MemoryCache(), 0).take('key')).toBeUndefined();
  });

  it('count for themselves while the cache is away, and say when to come back', async () => {
    const away = { increment: () => Promise.reject(new Error('away')) } as unknown as Cache;
    const limits = new ReadRateLimits(away, 10, () => 5_000);
    expect(await through([limits], 30)).toBe(10);
    await expect(limits.take('key')).rejects.toMatchObject({ details: { retryAfterSeconds: 60 } });
  });
});
