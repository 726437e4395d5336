/** The contract of `DeliveryStore`: every sentence of the port as a test, for every database. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeliveryStore } from './delivery-store.port.js';

export interface DeliveryStoreUnderTest {
  readonly store: DeliveryStore;
  dispose(): Promise<void>;
}

const made = (id: string, createdAtMs: number) => ({ id, webhookId: 'hook', event: `{"id":"${id}"}`, createdAtMs });

export function describeDeliveryStore(name: string, start: () => Promise<DeliveryStoreUnderTest>): void {
  describe(`DeliveryStore: ${name}`, () => {
    let under: DeliveryStoreUnderTest | undefined;
    let store: DeliveryStore;
    beforeAll(async () => {
      under = await start();
      store = under.store;
    }, 60_000);
    afterAll(() => under?.dispose(), 30_000);

    it('enqueues once, and gives what is due to one worker, oldest first', async () => {
      await store.enqueue([made('b', 2_000), made('a', 1_000), made('later', 9_000)]);
      await store.enqueue([made('a', 5_000)]);
      expect(await store.waiting()).toBe(3);
      const both = await Promise.all([store.take(3_000, 60_000, 10), store.take(3_000, 60_000, 10)]);
      expect(
        both
          .flat()
          .map((one) => one.id)
          .sort(),
      ).toEqual(['a', 'b']);
      expect(both.flat().find((one) => one.id === 'a')).toMatchObject({
        createdAtMs: 1_000,
        attempts: 0,
        webhookId: 'hook',
      });
      expect(await store.take(3_000, 60_000, 10)).toEqual([]);
    });

    it('gives it again when the worker that had it never settled it', async () => {
      const again = await store.take(60_000, 120_000, 10);
      expect(again.map((one) => one.id).sort()).toEqual(['a', 'b', 'later']);
    });

    it('keeps what became of it, newest first, until it is pruned', async () => {
      await store.settle('a', { state: 'delivered', attempts: 1, nextAttemptMs: 0, status: 204, error: null });
      await store.settle('b', { state: 'waiting', attempts: 1, nextAttemptMs: 200_000, status: 500, error: 'no' });
      await store.settle('later', { state: 'failed', attempts: 9, nextAttemptMs: 0, status: null, error: 'gone' });
      expect(await store.waiting()).toBe(1);
      const all = await store.of('hook', 10);
      expect(all.map((one) => [one.id, one.state, one.status])).toEqual([
        ['later', 'failed', null],
        ['b', 'waiting', 500],
        ['a', 'delivered', 204],
      ]);
      expect(await store.take(150_000, 160_000, 10)).toEqual([]);
      expect((await store.take(200_000, 260_000, 10)).map((one) => one.attempts)).toEqual([1]);
      expect(await store.prune(5_000)).toBe(1);
      expect((await store.of('hook', 10)).map((one) => one.id)).toEqual(['later', 'b']);
    });
  });
}
