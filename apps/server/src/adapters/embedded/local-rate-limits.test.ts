import { expect, it } from 'vitest';
import { describeRateLimitStore } from '../../ports/rate-limit-store.contract.js';
import { localRateLimits } from './local-rate-limits.js';

describeRateLimitStore('this process', async () => {
  const store = localRateLimits();
  return { store, dispose: () => store.close() };
});

it('weighs the last window by how much of it a sliding window still sees', async () => {
  let now = 0;
  const store = localRateLimits(() => now);
  for (let call = 0; call < 10; call += 1) await store.countSliding('k', 10, 1_000);
  now = 1_500;
  // Half of the last window counts: 5 of 10 are left.
  const admitted = [];
  for (let call = 0; call < 10; call += 1) admitted.push((await store.countSliding('k', 10, 1_000)).remaining >= 0);
  expect(admitted.filter(Boolean)).toHaveLength(5);
});
