/**
 * The attributes of a project's documents as columns, and which documents satisfy a filter. A column keeps the documents of each
 * distinct value, so a condition costs what its values cost, not what the documents cost; it is made when a filter first names its
 * field. What columns cannot say (two fields compared, whole collections) is asked of each document.
 */
import { type FieldPath, type Filter, keyOf, matchesFilter, type Value } from '@bailiwick/rego';
import type { DocumentAttributes } from '../../ports/document-catalog.port.js';
import { Bits } from './bits.js';

/** Questions may name any field; only so many are kept as columns. */
const maxColumns = 64;

interface Entry {
  readonly value: Value;
  readonly rows: Set<number>;
}

/** The documents of each value of a field, and of each element where it is a list. */
class Column {
  readonly values = new Map<unknown, Entry>();
  readonly elements = new Map<unknown, Entry>();
  readonly present = new Set<number>();
  /** Documents whose value is an object: those are asked one by one. */
  objects = 0;
  lists = 0;

  change(row: number, value: Value | undefined, isThere: boolean): void {
    if (value === undefined) return;
    if (isThere) this.present.add(row);
    else this.present.delete(row);
    if (typeof value === 'object' && value !== null)
      this[Array.isArray(value) ? 'lists' : 'objects'] += isThere ? 1 : -1;
    if (Array.isArray(value)) for (const element of value as Value[]) change(this.elements, row, element, isThere);
    else change(this.values, row, value, isThere);
  }
}

function change(entries: Map<unknown, Entry>, row: number, value: Value, isThere: boolean): void {
  const key = keyOf(value);
  const entry = entries.get(key);
  if (isThere) {
    if (entry) entry.rows.add(row);
    else entries.set(key, { value, rows: new Set([row]) });
  } else if (entry) {
    entry.rows.delete(row);
    if (entry.rows.size === 0) entries.delete(key);
  }
}

function at(attributes: DocumentAttributes | undefined, field: FieldPath): Value | undefined {
  let value: unknown = attributes;
  for (const step of field) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value as Value | undefined;
}

export class AttributeTable {
  readonly #rows: (DocumentAttributes | undefined)[] = [];
  readonly #columns = new Map<string, { readonly field: FieldPath; readonly column: Column }>();
  #live = new Bits(0);

  /** Adds or replaces. */
  set(row: number, attributes: DocumentAttributes): void {
    this.remove(row);
    this.#rows[row] = attributes;
    if (row >= this.#live.size) this.#live = this.#live.grown(Math.max(row + 1, this.#live.size * 2));
    this.#live.add(row);
    for (const { field, column } of this.#columns.values()) column.change(row, at(attributes, field), true);
  }

  remove(row: number): void {
    const old = this.#rows[row];
    if (!old) return;
    for (const { field, column } of this.#columns.values()) column.change(row, at(old, field), false);
    this.#rows[row] = undefined;
    this.#live.delete(row);
  }

  /** The rows whose attributes satisfy the filter. */
  select(filter: Filter): Bits {
    return this.#solve(filter).and(this.#live);
  }

  #none(): Bits {
    return new Bits(this.#live.size);
  }

  #solve(filter: Filter): Bits {
    switch (filter.op) {
      case 'true':
        return Bits.full(this.#live.size);
      case 'false':
        return this.#none();
      case 'and':
        return filter.filters.reduce((bits, one) => bits.and(this.#solve(one)), Bits.full(this.#live.size));
      case 'or':
        return filter.filters.reduce((bits, one) => bits.or(this.#solve(one)), this.#none());
      case 'not':
        return this.#solve(filter.filter).not();
      case 'exists':
        return this.#gather([{ rows: this.#column(filter.field).present }]);
      case 'fields':
        return this.#scan(filter);
      case 'eq':
      case 'contains':
        return this.#equal(filter, filter.op === 'eq' ? 'values' : 'elements', [filter.value]);
      case 'in':
        return this.#equal(filter, 'values', filter.values);
      case 'any':
        return this.#any(filter);
      default:
        return this.#compare(filter);
    }
  }

  /** By look-up: the values are asked for, not gone through. */
  #equal(filter: Filter & { field: FieldPath }, part: 'values' | 'elements', values: readonly Value[]): Bits {
    const column = this.#column(filter.field);
    const isWhole = part === 'values' && values.some((value) => typeof value === 'object' && value !== null);
    if (isWhole || (part === 'elements' && column.objects > 0)) return this.#scan(filter);
    return this.#gather(values.map((value) => column[part].get(keyOf(value))));
  }

  /** By going through the distinct values. Whole lists in an order are asked of each document. */
  #compare(filter: Filter & { field: FieldPath }): Bits {
    const column = this.#column(filter.field);
    if (column.lists > 0) return this.#scan(filter);
    const alone = { ...filter, field: [] } as Filter;
    return this.#gather([...column.values.values()].filter(({ value }) => matchesFilter(alone, value)));
  }

  #any(filter: Filter & { op: 'any' }): Bits {
    const { elements, objects } = this.#column(filter.field);
    if (objects > 0) return this.#scan(filter);
    return this.#gather([...elements.values()].filter(({ value }) => matchesFilter(filter.filter, value)));
  }

  #gather(entries: readonly ({ readonly rows: Iterable<number> } | undefined)[]): Bits {
    const bits = this.#none();
    for (const entry of entries) if (entry) bits.addAll(entry.rows);
    return bits;
  }

  #scan(filter: Filter): Bits {
    const bits = this.#none();
    for (const row of this.#live)
      if (matchesFilter(filter, this.#rows[row] as unknown as Value | undefined)) bits.add(row);
    return bits;
  }

  #column(field: FieldPath): Column {
    const name = JSON.stringify(field);
    let known = this.#columns.get(name);
    if (!known) {
      const [oldest] = this.#columns.keys();
      if (this.#columns.size >= maxColumns && oldest !== undefined) this.#columns.delete(oldest);
      known = { field, column: new Column() };
      for (const row of this.#live) known.column.change(row, at(this.#rows[row], field), true);
      this.#columns.set(name, known);
    }
    return known.column;
  }
}
