/** The filter of a request as a condition on documents. Fields that hold lists match by their elements. */
import type { DocumentFilter } from '@bailiwick/contract';
import type { Filter, Value } from '@bailiwick/rego';

type Condition = DocumentFilter[string];

/** `tags`, `groups` and `metadata.KEY` may hold lists: a value matches as the whole or as an element. */
export function toFilter(filter: DocumentFilter | undefined): Filter {
  const filters = Object.entries(filter ?? {}).map(([name, condition]) => {
    const field = name.startsWith('metadata.') ? ['metadata', name.slice('metadata.'.length)] : [name];
    return conditionOn(field, condition);
  });
  return filters.length === 0 ? { op: 'true' } : { op: 'and', filters };
}

function conditionOn(field: readonly string[], condition: Condition): Filter {
  if (Array.isArray(condition)) return oneOf(field, condition as Value[]);
  if (typeof condition !== 'object') return oneOf(field, [condition]);
  const filters = Object.entries(condition).map(([operator, value]): Filter => {
    switch (operator) {
      case 'eq':
        return oneOf(field, [value as Value]);
      case 'ne':
        return { op: 'not', filter: oneOf(field, [value as Value]) };
      case 'in':
        return oneOf(field, value as Value[]);
      case 'prefix':
        return { op: 'startsWith', field, value: String(value) };
      case 'exists': {
        const exists: Filter = { op: 'exists', field };
        return value === true ? exists : { op: 'not', filter: exists };
      }
      default:
        return { op: operator as 'lt' | 'lte' | 'gt' | 'gte', field, value: value as Value };
    }
  });
  return { op: 'and', filters };
}

function oneOf(field: readonly string[], values: readonly Value[]): Filter {
  const isList = field[0] === 'tags' || field[0] === 'groups';
  const elements = values.map((value): Filter => ({ op: 'contains', field, value }));
  if (isList) return { op: 'or', filters: elements };
  const whole: Filter = { op: 'in', field, values };
  return field[0] === 'metadata' ? { op: 'or', filters: [whole, ...elements] } : whole;
}
