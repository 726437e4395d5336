/** What JsonLogic makes of values: truth, comparison, coercion. As flagd's engine has them (json-logic-engine 5). */
import { notANumber } from './logic-fault.js';

/** Empty lists and empty objects are false, as are JavaScript's falsy values; `"0"` is true. */
export function isTruthy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value);
  return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0;
}

/** `true` and `false` are the common case and need no call. */
export const isTrue = (value: unknown): boolean => value === true || (value !== false && isTruthy(value));

/** A number from an operand; null counts 0, objects and texts that are no numbers are faults. */
export function toNumber(value: unknown): number {
  if (typeof value === 'object' && value !== null) throw notANumber();
  const number = Number(value ?? 0);
  if (Number.isNaN(number)) throw notANumber();
  return number;
}

export type Comparison = '<' | '<=' | '>' | '>=' | '==' | '!=' | '===' | '!==';

const isTextual = (value: unknown): boolean => typeof value === 'string' || value === null;

type Primitive = string | number;

/** JavaScript's own comparisons, loose where JsonLogic is loose. */
const COMPARE: Readonly<Record<Comparison, (a: Primitive, b: Primitive) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  // biome-ignore lint/suspicious/noDoubleEquals: this is JsonLogic's loose equality
  '==': (a, b) => a == b,
  '===': (a, b) => a === b,
  // biome-ignore lint/suspicious/noDoubleEquals: this is JsonLogic's loose equality
  '!=': (a, b) => a != b,
  '!==': (a, b) => a !== b,
};

/**
 * Compares two operands. Texts and null compare as JavaScript has it; everything else is compared as numbers, and an
 * operand that is none is a fault, never a silent false.
 */
export function comparator(operator: Comparison): (a: unknown, b: unknown) => boolean {
  const compare = COMPARE[operator];
  if (operator.length === 3) return (a, b) => compare(a as Primitive, b as Primitive);
  return (a, b) => {
    if (typeof a === 'string' && typeof b === 'string') return compare(a, b);
    if (isTextual(a) && isTextual(b)) return compare(a as Primitive, b as Primitive);
    return compare(toNumber(a), toNumber(b));
  };
}

/** The parts of a `var` path: split at dots, `\.` is a dot in a name. */
export function splitPath(path: string): readonly string[] {
  const parts: string[] = [];
  let part = '';
  for (let index = 0; index < path.length; index += 1) {
    const char = path[index] as string;
    const next = path[index + 1];
    if (char === '\\' && (next === '.' || next === '\\' || next === '/')) {
      part += next;
      index += 1;
    } else if (char === '.') {
      parts.push(part);
      part = '';
    } else part += char;
  }
  return part !== '' || parts.length !== path.length ? [...parts, part] : parts;
}

/** One step into a value; never into a prototype's names, never a function. */
export function step(value: unknown, name: string): unknown {
  if (value === null || value === undefined) return undefined;
  if (name in Object.prototype && !Object.hasOwn(value as object, name)) return undefined;
  const found = (value as Record<string, unknown>)[name];
  return typeof found === 'function' ? undefined : found;
}
