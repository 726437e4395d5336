import { expect, it } from 'vitest';
import { readableCopy } from './readable-copy.js';

it.each(['null', '1.5', '"text"', '[1,[2]]', '{"roles":{"admin":["ada"]}}', `${'['.repeat(50)}${']'.repeat(50)}`])(
  'keeps a copy of %s',
  (text) => {
    expect(readableCopy(text)).toEqual(JSON.parse(text));
  },
);

it.each([
  '{"$set":1}',
  '{"a":{"b.c":1}}',
  '[{"__proto__":1}]',
  '{"":1}',
  '{"a\\u0000b":1}',
  `${'['.repeat(60)}${']'.repeat(60)}`,
])('keeps none of %s, which BSON could not hold as it is', (text) => {
  expect(readableCopy(text)).toBeUndefined();
});

it('keeps none of large data', () => {
  expect(readableCopy(JSON.stringify('x'.repeat(300_000)))).toBeUndefined();
});
