/** What every store of answers does. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AnswerStore } from './answer-store.port.js';

export interface AnswerStoreUnderTest {
  readonly store: AnswerStore;
  readonly dispose: () => Promise<void>;
}

const vector = (...values: number[]): Float32Array => Float32Array.from(values);
const answer = (text: string) => ({ contentType: 'text/x', body: Buffer.from(text) });

export function describeAnswerStore(name: string, open: () => Promise<AnswerStoreUnderTest>): void {
  describe(`answers in ${name}`, () => {
    let store: AnswerStore;
    let dispose: () => Promise<void>;
    beforeAll(async () => {
      ({ store, dispose } = await open());
    }, 60_000);
    afterAll(async () => await dispose());

    it('are found by their key, byte by byte, until their time is over', async () => {
      const body = Buffer.from([0, 255, 10, 13, 128]);
      await store.set('bytes', { contentType: 'a/b', body }, 60_000);
      const found = await store.get('bytes');
      expect([found?.contentType, found?.body.equals(body)]).toEqual(['a/b', true]);
      expect(Math.abs(Date.now() - (found?.storedMs ?? 0))).toBeLessThan(10_000);
      expect(await store.get('other')).toBeUndefined();
      await store.set('short', answer('x'), 30);
      await vi.waitFor(async () => expect(await store.get('short')).toBeUndefined(), 5_000);
    });

    it('are found by nearness, the nearest first, within one scope and above the threshold', async () => {
      for (const [key, direction] of [
        ['east', vector(2, 0)],
        ['north', vector(0, 3)],
      ] as const) {
        await store.set(key, answer(key), 60_000);
        await store.addNear('s', direction, key, 60_000);
      }
      const near = async (scope: string, at: Float32Array, threshold: number) =>
        (await store.nearest(scope, at, { threshold, candidates: 1 }))?.body.toString();
      expect(await near('s', vector(10, 1), 0.9)).toBe('east');
      expect(await near('s', vector(1, 10), 0.9)).toBe('north');
      expect(await near('s', vector(1, 1), 0.9)).toBeUndefined();
      expect(await near('s', vector(1, 0, 0), 0)).toBeUndefined();
      expect(await near('other', vector(1, 0), 0.9)).toBeUndefined();
      await store.set('later', answer('later'), 60_000);
      await store.addNear('s', vector(-1, 0), 'later', 60_000);
      expect(await near('s', vector(-5, 0), 0.9)).toBe('later');
    });

    it('are not found by nearness when they are gone', async () => {
      await store.set('gone', answer('gone'), 30);
      await store.addNear('g', vector(1, 0), 'gone', 60_000);
      await vi.waitFor(
        async () => expect(await store.nearest('g', vector(1, 0), { threshold: 0.9, candidates: 1 })).toBeUndefined(),
        5_000,
      );
    });

    it('are looked for among as many of the nearest as is said, should the nearest be gone', async () => {
      await store.set('near', answer('near'), 30);
      await store.set('next', answer('next'), 60_000);
      await store.addNear('k', vector(1, 0), 'near', 60_000);
      await store.addNear('k', vector(1, 0.1), 'next', 60_000);
      await vi.waitFor(async () => expect(await store.get('near')).toBeUndefined(), 5_000);
      const within = { threshold: 0.9, candidates: 2 };
      expect((await store.nearest('k', vector(1, 0), within))?.body.toString()).toBe('next');
    });
  });
}
