/** Checked access to a built-in's arguments, with OPA's messages. Positions count from 1. */
import {
  isArray,
  isNumber,
  isObject,
  isSet,
  type NumberValue,
  type ObjectValue,
  type RegoSet,
  toBigInt,
  toInteger,
  typeOf,
  type Value,
} from '../values/index.js';
import { OperandError } from './errors.js';

/** An argument by position; the evaluator guarantees the arity. */
export function operand(args: readonly Value[], position: number): Value {
  return args[position - 1] as Value;
}

export function operandError(position: number, message: string): OperandError {
  return new OperandError(`operand ${position} ${message}`);
}

/** "must be … but got …", as builtins.NewOperandTypeErr words it. */
export function typeError(position: number, got: Value, ...expected: readonly string[]): OperandError {
  const wanted = expected.length === 1 ? expected[0] : `one of {${expected.join(', ')}}`;
  return operandError(position, `must be ${wanted} but got ${typeOf(got)}`);
}

/** "must be array of strings but got array containing …". */
export function elementError(
  position: number,
  container: Value,
  got: Value,
  ...expected: readonly string[]
): OperandError {
  const kind = typeOf(container);
  const wanted = expected.length === 1 ? `${expected[0]}s` : `(any of) {${expected.join(', ')}}`;
  return operandError(position, `must be ${kind} of ${wanted} but got ${kind} containing ${typeOf(got)}`);
}

export function stringOperand(args: readonly Value[], position: number): string {
  const value = args[position - 1] as Value;
  if (typeof value !== 'string') throw typeError(position, value, 'string');
  return value;
}

export function numberOperand(args: readonly Value[], position: number): NumberValue {
  const value = args[position - 1] as Value;
  if (!isNumber(value)) throw typeError(position, value, 'number');
  return value;
}

/** A whole number that fits a machine word; larger ones are clamped by the caller's needs. */
export function integerOperand(args: readonly Value[], position: number): number {
  const value = numberOperand(args, position);
  const integer = toInteger(value);
  if (integer !== undefined) return integer;
  const big = toBigInt(value);
  if (big !== undefined && big >= -(2n ** 63n) && big < 2n ** 63n) return Number(big);
  throw operandError(position, 'must be integer number but got floating-point number');
}

export function bigIntOperand(args: readonly Value[], position: number): bigint {
  const value = args[position - 1] as Value;
  if (!isNumber(value)) throw typeError(position, value, 'integer');
  const integer = toBigInt(value);
  if (integer === undefined) throw operandError(position, 'must be integer number but got floating-point number');
  return integer;
}

export function arrayOperand(args: readonly Value[], position: number): readonly Value[] {
  const value = args[position - 1] as Value;
  if (!isArray(value)) throw typeError(position, value, 'array');
  return value;
}

export function setOperand(args: readonly Value[], position: number): RegoSet {
  const value = args[position - 1] as Value;
  if (!isSet(value)) throw typeError(position, value, 'set');
  return value;
}

export function objectOperand(args: readonly Value[], position: number): ObjectValue {
  const value = args[position - 1] as Value;
  if (!isObject(value)) throw typeError(position, value, 'object');
  return value;
}

/** The elements of an array or a set, in order. */
export function listOperand(
  args: readonly Value[],
  position: number,
  expected: readonly string[] = ['set', 'array'],
): readonly Value[] {
  const value = args[position - 1] as Value;
  if (isArray(value)) return value;
  if (isSet(value)) return value.sorted();
  throw typeError(position, value, ...expected);
}

/** The elements of an array or a set, all of which must be strings. */
export function stringListOperand(
  args: readonly Value[],
  position: number,
  expected: readonly string[] = ['array', 'set'],
): readonly string[] {
  const list = listOperand(args, position, expected);
  for (const item of list) {
    if (typeof item !== 'string') throw elementError(position, operand(args, position), item, 'string');
  }
  return list as readonly string[];
}
