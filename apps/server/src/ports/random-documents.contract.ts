/** Random documents and random filters over them, with values chosen so that they meet: for the contracts of catalogs and indexes. */
import type { Filter } from '@bailiwick/rego';
import fc from 'fast-check';
import type { CatalogDocument, DocumentAttributes, MetadataValue } from './document-catalog.port.js';

const texts = ['', 'a', 'A', 'ab', 'b', 'ä', '€x', '😀', '\uffee', '%', '_', "o'x", 'a.b', '$a', 'x"y', '10', 'c\\d'];
const keys = ['dept', 'level', 'flag', 'list', 'odd key', 'a.b', '$x', 'ä', 'q"x', "o'k"];
const numbers = [0, 1, -1, 2.5, 0.1, 10, 1e21, 2 ** 53 + 2, -2054125198918339000, 5e-324];
const times = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z', '2026-06-30T12:00:00.500Z'];

const text = fc.constantFrom(...texts);
const list = fc.uniqueArray(text, { maxLength: 3 });
const metadataValue: fc.Arbitrary<MetadataValue> = fc.oneof(text, fc.constantFrom(...numbers), fc.boolean(), list);

export type Described = Omit<DocumentAttributes, 'id' | 'source'>;

export const describedDocument: fc.Arbitrary<Described> = fc.record({
  name: text,
  title: text,
  media_type: fc.constantFrom('text/plain', 'application/pdf'),
  tags: list,
  groups: list,
  metadata: fc.dictionary(fc.constantFrom(...keys), metadataValue, { maxKeys: 4 }),
  created_by: text,
  created_at: fc.constantFrom(...times),
  updated_at: fc.constantFrom(...times),
  size: fc.constantFrom(0, 1, 2, 10, 5_000_000_000),
});

const path = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(...['name', 'title', 'media_type', 'source', 'created_by', 'created_at', 'id']),
  },
  { weight: 2, arbitrary: fc.constantFrom('size', 'tags', 'groups') },
  { weight: 1, arbitrary: fc.constantFrom('metadata', 'unknown') },
);
const field: fc.Arbitrary<readonly string[]> = fc.oneof(
  { weight: 5, arbitrary: path.map((one) => [one]) },
  { weight: 7, arbitrary: fc.constantFrom(...keys).map((key) => ['metadata', key]) },
  { weight: 1, arbitrary: fc.constantFrom(...keys).map((key) => ['metadata', key, 'deep']) },
  { weight: 1, arbitrary: fc.constant(['tags', 'x']) },
);
const listField: fc.Arbitrary<readonly string[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(['tags'], ['groups'], ['metadata', 'list'], ['metadata', 'dept']) },
  { weight: 1, arbitrary: field },
);
const scalar = fc.oneof(
  { weight: 5, arbitrary: text },
  { weight: 3, arbitrary: fc.constantFrom(...numbers) },
  { weight: 2, arbitrary: fc.oneof(fc.boolean(), fc.constantFrom(...times)) },
  { weight: 1, arbitrary: fc.constant(null) },
);
const by = fc.constantFrom(...(['eq', 'ne', 'lt', 'lte', 'gt', 'gte'] as const));
const textBy = fc.constantFrom(...(['startsWith', 'endsWith', 'includes'] as const));

/** Conditions whose paths are made by `on`. */
function leaf(on: fc.Arbitrary<readonly string[]>): fc.Arbitrary<Filter> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ op: by, field: on, value: scalar }) as fc.Arbitrary<Filter> },
    {
      weight: 3,
      arbitrary: fc.record({ op: fc.constant('in' as const), field: on, values: fc.array(scalar, { maxLength: 4 }) }),
    },
    { weight: 3, arbitrary: fc.record({ op: textBy, field: on, value: text }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('exists' as const), field: on }) },
    { weight: 1, arbitrary: fc.constantFrom<Filter>({ op: 'true' }, { op: 'false' }) },
  );
}

function tree(ofLeaf: fc.Arbitrary<Filter>): fc.Arbitrary<Filter> {
  const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      ofLeaf,
      fc.record({
        op: fc.constantFrom('and' as const, 'or' as const),
        filters: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ op: fc.constant('not' as const), filter: tie('filter') }),
    ),
  }));
  return filter;
}

const onElement = tree(leaf(fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: field })));

/** Filters of every operator, also such as few stores can say. */
export const anyFilter: fc.Arbitrary<Filter> = tree(
  fc.oneof(
    { weight: 8, arbitrary: leaf(field) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant('contains' as const), field: listField, value: scalar }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant('any' as const), field: listField, filter: onElement }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('fields' as const), by, left: field, right: field }) },
  ),
);

export function attributesOf(document: CatalogDocument): DocumentAttributes {
  const { id, name, title, media_type, source, tags, groups, metadata } = document;
  const { created_by, created_at, updated_at, size } = document;
  return { id, name, title, media_type, source, tags, groups, metadata, created_by, created_at, updated_at, size };
}
