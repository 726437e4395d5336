import { type Filter, matchesFilter, type Value } from '@bailiwick/rego';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DocumentAttributes } from '../../ports/document-catalog.port.js';
import { AttributeTable } from './attribute-table.js';

const words = ['a', 'b', 'c', 'ab'];
const lists = fc.uniqueArray(fc.constantFrom(...words), { maxLength: 3 });
const metadata = fc.dictionary(
  fc.constantFrom('team', 'level', 'open', 'areas'),
  fc.oneof(fc.constantFrom(...words), fc.integer({ min: 0, max: 4 }), fc.boolean(), lists),
);
const attributes: fc.Arbitrary<DocumentAttributes> = fc.record({
  id: fc.uuid(),
  name: fc.constantFrom(...words),
  title: fc.constantFrom(...words),
  media_type: fc.constantFrom('text/plain', 'application/pdf'),
  source: fc.uuid(),
  tags: lists,
  groups: lists,
  metadata,
  created_by: fc.constantFrom(...words),
  created_at: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'),
  updated_at: fc.constant('2026-02-01T00:00:00.000Z'),
  size: fc.integer({ min: 0, max: 9 }),
});
const field = fc.constantFrom<readonly string[]>(
  ...[['name'], ['tags'], ['groups'], ['metadata'], ['metadata', 'team'], ['metadata', 'level']],
  ...[['metadata', 'open'], ['metadata', 'areas'], ['created_by'], ['created_at'], ['size'], ['nowhere']],
);
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom(...words),
  fc.integer({ min: 0, max: 4 }),
  fc.boolean(),
  lists,
);
const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Filter>({ op: 'true' }, { op: 'false' }),
    fc.record({ op: fc.constantFrom('eq', 'ne', 'lt', 'lte', 'gt', 'gte'), field, value }),
    fc.record({ op: fc.constant('in'), field, values: fc.array(value, { maxLength: 3 }) }),
    fc.record({ op: fc.constant('contains'), field, value }),
    fc.record({ op: fc.constantFrom('startsWith', 'endsWith', 'includes'), field, value: fc.constantFrom(...words) }),
    fc.record({ op: fc.constant('exists'), field }),
    fc.record({ op: fc.constant('fields'), by: fc.constantFrom('eq', 'lt'), left: field, right: field }),
    fc.record({
      op: fc.constant('any'),
      field,
      filter: fc.record({ op: fc.constant('in'), field: fc.constant([]), values: fc.array(value, { maxLength: 3 }) }),
    }),
    fc.record({ op: fc.constantFrom('and', 'or'), filters: fc.array(tie('filter'), { maxLength: 3 }) }),
    fc.record({ op: fc.constant('not'), filter: tie('filter') }),
  ) as fc.Arbitrary<Filter>,
}));

describe('a table of attributes', () => {
  it('selects exactly the documents that satisfy the filter, whatever was added, replaced and removed before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(40), fc.option(attributes, { freq: 5, nil: undefined })), { maxLength: 60 }),
        fc.array(filter, { minLength: 1, maxLength: 6 }),
        (steps, filters) => {
          const table = new AttributeTable();
          const model = new Map<number, DocumentAttributes>();
          const check = (one: Filter): void => {
            const expected = [...model].filter(([, each]) => matchesFilter(one, each as unknown as Value));
            expect([...table.select(one)]).toEqual(expected.map(([row]) => row).sort((a, b) => a - b));
          };
          for (const [at, [row, each]] of steps.entries()) {
            if (each) {
              table.set(row, each);
              model.set(row, each);
            } else {
              table.remove(row);
              model.delete(row);
            }
            const one = filters[at % filters.length];
            if (one) check(one);
          }
          for (const one of filters) check(one);
        },
      ),
      { numRuns: 300 },
    );
  });
});
