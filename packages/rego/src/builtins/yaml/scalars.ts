/** What plain scalars of YAML mean, as go-yaml v3 resolves them: YAML 1.2 with octals of 1.1. */
import { fromBigInt, fromDouble, type Value } from '../../values/index.js';

const WORDS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['', null],
  ['~', null],
  ...['null', 'Null', 'NULL'].map((word): [string, Value] => [word, null]),
  ...['true', 'True', 'TRUE'].map((word): [string, Value] => [word, true]),
  ...['false', 'False', 'FALSE'].map((word): [string, Value] => [word, false]),
]);

/** Numbers JSON cannot say; go-yaml reads them and OPA then fails. */
export const NOT_FINITE: ReadonlySet<string> = new Set([
  ...['nan', 'NaN', 'NAN'].map((word) => `.${word}`),
  ...['inf', 'Inf', 'INF'].flatMap((word) => [`.${word}`, `+.${word}`, `-.${word}`]),
]);

const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const INTEGER = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/;
const TIMESTAMP = /^\d{4}-\d{1,2}-\d{1,2}(?:[Tt ]\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)?)?$/;

const MIN_INT64 = -(2n ** 63n);
const MAX_UINT64 = 2n ** 64n - 1n;

function toInteger(sign: string, digits: string): Value | undefined {
  const literal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  const magnitude = BigInt(literal.toLowerCase());
  const value = sign === '-' ? -magnitude : magnitude;
  return value >= MIN_INT64 && value <= MAX_UINT64 ? fromBigInt(value) : undefined;
}

/** The value of a plain scalar. */
export function resolvePlain(text: string): Value {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (!/^[-+.0-9]/.test(text) || TIMESTAMP.test(text)) return text;
  const plain = text.startsWith('.') ? text : text.replaceAll('_', '');
  const integer = INTEGER.exec(plain);
  if (integer !== null) {
    const value = toInteger(integer[1] as string, integer[2] as string);
    if (value !== undefined) return value;
  }
  if (!FLOAT.test(plain)) return text;
  const double = Number(plain);
  return Number.isFinite(double) ? fromDouble(double) : text;
}

const OLD_BOOLEANS = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/;
const BASE_60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

/** Whether a string would be read as something else if it were written plain. */
export function isAmbiguous(text: string): boolean {
  if (typeof resolvePlain(text) !== 'string' || NOT_FINITE.has(text)) return true;
  return TIMESTAMP.test(text) || OLD_BOOLEANS.test(text) || BASE_60.test(text);
}
