/**
 * Doubles as Go's strconv prints them: shortest or rounded half to even on the exact decimal
 * value, where JavaScript's own `toFixed` rounds halves up.
 */

interface Digits {
  readonly digits: string;
  /** Position of the decimal point from the start of the digits. */
  readonly point: number;
}

function exactDigits(value: number): Digits {
  if (value === 0) return { digits: '', point: 0 };
  let exponent = 0;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    exponent--;
  }
  const text = (exponent < 0 ? BigInt(scaled) * 5n ** BigInt(-exponent) : BigInt(scaled)).toString();
  return { digits: text.replace(/0+$/, ''), point: text.length + exponent };
}

function shortestDigits(value: number): Digits {
  if (value === 0) return { digits: '', point: 0 };
  const [mantissa = '', power = '0'] = value.toExponential().split('e');
  return { digits: mantissa.replace('.', ''), point: Number(power) + 1 };
}

function roundDigits({ digits, point }: Digits, count: number): Digits {
  if (count >= digits.length) return { digits, point };
  if (count < 0) return { digits: '', point: 0 };
  const rest = digits.slice(count);
  const isHalf = rest[0] === '5' && rest.length === 1;
  const previous = count > 0 ? digits.charCodeAt(count - 1) - 48 : 0;
  const up = isHalf ? previous % 2 === 1 : (rest[0] ?? '0') >= '5';
  const head = digits.slice(0, count);
  if (!up) return { digits: head.replace(/0+$/, ''), point };
  const raised = (BigInt(head || '0') + 1n).toString();
  const grown = raised.padStart(count, '0');
  return { digits: grown.replace(/0+$/, ''), point: point + grown.length - count };
}

function fixed({ digits, point }: Digits, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (precision <= 0) return whole;
  const padded = point > 0 ? digits.slice(point) : '0'.repeat(-point) + digits;
  return `${whole}.${padded.slice(0, precision).padEnd(precision, '0')}`;
}

function exponential({ digits, point }: Digits, precision: number, letter: string): string {
  const fraction = digits.slice(1).padEnd(precision, '0');
  const power = digits === '' ? 0 : point - 1;
  const exponent = String(Math.abs(power)).padStart(2, '0');
  return `${digits[0] ?? '0'}${fraction === '' ? '' : `.${fraction}`}${letter}${power < 0 ? '-' : '+'}${exponent}`;
}

/** What `%e`, `%f` and `%g` need to know. `precision` -1 means shortest. */
export interface FloatLayout {
  readonly verb: 'e' | 'E' | 'f' | 'g' | 'G';
  readonly precision: number;
  /** Keeps trailing zeros of `%g` (the `#` flag). */
  readonly keepZeros?: boolean;
}

/** The digits of a non-negative finite double, without a sign. */
export function formatFloat(value: number, layout: FloatLayout): string {
  const { verb, precision } = layout;
  if (verb === 'f') {
    const digits = precision < 0 ? shortestDigits(value) : exactDigits(value);
    const places = precision < 0 ? Math.max(digits.digits.length - digits.point, 0) : precision;
    return fixed(precision < 0 ? digits : roundDigits(digits, digits.point + places), places);
  }
  if (verb === 'e' || verb === 'E') {
    const digits = precision < 0 ? shortestDigits(value) : roundDigits(exactDigits(value), precision + 1);
    return exponential(digits, precision < 0 ? digits.digits.length - 1 : precision, verb);
  }
  return general(value, layout);
}

/** The exponent from which the shortest `%g` turns to exponents. */
const SHORTEST_EXPONENT_FROM = 6;

function general(value: number, { verb, precision, keepZeros = false }: FloatLayout): string {
  const count = precision === 0 ? 1 : precision;
  const digits = count < 0 ? shortestDigits(value) : roundDigits(exactDigits(value), count);
  const length = digits.digits.length;
  let limit = count < 0 ? SHORTEST_EXPONENT_FROM : count;
  if (count >= 0 && limit > length && length >= digits.point) limit = length;
  const power = digits.digits === '' ? 0 : digits.point - 1;
  const wanted = keepZeros && count > 0 ? count : length;
  if (power < -4 || power >= limit) return exponential(digits, Math.max(wanted - 1, 0), verb === 'G' ? 'E' : 'e');
  return fixed(digits, Math.max(wanted - digits.point, 0));
}
