/** Values of partial evaluation: known ones, fields of unknown documents, conditions on them. */
import { get, type Value } from '../values/index.js';
import type { FieldPath, Filter } from './filter.js';

/** A field of the unknown document, or of the element `element` of one of its collections. */
export interface Field {
  readonly kind: 'field';
  readonly element: number;
  readonly path: FieldPath;
}
/** A boolean that depends on the unknown document. */
export interface Condition {
  readonly kind: 'condition';
  readonly filter: Filter;
  readonly element: number;
}
export interface Known {
  readonly kind: 'known';
  readonly value: Value;
}
/** A document that holds unknown parts: `unknowns` are the steps to them. */
export interface Mixed {
  readonly kind: 'mixed';
  readonly value: Value | undefined;
  readonly unknowns: readonly { readonly path: readonly string[]; readonly name: FieldPath }[];
}

/** A set each of whose members has a condition. */
export interface Members {
  readonly kind: 'members';
  readonly members: readonly { readonly filter: Filter; readonly value: Known | Field }[];
}

export type Symbolic = Known | Field | Condition | Mixed | Members;

export const ROOT_ELEMENT = 0;

export function known(value: Value): Known {
  return { kind: 'known', value };
}

/** Steps into a document that may be unknown further down. */
export function stepMixed(mixed: Mixed, key: string): Symbolic | undefined {
  const below = mixed.unknowns.flatMap(({ path, name }) => (path[0] === key ? [{ path: path.slice(1), name }] : []));
  const here = below.find(({ path }) => path.length === 0);
  if (here !== undefined) return { kind: 'field', element: ROOT_ELEMENT, path: here.name };
  const value = mixed.value === undefined ? undefined : get(mixed.value, key);
  if (below.length > 0) return { kind: 'mixed', value, unknowns: below };
  return value === undefined ? undefined : known(value);
}
