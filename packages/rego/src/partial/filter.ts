/**
 * Conditions on documents that are not at hand: what partial evaluation leaves, and what renderers
 * turn into a store's language. Filters are two-valued: a comparison with a field that is missing is
 * false, and `not` turns that into true, as in Rego.
 */
import type { ErrorLocation } from '../errors.js';
import { compare, keyOf, type Value } from '../values/index.js';

/** The steps to a field, from the document's root; `[]` is the element inside of `any`. */
export type FieldPath = readonly string[];

export type ComparisonOperator = 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte';
export type TextOperator = 'startsWith' | 'endsWith' | 'includes';

export type Filter =
  | { readonly op: 'true' }
  | { readonly op: 'false' }
  | { readonly op: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly op: 'not'; readonly filter: Filter }
  | { readonly op: ComparisonOperator; readonly field: FieldPath; readonly value: Value }
  /** Two fields of the document compared. */
  | { readonly op: 'fields'; readonly by: ComparisonOperator; readonly left: FieldPath; readonly right: FieldPath }
  | { readonly op: 'in'; readonly field: FieldPath; readonly values: readonly Value[] }
  /** The field is a collection with this element. */
  | { readonly op: 'contains'; readonly field: FieldPath; readonly value: Value }
  | { readonly op: TextOperator; readonly field: FieldPath; readonly value: string }
  | { readonly op: 'exists'; readonly field: FieldPath }
  /** Some element of the collection satisfies the filter, whose paths start at the element. */
  | { readonly op: 'any'; readonly field: FieldPath; readonly filter: Filter };

export const ALWAYS: Filter = { op: 'true' };
export const NEVER: Filter = { op: 'false' };

/** Where the policy says what a filter asks; not part of the filter, which is data. */
const places = new WeakMap<Filter, ErrorLocation>();

/** Notes the place of the filter and of those within it that have none yet. */
export function place(filter: Filter, at: ErrorLocation | undefined): void {
  if (at === undefined || filter === ALWAYS || filter === NEVER || places.has(filter)) return;
  places.set(filter, at);
  if ('filters' in filter) for (const each of filter.filters) place(each, at);
  if ('filter' in filter) place(filter.filter, at);
}

export function placeOf(filter: Filter): ErrorLocation | undefined {
  return places.get(filter);
}

const OPPOSITE: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  eq: 'eq',
  ne: 'ne',
  lt: 'gt',
  lte: 'gte',
  gt: 'lt',
  gte: 'lte',
};

/** The operator with its sides exchanged. */
export function mirrored(operator: ComparisonOperator): ComparisonOperator {
  return OPPOSITE[operator];
}

/** Whether values in this order (negative: the first is less) satisfy the operator. */
export function holds(order: number, by: ComparisonOperator): boolean {
  switch (by) {
    case 'eq':
      return order === 0;
    case 'ne':
      return order !== 0;
    case 'lt':
      return order < 0;
    case 'lte':
      return order <= 0;
    case 'gt':
      return order > 0;
    case 'gte':
      return order >= 0;
  }
}

function identity(filter: Filter): string {
  return String(keyOf(filter as unknown as Value));
}

function combine(op: 'and' | 'or', filters: readonly Filter[]): Filter {
  const [neutral, absorbing] = op === 'and' ? (['true', 'false'] as const) : (['false', 'true'] as const);
  const seen = new Map<string, Filter>();
  for (const filter of filters.flatMap((each) => (each.op === op ? each.filters : [each]))) {
    if (filter.op === absorbing) return filter;
    if (filter.op !== neutral) seen.set(identity(filter), filter);
  }
  for (const filter of seen.values()) {
    // `a` and `not a` decide the whole.
    if (filter.op === 'not' && seen.has(identity(filter.filter))) return { op: absorbing };
  }
  let kept = [...seen.values()];
  if (op === 'or') kept = mergeAlternatives(absorb(kept));
  const [only] = kept;
  if (only === undefined) return { op: neutral };
  return kept.length === 1 ? only : { op, filters: kept };
}

/** Drops alternatives that another, weaker one covers. */
function absorb(filters: readonly Filter[]): Filter[] {
  const parts = filters.map((filter) => new Set((filter.op === 'and' ? filter.filters : [filter]).map(identity)));
  return filters.filter((_, index) => {
    const own = parts[index] as Set<string>;
    return !parts.some(
      (other, at) => at !== index && other.size < own.size && [...other].every((part) => own.has(part)),
    );
  });
}

/** `f = 1 or f = 2` is `f in [1, 2]`. */
function mergeAlternatives(filters: readonly Filter[]): Filter[] {
  const values = new Map<string, { field: FieldPath; values: Value[]; at: ErrorLocation | undefined }>();
  const rest: Filter[] = [];
  for (const filter of filters) {
    if (filter.op !== 'eq' && filter.op !== 'in') {
      rest.push(filter);
      continue;
    }
    const key = JSON.stringify(filter.field);
    const entry = values.get(key) ?? { field: filter.field, values: [], at: placeOf(filter) };
    entry.values.push(...('values' in filter ? filter.values : [filter.value]));
    values.set(key, entry);
  }
  const merged = [...values.values()].map(({ field, values: all, at }): Filter => {
    const distinct = [...new Map(all.map((value) => [keyOf(value), value])).values()].sort(compare);
    const [only] = distinct;
    const filter: Filter =
      distinct.length === 1 && only !== undefined
        ? { op: 'eq', field, value: only }
        : { op: 'in', field, values: distinct };
    place(filter, at);
    return filter;
  });
  return [...merged, ...rest];
}

export function and(filters: readonly Filter[]): Filter {
  return combine('and', filters);
}

export function or(filters: readonly Filter[]): Filter {
  return combine('or', filters);
}

export function not(filter: Filter): Filter {
  switch (filter.op) {
    case 'true':
      return NEVER;
    case 'false':
      return ALWAYS;
    case 'not':
      return filter.filter;
    case 'and':
      return or(filter.filters.map(not));
    case 'or':
      return and(filter.filters.map(not));
    default:
      return { op: 'not', filter };
  }
}
