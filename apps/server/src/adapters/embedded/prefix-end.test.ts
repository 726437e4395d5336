import fc from 'fast-check';
import { expect, it } from 'vitest';
import { prefixEnd } from './prefix-end.js';

const bytes = (text: string): Buffer => Buffer.from(text);

it.each([
  ['', null],
  ['/a/', '/a0'],
  ['a\u{10ffff}', 'b'],
  ['\u{10ffff}', null],
  ['\ud7ff', '\ue000'],
  ['\uffff', '\u{10000}'],
])('ends %j at %j', (prefix, end) => {
  expect(prefixEnd(prefix)).toBe(end);
});

it('parts the keys that begin with the prefix from all others, in the order of bytes', () => {
  const text = fc.string({ unit: 'binary', maxLength: 4 });
  fc.assert(
    fc.property(text, text, (prefix, key) => {
      const end = prefixEnd(prefix);
      const isInside = bytes(key).compare(bytes(prefix)) >= 0 && (end === null || bytes(key).compare(bytes(end)) < 0);
      return isInside === key.startsWith(prefix);
    }),
    { numRuns: 2000 },
  );
});
