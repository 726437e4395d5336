/** Documents whose fields have types, and filters that ask about them, also across types. For every renderer's tests. */
import fc from 'fast-check';
import type { Value } from '../values/index.js';
import type { FieldTypes } from './field-types.js';
import type { ComparisonOperator, Filter, TextOperator } from './filter.js';

export const documentTypes = {
  owner: 'string',
  team: 'string',
  level: 'number',
  limit: 'number',
  open: 'boolean',
  closed_by: 'string|null',
  tags: ['string'],
  scores: ['number'],
} as const satisfies FieldTypes;

const text = fc.constantFrom('', 'a', 'A', 'ab', 'b', 'b_', 'b%', 'a*', 'B?', '[a]', '\\', 'a\n', "o'b", 'é', 'ß');
const number = fc.constantFrom(-1, 0, 1, 2, 2.5, 3, 4_000_000_000);
const boolean = fc.boolean();

/** A field is there or missing; `closed_by` is always there, for a column cannot be both missing and null. */
export const typedDocument = fc
  .record(
    {
      owner: text,
      team: text,
      level: number,
      limit: number,
      open: boolean,
      closed_by: fc.option(text),
      tags: fc.array(text, { maxLength: 3 }),
      scores: fc.array(number, { maxLength: 3 }),
    },
    { requiredKeys: ['closed_by'] },
  )
  .map((document): Readonly<Record<keyof typeof documentTypes, Value>> => document as never);

const scalarField = fc.constantFrom('owner', 'team', 'level', 'limit', 'open', 'closed_by').map((name) => [name]);
const anyField = fc.constantFrom(...Object.keys(documentTypes)).map((name) => [name]);
const listField = fc.constantFrom('tags', 'scores', 'owner').map((name) => [name]);
const scalar: fc.Arbitrary<Value> = fc.oneof(text, text, number, boolean, fc.constant(null));
const comparison = fc.constantFrom<ComparisonOperator>('eq', 'eq', 'ne', 'lt', 'lte', 'gt', 'gte');
const affix = fc.constantFrom<TextOperator>('startsWith', 'endsWith', 'includes');

const atom = (field: fc.Arbitrary<string[]>): fc.Arbitrary<Filter> =>
  fc.oneof(
    fc.record({ op: comparison, field, value: scalar }),
    fc.record({ op: fc.constant('in' as const), field, values: fc.array(scalar, { minLength: 1, maxLength: 4 }) }),
    fc.record({ op: affix, field, value: text }),
  );

const compound = (leaf: fc.Arbitrary<Filter>, depth: number): fc.Arbitrary<Filter> =>
  depth === 0
    ? leaf
    : fc.oneof(
        { weight: 2, arbitrary: leaf },
        {
          weight: 2,
          arbitrary: fc.record({
            op: fc.constantFrom('and' as const, 'or' as const),
            filters: fc.array(compound(leaf, depth - 1), { minLength: 2, maxLength: 3 }),
          }),
        },
        {
          weight: 1,
          arbitrary: compound(leaf, depth - 1).map((filter): Filter => ({ op: 'not', filter })),
        },
      );

const leaf: fc.Arbitrary<Filter> = fc.oneof(
  { weight: 4, arbitrary: atom(scalarField) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('exists' as const), field: anyField }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('contains' as const), field: listField, value: scalar }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('any' as const),
      field: listField,
      filter: compound(atom(fc.constant([])), 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('fields' as const), by: comparison, left: scalarField, right: scalarField }),
  },
);

/** Depth: of `and`, `or` and `not` within each other. */
export const typedFilter = (depth: number): fc.Arbitrary<Filter> => compound(leaf, depth);
