/**
 * Filters over documents, reduced to questions that any store can be asked. Rego compares values of all types with each other
 * (null < boolean < number < string < array < object < set); stores do not. A document's attributes have known types, so what is
 * left after reduction compares text with text and numbers with numbers, is true or false and never unknown, and each store renders
 * it without rules of its own. What cannot be reduced is a `PartialEvaluationError`, never a wrong answer.
 */
import {
  type ComparisonOperator,
  type Filter,
  holds,
  PartialEvaluationError,
  type TextOperator,
} from '@bailiwick/rego';

type FieldPath = readonly string[];
type FilterValue = Extract<Filter, { readonly op: ComparisonOperator }>['value'];

export const textFields = [
  'id',
  'name',
  'title',
  'media_type',
  'source',
  'created_by',
  'created_at',
  'updated_at',
] as const;
export type TextField = (typeof textFields)[number];
export type ListField = 'tags' | 'groups';
export type MetadataType = 'boolean' | 'number' | 'text' | 'list';

/** What a question is about. `element`: the element of the list that `element` looks through. */
export type Subject =
  | { readonly kind: 'field'; readonly name: TextField }
  | { readonly kind: 'size' }
  | { readonly kind: 'metadata'; readonly key: string }
  | { readonly kind: 'element' };
export type ListSubject =
  | { readonly kind: 'list'; readonly name: ListField }
  | { readonly kind: 'metadata'; readonly key: string };

/** Of a metadata subject each of these says also: the key is there and its value has the type. */
export type DocumentTest =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'all' | 'some'; readonly tests: readonly DocumentTest[] }
  | { readonly kind: 'not'; readonly test: DocumentTest }
  | {
      readonly kind: 'text';
      readonly subject: Subject;
      readonly by: ComparisonOperator;
      readonly value: string | { readonly field: TextField };
    }
  | { readonly kind: 'oneOf'; readonly subject: Subject; readonly values: readonly string[] }
  | { readonly kind: 'affix'; readonly subject: Subject; readonly by: TextOperator; readonly value: string }
  | { readonly kind: 'number'; readonly subject: Subject; readonly by: ComparisonOperator; readonly value: number }
  | { readonly kind: 'boolean'; readonly key: string; readonly value: boolean }
  | { readonly kind: 'type'; readonly key: string; readonly types: readonly MetadataType[] }
  | { readonly kind: 'element'; readonly list: ListSubject; readonly test: DocumentTest };

type Place =
  | { readonly kind: 'root' }
  | { readonly kind: 'metadata-object' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'scalar'; readonly subject: Subject; readonly types: readonly MetadataType[] }
  | { readonly kind: 'list'; readonly name: ListField; readonly types: readonly MetadataType[] };

const anyType: readonly MetadataType[] = ['boolean', 'number', 'text', 'list'];
const rankOf: Readonly<Record<MetadataType, number>> = { boolean: 1, number: 2, text: 3, list: 4 };
const always: DocumentTest = { kind: 'constant', value: true };
const never: DocumentTest = { kind: 'constant', value: false };

function refuse(what: string): never {
  throw new PartialEvaluationError(`${what} cannot be asked of a document store`);
}

/** Text that every store holds to the last character: no U+0000, no half of a surrogate pair. */
export const isStorableText = (text: string): boolean => !text.includes('\u0000') && !/\p{Surrogate}/u.test(text);

function combine(kind: 'all' | 'some', tests: readonly DocumentTest[]): DocumentTest {
  const absorbing = kind === 'some';
  const rest: DocumentTest[] = [];
  for (const test of tests) {
    if (test.kind !== 'constant') rest.push(test);
    else if (test.value === absorbing) return test;
  }
  const kept = kind === 'some' ? mergeAlternatives(rest) : rest;
  const [only] = kept;
  if (only === undefined) return { kind: 'constant', value: !absorbing };
  return kept.length === 1 ? only : { kind, tests: kept };
}

/** `t = a or t = b` is `t one of a, b`, of elements too: long lists of alternatives become one question. */
function mergeAlternatives(tests: readonly DocumentTest[]): readonly DocumentTest[] {
  const rest: DocumentTest[] = [];
  const texts = new Map<string, { readonly subject: Subject; readonly values: Set<string> }>();
  const lists = new Map<string, { readonly list: ListSubject; readonly inner: DocumentTest[] }>();
  for (const test of tests) {
    if (test.kind === 'element') {
      const key = JSON.stringify(test.list);
      const entry = lists.get(key) ?? { list: test.list, inner: [] };
      lists.set(key, entry);
      entry.inner.push(test.test);
      continue;
    }
    const values = test.kind === 'oneOf' ? test.values : equalTo(test);
    if (values === undefined || (test.kind !== 'oneOf' && test.kind !== 'text')) {
      rest.push(test);
      continue;
    }
    const key = JSON.stringify(test.subject);
    const entry = texts.get(key) ?? { subject: test.subject, values: new Set<string>() };
    texts.set(key, entry);
    for (const value of values) entry.values.add(value);
  }
  for (const { subject, values } of texts.values()) {
    const [only = ''] = values;
    rest.push(
      values.size === 1
        ? { kind: 'text', subject, by: 'eq', value: only }
        : { kind: 'oneOf', subject, values: [...values] },
    );
  }
  for (const { list, inner } of lists.values()) rest.push({ kind: 'element', list, test: combine('some', inner) });
  return rest;
}

const equalTo = (test: DocumentTest): readonly string[] | undefined =>
  test.kind === 'text' && test.by === 'eq' && typeof test.value === 'string' ? [test.value] : undefined;

function placeOf(path: FieldPath, isElement: boolean): Place {
  const [first, key] = path;
  if (isElement)
    return first === undefined
      ? { kind: 'scalar', subject: { kind: 'element' }, types: ['text'] }
      : { kind: 'missing' };
  if (first === undefined) return { kind: 'root' };
  if (first === 'metadata') {
    if (key === undefined) return { kind: 'metadata-object' };
    if (path.length > 2) return { kind: 'missing' };
    return { kind: 'scalar', subject: { kind: 'metadata', key }, types: anyType };
  }
  if (path.length > 1) return { kind: 'missing' };
  if (first === 'size') return { kind: 'scalar', subject: { kind: 'size' }, types: ['number'] };
  if (first === 'tags' || first === 'groups') return { kind: 'list', name: first, types: ['list'] };
  const name = textFields.find((field) => field === first);
  return name === undefined
    ? { kind: 'missing' }
    : { kind: 'scalar', subject: { kind: 'field', name }, types: ['text'] };
}

function refuseObjects(place: Place): asserts place is Exclude<Place, { readonly kind: 'root' | 'metadata-object' }> {
  if (place.kind === 'root') refuse('the document as a whole');
  if (place.kind === 'metadata-object') refuse('the metadata as a whole');
}

function hasType(place: Exclude<Place, { readonly kind: 'root' }>, types: readonly MetadataType[]): DocumentTest {
  if (place.kind === 'metadata-object' || place.kind === 'missing' || types.length === 0) return never;
  if (place.kind === 'scalar' && place.subject.kind === 'metadata')
    return { kind: 'type', key: place.subject.key, types };
  return { kind: 'constant', value: types.some((type) => place.types.includes(type)) };
}

/** Where the place has another type than the value, the types alone decide. */
function acrossTypes(
  place: Exclude<Place, { readonly kind: 'root' }>,
  by: ComparisonOperator,
  rank: number,
): DocumentTest {
  const types = anyType.filter((type) => rankOf[type] !== rank && holds(rankOf[type] - rank, by));
  return hasType(place, types);
}

function rankOfValue(value: FilterValue): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return rankOf.boolean;
  if (typeof value === 'number' || (typeof value === 'object' && 'mantissa' in value)) return rankOf.number;
  if (typeof value === 'string') return rankOf.text;
  return Array.isArray(value) ? rankOf.list : 5;
}

/** Within one type: `subject by value`. Errors: for lists, and for text or numbers that no store could be given. */
function withinType(place: Place, by: ComparisonOperator, value: FilterValue): DocumentTest {
  if (place.kind === 'list') return Array.isArray(value) ? refuse('a comparison of whole lists') : never;
  if (place.kind !== 'scalar') return never;
  const { subject, types } = place;
  if (typeof value === 'string') {
    if (!types.includes('text')) return never;
    if (isStorableText(value)) return { kind: 'text', subject, by, value };
    if (by === 'eq') return never;
    return by === 'ne' ? hasType(place, ['text']) : refuse('the order of text with U+0000 or half a character');
  }
  if (typeof value === 'number') return types.includes('number') ? { kind: 'number', subject, by, value } : never;
  if (typeof value === 'boolean') {
    if (subject.kind !== 'metadata') return never;
    const { key } = subject;
    const matching = [false, true].filter((one) => holds(Number(one) - Number(value), by));
    return combine(
      'some',
      matching.map((one): DocumentTest => ({ kind: 'boolean', key, value: one })),
    );
  }
  if (Array.isArray(value)) return types.includes('list') ? refuse('a comparison of whole lists') : never;
  if (value !== null && 'mantissa' in value && types.includes('number'))
    return refuse('a number beyond double precision');
  return never;
}

function compared(path: FieldPath, by: ComparisonOperator, value: FilterValue, isElement: boolean): DocumentTest {
  const place = placeOf(path, isElement);
  refuseObjects(place);
  return combine('some', [acrossTypes(place, by, rankOfValue(value)), withinType(place, by, value)]);
}

const mirrored: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  ...{ eq: 'eq', ne: 'ne', lt: 'gt' },
  ...{ lte: 'gte', gt: 'lt', gte: 'lte' },
};

function comparedFields(filter: Extract<Filter, { readonly op: 'fields' }>, isElement: boolean): DocumentTest {
  const [left, right] = [placeOf(filter.left, isElement), placeOf(filter.right, isElement)];
  if (left.kind === 'missing' || right.kind === 'missing') return never;
  if (isElement) return refuse('a comparison of an element with itself');
  refuseObjects(left);
  refuseObjects(right);
  const fieldOf = (place: Place): TextField | undefined =>
    place.kind === 'scalar' && place.subject.kind === 'field' ? place.subject.name : undefined;
  const against = (place: typeof left, by: ComparisonOperator, field: TextField): DocumentTest => {
    const within: DocumentTest =
      place.kind === 'scalar' && place.types.includes('text')
        ? { kind: 'text', subject: place.subject, by, value: { field } }
        : never;
    return combine('some', [acrossTypes(place, by, rankOf.text), within]);
  };
  const [leftField, rightField] = [fieldOf(left), fieldOf(right)];
  if (rightField !== undefined) return against(left, filter.by, rightField);
  if (leftField !== undefined) return against(right, mirrored[filter.by], leftField);
  return refuse('a comparison of these two fields');
}

function isOneOf(path: FieldPath, values: readonly FilterValue[], isElement: boolean): DocumentTest {
  const place = placeOf(path, isElement);
  refuseObjects(place);
  const texts = values.filter((value) => typeof value === 'string').filter(isStorableText);
  const others = values.filter((value) => typeof value !== 'string').map((value) => withinType(place, 'eq', value));
  const isText = place.kind === 'scalar' && place.types.includes('text') && texts.length > 0;
  return combine('some', [
    ...(isText ? [{ kind: 'oneOf', subject: place.subject, values: texts } satisfies DocumentTest] : []),
    ...others,
  ]);
}

function hasElement(path: FieldPath, isElement: boolean, test: (element: true) => DocumentTest): DocumentTest {
  const place = placeOf(path, isElement);
  refuseObjects(place);
  const isMetadata = place.kind === 'scalar' && place.subject.kind === 'metadata';
  const list = place.kind === 'list' ? place : isMetadata ? place.subject : undefined;
  if (list?.kind !== 'list' && list?.kind !== 'metadata') return never;
  const inner = test(true);
  if (inner.kind === 'constant' && !inner.value) return never;
  return { kind: 'element', list: list.kind === 'list' ? { kind: 'list', name: list.name } : list, test: inner };
}

function affixed(filter: Extract<Filter, { readonly op: TextOperator }>, isElement: boolean): DocumentTest {
  const place = placeOf(filter.field, isElement);
  if (place.kind !== 'scalar' || !place.types.includes('text')) return never;
  if (/\p{Surrogate}/u.test(filter.value)) return refuse('half a character');
  if (!isStorableText(filter.value)) return never;
  if (filter.value === '') return hasType(place, ['text']);
  return { kind: 'affix', subject: place.subject, by: filter.op, value: filter.value };
}

function reduce(filter: Filter, isElement: boolean): DocumentTest {
  switch (filter.op) {
    case 'true':
      return always;
    case 'false':
      return never;
    case 'and':
    case 'or':
      return combine(
        filter.op === 'and' ? 'all' : 'some',
        filter.filters.map((each) => reduce(each, isElement)),
      );
    case 'not': {
      const test = reduce(filter.filter, isElement);
      if (test.kind === 'constant') return { kind: 'constant', value: !test.value };
      return test.kind === 'not' ? test.test : { kind: 'not', test };
    }
    case 'exists': {
      const place = placeOf(filter.field, isElement);
      return place.kind === 'root' || place.kind === 'metadata-object' ? always : hasType(place, anyType);
    }
    case 'in':
      return isOneOf(filter.field, filter.values, isElement);
    case 'contains': {
      const { value } = filter;
      return hasElement(filter.field, isElement, () => compared([], 'eq', value, true));
    }
    case 'any': {
      const inner = filter.filter;
      return hasElement(filter.field, isElement, () => reduce(inner, true));
    }
    case 'startsWith':
    case 'endsWith':
    case 'includes':
      return affixed(filter, isElement);
    case 'fields':
      return comparedFields(filter, isElement);
    default:
      return compared(filter.field, filter.op, filter.value, isElement);
  }
}

/** Errors: `PartialEvaluationError` for what no store could be asked. */
export function reduceFilter(filter: Filter): DocumentTest {
  return reduce(filter, false);
}
