/**
 * Arithmetic with OPA's answers: exact on integers of any size, 64-bit binary floats otherwise
 * (v1/topdown/arithmetic.go, 1.22). Doubles are used directly only where they give the same
 * answer: safe integers, and fractions of at most ten binary places whose result is exact.
 */
import { BigNumber, fromBigInt, toBigInt } from './big-number.js';
import {
  addFloats,
  divideFloats,
  fromBinaryFloat,
  integerToBinaryFloat,
  multiplyFloats,
  negateFloat,
  toBinaryFloat,
  truncateFloat,
} from './binary-float.js';
import type { NumberValue } from './types.js';
import { work } from './work.js';

/** An operation on binary floats, in steps of a policy. */
const FLOAT_COST = 16;

/** Why an arithmetic operation has no result; becomes a built-in error. */
export class ArithmeticError extends Error {
  override readonly name = 'ArithmeticError';
}

const DYADIC = 1024;
const DYADIC_LIMIT = 2 ** 20;

/** Whether a double is a short binary fraction, so that sums and products of two are exact. */
function isDyadic(value: number): boolean {
  return value < DYADIC_LIMIT && value > -DYADIC_LIMIT && Number.isInteger(value * DYADIC);
}

export function add(a: NumberValue, b: NumberValue): NumberValue {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b) && Number.isSafeInteger(sum)) return sum;
    if (isDyadic(a) && isDyadic(b)) return sum;
  }
  const x = toBigInt(a);
  const y = toBigInt(b);
  if (x !== undefined && y !== undefined) return fromBigInt(x + y);
  return fromBinaryFloat(addFloats(toBinaryFloat(a), toBinaryFloat(b)));
}

export function subtract(a: NumberValue, b: NumberValue): NumberValue {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b;
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b) && Number.isSafeInteger(difference)) return difference;
    if (isDyadic(a) && isDyadic(b)) return difference;
  }
  const x = toBigInt(a);
  const y = toBigInt(b);
  if (x !== undefined && y !== undefined) return fromBigInt(x - y);
  return fromBinaryFloat(addFloats(toBinaryFloat(a), negateFloat(toBinaryFloat(b))));
}

export function multiply(a: NumberValue, b: NumberValue): NumberValue {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b) && Number.isSafeInteger(product)) return product || 0;
    if (isDyadic(product) && isDyadic(a) && isDyadic(b)) return product || 0;
  }
  const x = toBigInt(a);
  const y = toBigInt(b);
  if (x !== undefined && y !== undefined) return fromBigInt(x * y);
  return fromBinaryFloat(multiplyFloats(toBinaryFloat(a), toBinaryFloat(b)));
}

/** The sum as OPA's `sum` computes it with fractions: rounded to 64 bits at every step. */
export function sumOfFractions(values: readonly NumberValue[]): NumberValue {
  let sum = toBinaryFloat(0);
  for (const value of values) {
    work(FLOAT_COST);
    sum = addFloats(sum, toBinaryFloat(value));
  }
  return fromBinaryFloat(sum);
}

/** The product as OPA's `product` computes it with fractions: rounded to 53 bits at every step. */
export function productOfFractions(values: readonly NumberValue[]): NumberValue {
  const DOUBLE_PRECISION = 53;
  let product = toBinaryFloat(1);
  for (const value of values) {
    work(FLOAT_COST);
    product = multiplyFloats(product, toBinaryFloat(value), DOUBLE_PRECISION);
  }
  return fromBinaryFloat(product);
}

/** Errors: `ArithmeticError` when the divisor is zero. */
export function divide(a: NumberValue, b: NumberValue): NumberValue {
  if (b === 0) throw new ArithmeticError('divide by zero');
  if (typeof a === 'number' && typeof b === 'number') {
    const quotient = a / b;
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b) && a % b === 0) return quotient || 0;
  }
  return fromBinaryFloat(divideFloats(toBinaryFloat(a), toBinaryFloat(b)));
}

/** Errors: `ArithmeticError` when the divisor is zero or an operand is a fraction. */
export function remainder(a: NumberValue, b: NumberValue): NumberValue {
  if (typeof a === 'number' && typeof b === 'number' && b !== 0) {
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b)) return a % b || 0;
  }
  const x = toBigInt(a);
  const y = toBigInt(b);
  if (x === undefined || y === undefined) throw new ArithmeticError('modulo on floating-point number');
  if (y === 0n) throw new ArithmeticError('modulo by zero');
  return fromBigInt(x % y);
}

export function negate(a: NumberValue): NumberValue {
  if (typeof a === 'number') return a === 0 ? 0 : -a;
  return new BigNumber(-a.mantissa, a.exponent);
}

const isSmall = (a: NumberValue): a is number => typeof a === 'number' && (a | 0) === a;

export function abs(a: NumberValue): NumberValue {
  if (isSmall(a)) return a < 0 ? -a : a;
  if (typeof a === 'number' && Number.isInteger(a)) return Math.abs(a);
  const float = toBinaryFloat(a);
  return fromBinaryFloat({ ...float, negative: false });
}

/** Half away from zero. */
export function round(a: NumberValue): NumberValue {
  if (isSmall(a)) return a;
  const float = toBinaryFloat(a);
  const half = toBinaryFloat(float.negative ? -0.5 : 0.5);
  return fromBinaryFloat(integerToBinaryFloat(truncateFloat(addFloats(float, half))));
}

/** Follows OPA in rounding up whatever truncates to zero: ceil(-0.5) is 1. */
export function ceil(a: NumberValue): NumberValue {
  if (isSmall(a)) return a;
  const float = toBinaryFloat(a);
  const whole = truncateFloat(float);
  if (whole < 0n || addFloats(float, negateFloat(integerToBinaryFloat(whole))).mantissa === 0n) {
    return fromBinaryFloat(integerToBinaryFloat(whole));
  }
  return fromBinaryFloat(integerToBinaryFloat(whole + 1n));
}

/** Follows OPA in leaving whatever truncates to zero at zero: floor(-0.5) is 0. */
export function floor(a: NumberValue): NumberValue {
  if (isSmall(a)) return a;
  const float = toBinaryFloat(a);
  const whole = truncateFloat(float);
  if (whole >= 0n || addFloats(float, negateFloat(integerToBinaryFloat(whole))).mantissa === 0n) {
    return fromBinaryFloat(integerToBinaryFloat(whole));
  }
  return fromBinaryFloat(integerToBinaryFloat(whole - 1n));
}

/** A number as a safe JavaScript integer, or undefined when it is a fraction or too large. */
export function toInteger(a: NumberValue): number | undefined {
  return typeof a === 'number' && Number.isSafeInteger(a) ? a : undefined;
}

export { fromBigInt, toBigInt };
