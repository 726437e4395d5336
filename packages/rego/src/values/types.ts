/**
 * The shape of a Rego value. Scalars are JavaScript primitives, arrays are read-only JavaScript
 * arrays, objects with string keys are plain objects; everything else is one of three classes.
 * `undefined` stands for Rego's undefined and is never a value.
 */
import type { BigNumber } from './big-number.js';
import type { RegoObject, RegoSet } from './collections.js';

/** An object all of whose keys are strings; always read through own properties. */
export interface PlainObject {
  readonly [key: string]: Value;
}

/** Any number: a double when its decimal text says exactly what it is, `BigNumber` otherwise. */
export type NumberValue = number | BigNumber;

/** Either representation of an object; `RegoObject` only when some key is not a string. */
export type ObjectValue = PlainObject | RegoObject;

/** A Rego value. */
export type Value = null | boolean | NumberValue | string | readonly Value[] | ObjectValue | RegoSet;

/** The names OPA gives to the types of values. */
export type TypeName = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object' | 'set';
