/**
 * Filters for vector stores in the form most of them share: lists of conditions that must, should
 * or must not hold. What they cannot say (comparing fields, suffixes) is an error.
 */
import type { Value } from '../values/index.js';
import type { FieldPath, Filter } from './filter.js';
import { PartialEvaluationError } from './partial-errors.js';

export interface VectorFilter {
  readonly must?: readonly VectorCondition[];
  readonly should?: readonly VectorCondition[];
  readonly mustNot?: readonly VectorCondition[];
}
export type VectorCondition =
  | VectorFilter
  | {
      readonly key: string;
      readonly match: { readonly value: Value } | { readonly any: readonly Value[] } | { readonly prefix: string };
    }
  | { readonly key: string; readonly range: Readonly<Partial<Record<'lt' | 'lte' | 'gt' | 'gte', Value>>> }
  | { readonly key: string; readonly exists: boolean };

function refuse(what: string): never {
  throw new PartialEvaluationError(`${what} cannot be asked for in a vector store's filter`);
}

function key(field: FieldPath): string {
  return field.join('.');
}

function condition(filter: Filter): VectorCondition {
  switch (filter.op) {
    case 'eq':
      return { key: key(filter.field), match: { value: filter.value } };
    case 'contains':
      return { key: key(filter.field), match: { value: filter.value } };
    case 'ne': {
      const own = key(filter.field);
      return { must: [{ key: own, exists: true }], mustNot: [{ key: own, match: { value: filter.value } }] };
    }
    case 'in':
      return { key: key(filter.field), match: { any: filter.values } };
    case 'startsWith':
      return { key: key(filter.field), match: { prefix: filter.value } };
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return { key: key(filter.field), range: { [filter.op]: filter.value } };
    case 'exists':
      return { key: key(filter.field), exists: true };
    case 'fields':
      return refuse('a comparison of two fields');
    case 'any':
      // A list field matches when one of its elements does.
      if (filter.filter.op === 'in' && filter.filter.field.length === 0) {
        return { key: key(filter.field), match: { any: filter.filter.values } };
      }
      return refuse(`a condition on elements of ${key(filter.field)}`);
    case 'endsWith':
    case 'includes':
      return refuse(`\`${filter.op}\``);
    default:
      return toVector(filter);
  }
}

/** Errors: `PartialEvaluationError` for what such stores cannot say. */
export function toVector(filter: Filter): VectorFilter {
  switch (filter.op) {
    case 'true':
      return {};
    case 'false':
      return { mustNot: [{}] };
    case 'and':
      return { must: filter.filters.map(condition) };
    case 'or':
      return { should: filter.filters.map(condition) };
    case 'not':
      return { mustNot: [condition(filter.filter)] };
    default:
      return { must: [condition(filter)] };
  }
}
