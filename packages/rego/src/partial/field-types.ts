/**
 * The types of a document's fields. Rego compares values of all types with each other (null < boolean < number < string < array <
 * object < set); stores do not. A renderer therefore knows each field's type: declared, or taken from what the filter compares the
 * field with. A field holds a value of its type or is missing; `|null` says that it may also be null.
 */
import type { Value } from '../values/index.js';
import { type FieldPath, type Filter, placeOf } from './filter.js';
import { locating, PartialEvaluationError } from './partial-errors.js';

export type ScalarType = 'boolean' | 'number' | 'string';

/** `[T]` is a list of `T`; an object has a type for each of its fields. */
export type FieldType = ScalarType | `${ScalarType}|null` | readonly [ScalarType | FieldTypes] | FieldTypes;

export interface FieldTypes {
  readonly [name: string]: FieldType;
}

export const isList = (type: FieldType): type is readonly [ScalarType | FieldTypes] => Array.isArray(type);

export function scalarOf(type: FieldType): ScalarType | undefined {
  return typeof type === 'string' ? (type.replace('|null', '') as ScalarType) : undefined;
}

export const isNullable = (type: FieldType): boolean => typeof type === 'string' && type.endsWith('|null');

/**
 * The type at the path; undefined where no value can be: below a scalar or a list.
 * Errors: `PartialEvaluationError` for a field that is not declared.
 */
export function typeAt(root: FieldType, path: FieldPath): FieldType | undefined {
  let type = root;
  for (const [index, part] of path.entries()) {
    if (typeof type === 'string' || isList(type)) return undefined;
    const next: FieldType | undefined = Object.hasOwn(type, part) ? type[part] : undefined;
    if (next === undefined)
      throw new PartialEvaluationError(`the type of the field ${path.slice(0, index + 1).join('.')} is not declared`);
    type = next;
  }
  return type;
}

/** What a filter says of one place: itself, the elements of its list, or its fields. */
interface Place {
  readonly types: Set<ScalarType>;
  isNullable: boolean;
  readonly fields: Map<string, Place>;
  element: Place | undefined;
}

const newPlace = (): Place => ({ types: new Set(), isNullable: false, fields: new Map(), element: undefined });

function placeAt(root: Place, path: FieldPath): Place {
  let place = root;
  for (const part of path) {
    const next = place.fields.get(part) ?? newPlace();
    place.fields.set(part, next);
    place = next;
  }
  return place;
}

function meet(place: Place, value: Value): void {
  if (value === null) place.isNullable = true;
  else if (typeof value === 'boolean' || typeof value === 'string') place.types.add(typeof value as ScalarType);
  else if (typeof value === 'number' || 'mantissa' in value) place.types.add('number');
  else throw new PartialEvaluationError('a comparison with a whole list or object cannot be asked of a store');
}

function collect(filter: Filter, root: Place, pairs: (readonly [Place, Place])[]): void {
  locating(placeOf(filter), () => collectHere(filter, root, pairs));
}

function collectHere(filter: Filter, root: Place, pairs: (readonly [Place, Place])[]): void {
  switch (filter.op) {
    case 'true':
    case 'false':
      return;
    case 'and':
    case 'or':
      for (const each of filter.filters) collect(each, root, pairs);
      return;
    case 'not':
      collect(filter.filter, root, pairs);
      return;
    case 'exists':
      placeAt(root, filter.field);
      return;
    case 'in':
      for (const value of filter.values) meet(placeAt(root, filter.field), value);
      return;
    case 'startsWith':
    case 'endsWith':
    case 'includes':
      placeAt(root, filter.field).types.add('string');
      return;
    case 'contains':
    case 'any': {
      const list = placeAt(root, filter.field);
      list.element ??= newPlace();
      if (filter.op === 'any') collect(filter.filter, list.element, pairs);
      else meet(list.element, filter.value);
      return;
    }
    case 'fields':
      pairs.push([placeAt(root, filter.left), placeAt(root, filter.right)]);
      return;
    default:
      meet(placeAt(root, filter.field), filter.value);
  }
}

function declare(what: string, place: Place): never {
  const several = [...place.types].join(' and ');
  const why = several === '' ? 'cannot be told from the filter' : `would be ${several}`;
  throw new PartialEvaluationError(`the type of ${what} ${why}: declare it in \`fields\``);
}

function typeOf(place: Place, what: string): FieldType {
  const [type, other] = place.types;
  if (place.fields.size > 0) {
    if (type !== undefined || place.element) declare(what, place);
    return fieldsOf(place, what);
  }
  if (place.element) {
    if (type !== undefined) declare(what, place);
    // Elements that are only asked whether there are any: of every type.
    const isAnything = place.element.types.size === 0 && place.element.fields.size === 0;
    const element = isAnything ? 'string' : typeOf(place.element, `an element of ${what}`);
    if (isList(element) || isNullable(element)) declare(`an element of ${what}`, place.element);
    return [element as ScalarType | FieldTypes];
  }
  if (other !== undefined) declare(what, place);
  // Of a field that is only asked whether it is there, or null, any type says the same.
  const scalar = type ?? 'string';
  return place.isNullable ? `${scalar}|null` : scalar;
}

function fieldsOf(place: Place, parent?: string): FieldTypes {
  const named = [...place.fields].map(([name, each]): [string, FieldType] => {
    const what = parent === undefined ? name : `${parent}.${name}`;
    return [name, typeOf(each, what)];
  });
  return Object.fromEntries(named);
}

/**
 * The types that a filter's own values give its fields.
 * Errors: `PartialEvaluationError` where they give none, or several.
 */
export function inferFieldTypes(filter: Filter): FieldTypes {
  const root = newPlace();
  const pairs: (readonly [Place, Place])[] = [];
  collect(filter, root, pairs);
  // Two fields compared have one type. Chains of pairs are followed until nothing more is learnt.
  for (let isNew = true; isNew; ) {
    isNew = false;
    for (const [left, right] of pairs) {
      for (const [from, to] of [
        [left, right],
        [right, left],
      ] as const) {
        for (const type of from.types) {
          if (to.types.has(type)) continue;
          to.types.add(type);
          isNew = true;
        }
      }
    }
  }
  for (const place of pairs.flat()) if (place.types.size === 0) declare('two fields that are compared', place);
  return fieldsOf(root);
}
