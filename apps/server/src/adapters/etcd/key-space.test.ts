import fc from 'fast-check';
import { expect, it } from 'vitest';
import { makeKeySpace } from './key-space.js';

it('puts the namespace before every key and takes it away again', () => {
  const keys = makeKeySpace('tenant-ä/');
  expect(keys.toBytes('/policies/x').toString()).toBe('tenant-ä//policies/x');
  expect(keys.toKey(keys.toBytes('/policies/€'))).toBe('/policies/€');
});

it('takes all keys for the empty prefix without a namespace', () => {
  const { key, range_end } = makeKeySpace('').toRange('');
  expect([key, range_end]).toEqual([Buffer.from([0]), Buffer.from([0])]);
});

it('gives a range that holds exactly the keys of the prefix', () => {
  const text = fc.string({ unit: 'binary', maxLength: 4 });
  const keys = makeKeySpace('n/');
  fc.assert(
    fc.property(text, text, (prefix, name) => {
      const { key, range_end } = keys.toRange(prefix);
      const candidate = keys.toBytes(name);
      return (candidate.compare(key) >= 0 && candidate.compare(range_end) < 0) === name.startsWith(prefix);
    }),
    { numRuns: 2000 },
  );
});
