/**
 * Binary floating point with a 64-bit mantissa, the precision in which OPA computes with
 * fractions: Go's big.Float read from text, one rounding an operation, printed as the shortest
 * decimal that reads back to the same float. Policies see this (1.1 + 2.2 is
 * 3.3000000000000000002), so it is reproduced exactly rather than improved upon.
 */
import { fromDigits, toDecimal } from './big-number.js';
import type { NumberValue } from './types.js';

/** `±mantissa × 2^exponent`; zero has mantissa 0. */
export interface BinaryFloat {
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
  /** Mantissa bits it was rounded to: 64, or more for integers converted exactly. */
  readonly precision: number;
}

const PRECISION = 64;
const ZERO: BinaryFloat = { negative: false, mantissa: 0n, exponent: 0, precision: PRECISION };

export function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const hex = value.toString(16);
  return hex.length * 4 - (Math.clz32(Number.parseInt(hex[0] ?? '0', 16)) - 28);
}

/** Rounds half to even at 64 bits; `sticky` says that lower bits were already cut off. */
function round(negative: boolean, mantissa: bigint, exponent: number, sticky = false): BinaryFloat {
  return roundTo(PRECISION, { negative, mantissa, exponent, precision: PRECISION }, sticky);
}

function roundTo(precision: number, { negative, mantissa, exponent }: BinaryFloat, sticky: boolean): BinaryFloat {
  if (mantissa === 0n) return { ...ZERO, negative };
  const surplus = bitLength(mantissa) - precision;
  if (surplus <= 0) return { negative, mantissa, exponent, precision };
  const shift = BigInt(surplus);
  let kept = mantissa >> shift;
  const rest = mantissa - (kept << shift);
  const half = 1n << (shift - 1n);
  if (rest > half || (rest === half && (sticky || (kept & 1n) === 1n))) kept += 1n;
  return { negative, mantissa: kept, exponent: exponent + surplus, precision };
}

function quotient(negative: boolean, dividend: bigint, divisor: bigint, exponent: number): BinaryFloat {
  const shift = Math.max(0, PRECISION + 3 + bitLength(divisor) - bitLength(dividend));
  const shifted = dividend << BigInt(shift);
  const result = shifted / divisor;
  return round(negative, result, exponent - shift, result * divisor !== shifted);
}

export function toBinaryFloat(value: NumberValue): BinaryFloat {
  const { mantissa, exponent } = toDecimal(value);
  if (mantissa === 0n) return ZERO;
  const negative = mantissa < 0n;
  const magnitude = negative ? -mantissa : mantissa;
  if (exponent >= 0) return round(negative, magnitude * 10n ** BigInt(exponent), 0);
  return quotient(negative, magnitude, 5n ** BigInt(-exponent), exponent);
}

/** A signed integer as a float of at least 64 bits of precision (Go's SetInt). */
export function integerToBinaryFloat(value: bigint): BinaryFloat {
  const negative = value < 0n;
  const mantissa = negative ? -value : value;
  return { negative, mantissa, exponent: 0, precision: Math.max(PRECISION, bitLength(mantissa)) };
}

export function addFloats(a: BinaryFloat, b: BinaryFloat): BinaryFloat {
  if (a.mantissa === 0n) return round(b.negative, b.mantissa, b.exponent);
  if (b.mantissa === 0n) return round(a.negative, a.mantissa, a.exponent);
  const exponent = Math.min(a.exponent, b.exponent);
  const x = (a.negative ? -a.mantissa : a.mantissa) << BigInt(a.exponent - exponent);
  const y = (b.negative ? -b.mantissa : b.mantissa) << BigInt(b.exponent - exponent);
  const sum = x + y;
  return sum < 0n ? round(true, -sum, exponent) : round(false, sum, exponent);
}

export function negateFloat(a: BinaryFloat): BinaryFloat {
  return { ...a, negative: !a.negative };
}

export function multiplyFloats(a: BinaryFloat, b: BinaryFloat, precision: number = PRECISION): BinaryFloat {
  const negative = a.negative !== b.negative;
  const exponent = a.exponent + b.exponent;
  return roundTo(precision, { negative, mantissa: a.mantissa * b.mantissa, exponent, precision }, false);
}

/** The divisor must not be zero. */
export function divideFloats(a: BinaryFloat, b: BinaryFloat): BinaryFloat {
  if (a.mantissa === 0n) return ZERO;
  return quotient(a.negative !== b.negative, a.mantissa, b.mantissa, a.exponent - b.exponent);
}

/** The integer part, towards zero. */
export function truncateFloat(a: BinaryFloat): bigint {
  const whole = a.exponent >= 0 ? a.mantissa << BigInt(a.exponent) : a.mantissa >> BigInt(-a.exponent);
  return a.negative ? -whole : whole;
}

interface Decimal {
  digits: string;
  /** Position of the decimal point relative to the start of the digits. */
  point: number;
}

function toExactDecimal(mantissa: bigint, exponent: number): Decimal {
  const whole = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent);
  const text = whole.toString();
  return { digits: text.replace(/0+$/, ''), point: text.length + Math.min(exponent, 0) };
}

/** The shortest decimal within half a unit of the last place, found digit by digit. */
function shortest(a: BinaryFloat): Decimal {
  const shift = a.precision + 1 - bitLength(a.mantissa);
  const mantissa = shift >= 0 ? a.mantissa << BigInt(shift) : a.mantissa >> BigInt(-shift);
  const exponent = a.exponent - shift;
  const value = toExactDecimal(a.mantissa, a.exponent);
  const lower = toExactDecimal(mantissa - 1n, exponent);
  const upper = toExactDecimal(mantissa + 1n, exponent);
  const inclusive = (mantissa & 2n) === 0n;
  for (let i = 0; i < value.digits.length; i++) {
    const digit = value.digits.charCodeAt(i);
    const low = i < lower.digits.length ? lower.digits.charCodeAt(i) : 48;
    const high = i < upper.digits.length ? upper.digits.charCodeAt(i) : 48;
    const isDownFine = low !== digit || (inclusive && i + 1 === lower.digits.length);
    const isUpFine = digit !== high && (inclusive || digit + 1 < high || i + 1 < upper.digits.length);
    if (isDownFine && isUpFine) return cut(value, i + 1, shouldRoundUp(value.digits, i + 1));
    if (isDownFine) return cut(value, i + 1, false);
    if (isUpFine) return cut(value, i + 1, true);
  }
  return value;
}

function shouldRoundUp(digits: string, length: number): boolean {
  if (length >= digits.length) return false;
  const next = digits.charCodeAt(length);
  if (next === 53 && length + 1 === digits.length) return length > 0 && (digits.charCodeAt(length - 1) & 1) === 1;
  return next >= 53;
}

function cut(value: Decimal, length: number, up: boolean): Decimal {
  const head = value.digits.slice(0, length);
  if (!up || length >= value.digits.length) return { digits: head, point: value.point };
  const raised = (BigInt(head) + 1n).toString();
  return { digits: raised, point: value.point + raised.length - head.length };
}

/** The number OPA would print for this float. */
export function fromBinaryFloat(a: BinaryFloat): NumberValue {
  if (a.mantissa === 0n) return 0;
  const { digits, point } = shortest(a);
  return fromDigits(a.negative, digits, point - digits.length);
}
