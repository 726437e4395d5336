/** Filters evaluated on a document at hand: for stores without a query language, and for tests. */
import { compare, equal, get, isArray, isObject, isSet, iterate, type Value } from '../values/index.js';
import { type ComparisonOperator, type FieldPath, type Filter, holds } from './filter.js';

function fieldOf(document: Value | undefined, field: FieldPath): Value | undefined {
  let value = document;
  for (const part of field) value = value === undefined ? undefined : get(value, part);
  return value;
}

function compared(by: ComparisonOperator, a: Value | undefined, b: Value | undefined): boolean {
  return a !== undefined && b !== undefined && holds(compare(a, b), by);
}

/** Whether the document satisfies the filter. */
export function matchesFilter(filter: Filter, document: Value | undefined): boolean {
  switch (filter.op) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return filter.filters.every((each) => matchesFilter(each, document));
    case 'or':
      return filter.filters.some((each) => matchesFilter(each, document));
    case 'not':
      return !matchesFilter(filter.filter, document);
    case 'exists':
      return fieldOf(document, filter.field) !== undefined;
    case 'in': {
      const value = fieldOf(document, filter.field);
      return value !== undefined && filter.values.some((each) => equal(each, value));
    }
    case 'contains':
    case 'any': {
      const of = fieldOf(document, filter.field);
      if (of === undefined || !(isArray(of) || isSet(of) || isObject(of))) return false;
      for (const [, element] of iterate(of)) {
        if (filter.op === 'contains' ? equal(element, filter.value) : matchesFilter(filter.filter, element))
          return true;
      }
      return false;
    }
    case 'startsWith':
    case 'endsWith':
    case 'includes': {
      const value = fieldOf(document, filter.field);
      if (typeof value !== 'string') return false;
      return filter.op === 'includes' ? value.includes(filter.value) : value[filter.op](filter.value);
    }
    case 'fields':
      return compared(filter.by, fieldOf(document, filter.left), fieldOf(document, filter.right));
    default:
      return compared(filter.op, fieldOf(document, filter.field), filter.value);
  }
}
