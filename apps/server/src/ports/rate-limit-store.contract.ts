/** The contract of `RateLimitStore`: every sentence of the port as a test, for every adapter. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RateLimitStore } from './rate-limit-store.port.js';

export function describeRateLimitStore(
  name: string,
  start: () => Promise<{ readonly store: RateLimitStore; dispose(): Promise<void> }>,
): void {
  describe(`RateLimitStore: ${name}`, () => {
    let under: Awaited<ReturnType<typeof start>> | undefined;
    let store: RateLimitStore;
    beforeAll(async () => {
      under = await start();
      store = under.store;
    });
    afterAll(async () => await under?.dispose());
    const key = (): string => `key-${randomUUID()}`;

    it('counts down in a fixed window, refuses below 0 and says when it ends', async () => {
      const own = key();
      const counts = [];
      for (let call = 0; call < 5; call += 1) counts.push(await store.countFixed(own, 3, 60_000));
      expect(counts.map((count) => count.remaining)).toEqual([2, 1, 0, -1, -1]);
      for (const { resetMs } of counts) expect(resetMs).toSatisfy((ms: number) => ms > 50_000 && ms <= 60_000);
    });

    it('begins a fixed window anew when it has ended', async () => {
      const own = key();
      await store.countFixed(own, 1, 150);
      expect((await store.countFixed(own, 1, 150)).remaining).toBe(-1);
      await vi.waitFor(async () => expect((await store.countFixed(own, 1, 150)).remaining).toBe(0), 3_000);
    });

    it('is exact when many count at once', async () => {
      const own = key();
      const counts = await Promise.all(
        Array.from({ length: 100 }, async () => await store.countFixed(own, 40, 60_000)),
      );
      expect(counts.filter(({ remaining }) => remaining >= 0)).toHaveLength(40);
    });

    it('never admits more than the limit in a sliding window', async () => {
      const own = key();
      const counts = await Promise.all(
        Array.from({ length: 50 }, async () => await store.countSliding(own, 10, 60_000)),
      );
      expect(counts.filter(({ remaining }) => remaining >= 0)).toHaveLength(10);
    });

    it('lets the burst wait and refuses beyond', async () => {
      const own = key();
      const leaks = [];
      for (let call = 0; call < 4; call += 1) leaks.push(await store.leak(own, 1, 2));
      expect(leaks.map(({ isAdmitted }) => isAdmitted)).toEqual([true, true, true, false]);
      expect(leaks[0]?.delayMs).toBe(0);
      expect(leaks[1]?.delayMs).toSatisfy((ms: number) => ms > 500 && ms <= 1_000);
      expect(leaks[2]?.delayMs).toSatisfy((ms: number) => ms > 1_500 && ms <= 2_000);
    });

    it('sets aside at most the limit, however many ask at once, and gives back what was not used', async () => {
      const own = key();
      const ask = async () => await store.reserve(own, { least: 10, most: 10 }, 105, 60_000);
      const asked = await Promise.all(Array.from({ length: 30 }, ask));
      const granted = asked.filter((one) => one.granted > 0);
      expect(granted.map((one) => one.granted)).toEqual(Array.from({ length: 10 }, () => 10));
      const last = asked.at(-1);
      expect([last?.granted, last?.remaining]).toEqual([0, 5]);
      expect(last?.resetMs).toSatisfy((ms: number) => ms > 50_000 && ms <= 60_000);
      await store.settle(own, -7, last?.window ?? 0);
      expect(await ask()).toMatchObject({ granted: 10, remaining: 2 });
      expect(await store.reserve(own, { least: 1, most: 50 }, 105, 60_000)).toMatchObject({ granted: 2, remaining: 0 });
    });

    it('settles nothing in a window that has come after', async () => {
      const own = key();
      const first = await store.reserve(own, { least: 5, most: 5 }, 10, 100);
      const wish = { least: 6, most: 6 };
      await vi.waitFor(async () => expect((await store.reserve(own, wish, 10, 60_000)).granted).toBe(6), 3_000);
      await store.settle(own, -5, first.window);
      expect((await store.reserve(own, wish, 10, 60_000)).granted).toBe(0);
    });

    it('counts what goes on at the same time, and keys apart', async () => {
      const [own, other] = [key(), key()];
      expect([await store.enter(own, 2, 60_000), await store.enter(own, 2, 60_000)]).toEqual([1, 2]);
      expect(await store.enter(own, 2, 60_000)).toBe(3);
      expect(await store.enter(other, 2, 60_000)).toBe(1);
      await store.leave(own);
      expect(await store.enter(own, 2, 60_000)).toBe(2);
    });

    it('never goes below nobody', async () => {
      const own = key();
      await store.leave(own);
      expect(await store.enter(own, 2, 60_000)).toBe(1);
    });
  });
}
