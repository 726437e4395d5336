/**
 * Numbers that a double cannot hold, as sign, BigInt mantissa and decimal exponent.
 *
 * The representation is canonical: `parseNumber` and `fromDecimal` give a double whenever the
 * double's shortest text is the number's own text (safe integers, short decimals) and a
 * `BigNumber` otherwise, whose mantissa never ends in a zero digit. So one numeric value has one
 * representation, and a double never equals a `BigNumber`.
 */
import type { NumberValue } from './types.js';
import { work } from './work.js';

/** OPA refuses numbers whose binary exponent is beyond this (v1/ast/term.go, 1.22). */
const MAX_BINARY_EXPONENT = 100_000;
const LOG2_10 = Math.log2(10);
const EXPANDED_DIGITS = 30_200;

/** An arbitrary-precision decimal: `mantissa × 10^exponent`, the mantissa not a multiple of ten. */
export class BigNumber {
  readonly mantissa: bigint;
  readonly exponent: number;
  private text: string | undefined;
  private double: number | undefined;

  /** Callers outside this file use `parseNumber` or `fromDecimal`, which keep the form canonical. */
  constructor(mantissa: bigint, exponent: number) {
    this.mantissa = mantissa;
    this.exponent = exponent;
  }

  get isInteger(): boolean {
    return this.exponent >= 0;
  }

  get isNegative(): boolean {
    return this.mantissa < 0n;
  }

  /** The integer's value. Cost: proportional to its digits. Only for integers. */
  toBigInt(): bigint {
    return this.mantissa * 10n ** BigInt(this.exponent);
  }

  /** The nearest double; may be infinite. */
  toNumber(): number {
    this.double ??= Number(`${this.mantissa}e${this.exponent}`);
    return this.double;
  }

  toString(): string {
    this.text ??= decimalText(this.mantissa, this.exponent);
    return this.text;
  }

  toJSON(): string {
    return this.toString();
  }
}

function decimalText(mantissa: bigint, exponent: number): string {
  const negative = mantissa < 0n;
  const digits = (negative ? -mantissa : mantissa).toString();
  const sign = negative ? '-' : '';
  if (exponent >= 0 && digits.length + exponent <= EXPANDED_DIGITS) return sign + digits + '0'.repeat(exponent);
  const point = digits.length + exponent;
  if (point > -4 && point <= 21 && exponent < 0) {
    if (point > 0) return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
    return `${sign}0.${'0'.repeat(-point)}${digits}`;
  }
  return `${sign}${scientific(digits, point - 1)}`;
}

/** Go's `%e` layout: at least two exponent digits. */
export function scientific(digits: string, exponent: number): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  const power = String(Math.abs(exponent)).padStart(2, '0');
  return `${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${power}`;
}

/** The canonical number for `±digits × 10^exponent`. Shape: `digits` is a non-empty run of 0–9. */
export function fromDigits(negative: boolean, digits: string, exponent: number): NumberValue {
  let start = 0;
  let end = digits.length;
  while (start < end && digits.charCodeAt(start) === 48) start++;
  if (start === end) return 0;
  while (digits.charCodeAt(end - 1) === 48) end--;
  const power = exponent + digits.length - end;
  const significant = digits.slice(start, end);
  const text = `${negative ? '-' : ''}${significant}`;
  const double = Number(`${text}e${power}`);
  if (power >= 0) {
    if (Number.isSafeInteger(double)) return double;
  } else if (significant.length <= 17 && Number.isFinite(double) && hasText(double, significant, power)) {
    return double;
  }
  return new BigNumber(BigInt(text), power);
}

function hasText(double: number, significant: string, power: number): boolean {
  if (significant.length <= 15 && Math.abs(double) > 1e-290) return true;
  const [mantissa = '', rest] = String(Math.abs(double)).split('e');
  const point = mantissa.indexOf('.');
  const joined = (point < 0 ? mantissa : mantissa.slice(0, point) + mantissa.slice(point + 1)).replace(/^0+/, '');
  const trimmed = joined.replace(/0+$/, '');
  const fraction = point < 0 ? 0 : mantissa.length - point - 1;
  return trimmed === significant && Number(rest ?? 0) - fraction + (joined.length - trimmed.length) === power;
}

/** Results beyond this many bits take a third of a second each to write in decimal; policies that make them are stopped. */
const MAX_BITS = 2 ** 20;
const LARGE = 2n ** 2048n;
/** Writing a large number in decimal, in steps of a policy for each bit. */
const DECIMAL_COST = 3;

function measure(mantissa: bigint): void {
  const bits = mantissa.toString(16).length * 4;
  if (bits > MAX_BITS)
    throw new RangeError(`a number of ${bits} bits is beyond the maximum BigInt size of ${MAX_BITS}`);
  work(bits * DECIMAL_COST);
}

/**
 * The canonical number for `mantissa × 10^exponent`. Errors: `RangeError` for what is too large to work with.
 */
export function fromDecimal(mantissa: bigint, exponent: number): NumberValue {
  if (mantissa > LARGE || mantissa < -LARGE) measure(mantissa);
  if (exponent === 0 && mantissa >= -9007199254740991n && mantissa <= 9007199254740991n) return Number(mantissa);
  const negative = mantissa < 0n;
  return fromDigits(negative, (negative ? -mantissa : mantissa).toString(), exponent);
}

export function fromBigInt(value: bigint): NumberValue {
  return fromDecimal(value, 0);
}

/** A finite double read as its shortest decimal text, as JSON would carry it. */
export function fromDouble(value: number): NumberValue {
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return parseNumber(String(value)) ?? 0;
  return value === 0 ? 0 : value;
}

const NUMBER = /^([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?$/;

/**
 * Reads a decimal number: JSON's grammar, and Go's looser `1.`, `.5` and `+1`.
 * Returns undefined when the text is no number or OPA would call it too big.
 */
export function parseNumber(text: string): NumberValue | undefined {
  if (text.length < 16 && /^-?\d+$/.test(text)) return Number(text) || 0;
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  if (whole.length + fraction.length === 0) return undefined;
  const exponent = Number(power);
  if (!isRepresentable(whole + fraction, exponent - fraction.length)) return undefined;
  return fromDigits(sign === '-', whole + fraction, exponent - fraction.length);
}

function isRepresentable(digits: string, exponent: number): boolean {
  const significant = digits.replace(/^0+/, '');
  if (significant === '') return true;
  return Math.abs((significant.length + exponent) * LOG2_10) <= MAX_BINARY_EXPONENT;
}

/** Whether a number is whole. */
export function isInteger(value: NumberValue): boolean {
  return typeof value === 'number' ? Number.isInteger(value) : value.isInteger;
}

/** The number's exact integer value, or undefined for a fraction. */
export function toBigInt(value: NumberValue): bigint | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : undefined;
  return value.isInteger ? value.toBigInt() : undefined;
}

/** The nearest double. */
export function toDouble(value: NumberValue): number {
  return typeof value === 'number' ? value : value.toNumber();
}

/** The number's text in JSON and in terms; fractions follow Go's two-digit exponents. */
export function numberText(value: NumberValue): string {
  if (typeof value !== 'number') return value.toString();
  const text = String(value);
  const exponentAt = text.indexOf('e-');
  return exponentAt > 0 && text.length - exponentAt === 3 ? `${text.slice(0, -1)}0${text.slice(-1)}` : text;
}

/** Mantissa and exponent of any number. */
export function toDecimal(value: NumberValue): { readonly mantissa: bigint; readonly exponent: number } {
  if (typeof value !== 'number') return value;
  if (Number.isInteger(value)) return { mantissa: BigInt(value), exponent: 0 };
  const [mantissa = '', rest] = String(value).split('e');
  const point = mantissa.indexOf('.');
  const fraction = point < 0 ? 0 : mantissa.length - point - 1;
  const digits = point < 0 ? mantissa : mantissa.slice(0, point) + mantissa.slice(point + 1);
  return { mantissa: BigInt(digits), exponent: Number(rest ?? 0) - fraction };
}

export function compareNumbers(a: NumberValue, b: NumberValue): number {
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0;
  return compareDecimals(toDecimal(a), toDecimal(b));
}

function compareDecimals(
  a: { readonly mantissa: bigint; readonly exponent: number },
  b: { readonly mantissa: bigint; readonly exponent: number },
): number {
  const signA = a.mantissa < 0n ? -1 : a.mantissa > 0n ? 1 : 0;
  const signB = b.mantissa < 0n ? -1 : b.mantissa > 0n ? 1 : 0;
  if (signA !== signB) return signA < signB ? -1 : 1;
  if (signA === 0) return 0;
  const x = (signA < 0 ? -a.mantissa : a.mantissa).toString();
  const y = (signB < 0 ? -b.mantissa : b.mantissa).toString();
  const magnitude = x.length + a.exponent - (y.length + b.exponent);
  if (magnitude !== 0) return magnitude < 0 ? -signA : signA;
  const width = Math.max(x.length, y.length);
  const left = x.padEnd(width, '0');
  const right = y.padEnd(width, '0');
  return left === right ? 0 : left < right ? -signA : signA;
}
