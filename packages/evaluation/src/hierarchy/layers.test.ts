/** Laying values over each other: the algebra. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../json.js';
import { type Layer, layerOf, layerValue, mergeDeep, overlay, sourcesOf } from './layers.js';

const json = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<JsonValue>(null, true, 0, 1, 'a', ''),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), tie('value'), { maxKeys: 3 }),
  ),
})).value;

const layer = fc
  .tuple(json, fc.constantFrom('replace' as const, 'deep' as const), fc.integer({ min: 0, max: 99 }))
  .map(([value, mode, source]): Layer<number> => layerOf(value, source, mode));
const maybe = fc.option(layer, { nil: undefined });

const seen = (one: Layer<number> | undefined): unknown =>
  one === undefined ? undefined : [JSON.stringify(layerValue(one)), [...sourcesOf(one)].sort()];

describe('overlay', () => {
  it('is associative, in values and in sources', () => {
    fc.assert(
      fc.property(maybe, maybe, maybe, maybe, (a, b, c, below) => {
        const left = overlay(overlay(a, b), c);
        const right = overlay(a, overlay(b, c));
        expect(seen(left)).toEqual(seen(right));
        // The marks agree too: whatever is put below gives the same.
        expect(seen(overlay(below, left))).toEqual(seen(overlay(below, right)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('has undefined as its identity', () => {
    fc.assert(
      fc.property(layer, (one) => {
        expect(overlay(undefined, one)).toEqual(one);
        expect(overlay(one, undefined)).toEqual(one);
      }),
    );
  });

  it('keeps what a layer says', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(mergeDeep({}, mergeDeep(value, value))).toEqual(mergeDeep({}, value));
      }),
    );
  });
});
