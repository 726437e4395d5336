/** The contract of `Cache`: every sentence of the port as a test, for every adapter. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Cache } from './cache.port.js';

export interface CacheUnderTest {
  readonly cache: Cache;
  /** Another instance's view of the same cache. */
  another(): Promise<Cache>;
  dispose(): Promise<void>;
}

export function describeCache(name: string, start: () => Promise<CacheUnderTest>): void {
  describe(`Cache: ${name}`, () => {
    let under: CacheUnderTest | undefined;
    let cache: Cache;
    let other: Cache;
    beforeAll(async () => {
      under = await start();
      cache = under.cache;
      other = await under.another();
    }, 60_000);
    afterAll(() => under?.dispose(), 30_000);

    it('keeps a value for its time to live, for every instance', async () => {
      await cache.set('short', 'ä "x"', 250);
      await cache.set('long', '', 60_000);
      expect(await other.get('short')).toBe('ä "x"');
      await vi.waitFor(async () => expect(await other.get('short')).toBeUndefined(), { timeout: 2_000 });
      expect(await other.get('long')).toBe('');
      await other.delete('long');
      expect(await cache.get('long')).toBeUndefined();
      expect(await cache.get('never')).toBeUndefined();
    });

    it('counts exactly, however many count at once', async () => {
      const counts = await Promise.all(
        Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? cache : other).increment('hits', 1, 60_000)),
      );
      expect([...counts.map((one) => one.count)].sort((a, b) => a - b)).toEqual(
        Array.from({ length: 200 }, (_, i) => i + 1),
      );
      expect(Math.max(...counts.map((one) => one.resetsInMs))).toBeLessThanOrEqual(60_000);
      expect(Math.min(...counts.map((one) => one.resetsInMs))).toBeGreaterThan(50_000);
      expect((await cache.increment('hits', 5, 60_000)).count).toBe(205);
      expect(await other.get('hits')).toBe('205');
    });

    it('begins a new window when one has ended', async () => {
      expect((await cache.increment('window', 3, 200)).count).toBe(3);
      await vi.waitFor(
        async () => {
          const { count, resetsInMs } = await cache.increment('window', 1, 200);
          expect(resetsInMs).toBeGreaterThan(0);
          expect(count).toBe(1);
        },
        { timeout: 3_000, interval: 250 },
      );
    });

    it('sends messages to every listener of the channel, and to no other', async () => {
      const heard: string[] = [];
      const ends = [
        await cache.subscribe('news', (message) => heard.push(`one ${message}`)),
        await other.subscribe('news', (message) => heard.push(`two ${message}`)),
        await other.subscribe('sport', (message) => heard.push(`sport ${message}`)),
      ];
      await cache.publish('news', 'a');
      await vi.waitFor(() => expect([...heard].sort()).toEqual(['one a', 'two a']));
      await ends[0]?.();
      await other.publish('news', 'b');
      await vi.waitFor(() => expect([...heard].sort()).toEqual(['one a', 'two a', 'two b']));
      for (const end of ends.slice(1)) await end();
      expect(await cache.isHealthy()).toBe(true);
    });
  });
}
