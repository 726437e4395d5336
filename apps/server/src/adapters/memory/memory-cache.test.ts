import { expect, it } from 'vitest';
import { describeCache } from '../../ports/cache.contract.js';
import { MemoryCache } from './memory-cache.js';

describeCache('in memory', async () => {
  const cache = new MemoryCache();
  return { cache, another: async () => cache, dispose: () => cache.close() };
});

it('forgets the oldest when it is full, and what is over first', async () => {
  let nowMs = 0;
  const cache = new MemoryCache({ maxEntries: 3, nowMs: () => nowMs });
  await cache.set('a', '1', 1_000);
  await cache.set('b', '2', 10);
  await cache.set('c', '3', 1_000);
  nowMs = 20;
  await cache.set('d', '4', 1_000);
  expect(await Promise.all(['a', 'b', 'c', 'd'].map((key) => cache.get(key)))).toEqual(['1', undefined, '3', '4']);
  await cache.set('e', '5', 1_000);
  expect(await cache.get('a')).toBeUndefined();
});
