/** Amounts with units: SI and binary prefixes of bytes and of plain numbers. */

import { toDecimal } from '../values/big-number.js';
import { multiplyFloats, toBinaryFloat, truncateFloat } from '../values/binary-float.js';
import { fromBigInt, fromDecimal, type NumberValue, parseNumber, type Value } from '../values/index.js';
import { type Builtin, family } from './builtin.js';
import { fail } from './errors.js';
import { stringOperand } from './operands.js';
import { number, string } from './type-decl.js';

const POWERS = ['k', 'm', 'g', 't', 'p', 'e'];
const MAX_EXPONENT_DIGITS = 6;

function byteUnits(): ReadonlyMap<string, bigint> {
  const units = new Map<string, bigint>([['', 1n]]);
  for (const [i, letter] of POWERS.entries()) {
    const decimal = 1000n ** BigInt(i + 1);
    const binary = 1024n ** BigInt(i + 1);
    for (const name of [letter, `${letter}b`]) units.set(name, decimal);
    for (const name of [`${letter}i`, `${letter}ib`]) units.set(name, binary);
  }
  return units;
}

/** `m` alone is milli, whose factor is the double 0.001 and not a thousandth. */
function plainUnits(): ReadonlyMap<string, bigint> {
  const units = new Map<string, bigint>([['', 1n]]);
  for (const [i, letter] of POWERS.entries()) {
    for (const name of [letter, letter.toUpperCase()]) {
      if (name !== 'm') units.set(name, 1000n ** BigInt(i + 1));
      units.set(`${name}i`, 1024n ** BigInt(i + 1));
    }
  }
  return units;
}

const BYTES = byteUnits();
const PLAIN = plainUnits();

interface Amount {
  readonly number: string;
  readonly unit: string;
}

/** Splits the number from the unit; an `e` counts as an exponent only when a number follows it. */
function splitAmount(text: string, name: string): Amount {
  let at = 0;
  while (at < text.length) {
    const character = text[at] as string;
    if (/[eE]/.test(character)) {
      const exponent = /^[-+]?\d*/.exec(text.slice(at + 1))?.[0] ?? '';
      if (exponent === '') break;
      if (exponent.replace(/^[-+]/, '').length > MAX_EXPONENT_DIGITS) fail(`${name}: exponent too large`);
      if (/^[-+]/.test(exponent)) at++;
    } else if (!/[\d.+-]/.test(character)) break;
    at++;
  }
  return { number: text.slice(0, at), unit: text.slice(at) };
}

function amountOf(raw: string, name: string): Amount {
  if (raw.includes(' ')) fail(`${name}: spaces not allowed in resource strings`);
  const amount = splitAmount(raw, name);
  if (amount.number === '') fail(`${name}: no ${name === 'units.parse' ? '' : 'byte '}amount provided`);
  return amount;
}

function parseAmount(text: string, message: string): NumberValue {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) return fail(message);
  return parseNumber(text) ?? fail(message);
}

function parseBytes(args: readonly Value[]): NumberValue {
  const name = 'units.parse_bytes';
  const amount = amountOf(stringOperand(args, 1).toLowerCase().replaceAll('"', ''), name);
  const factor = BYTES.get(amount.unit);
  if (factor === undefined) return fail(`${name}: byte unit ${amount.unit} not recognized`);
  const value = parseAmount(amount.number, `${name}: could not parse byte amount to a number`);
  return fromBigInt(truncateFloat(multiplyFloats(toBinaryFloat(value), toBinaryFloat(fromBigInt(factor)))));
}

const RATIONAL_PLACES = 10n;

/** `numerator / denominator` rounded half away from zero to ten places, as big.Rat prints it. */
function toPlaces(numerator: bigint, denominator: bigint): NumberValue {
  const scaled = (numerator < 0n ? -numerator : numerator) * 10n ** RATIONAL_PLACES;
  const rounded = (scaled * 2n + denominator) / (denominator * 2n);
  return fromDecimal(numerator < 0n ? -rounded : rounded, -Number(RATIONAL_PLACES));
}

/** The double 0.001 as a fraction. */
const MILLI_NUMERATOR = 1152921504606847n;
const MILLI_DENOMINATOR = 2n ** 60n;

function parseUnits(args: readonly Value[]): NumberValue {
  const name = 'units.parse';
  const { number: text, unit: rawUnit } = amountOf(stringOperand(args, 1).replaceAll('"', ''), name);
  const unit = rawUnit.slice(0, 1) + rawUnit.slice(1).toLowerCase();
  const factor = PLAIN.get(unit);
  if (factor === undefined && unit !== 'm') return fail(`${name}: unit ${unit} not recognized`);
  const value = parseAmount(text, `${name}: could not parse amount to a number`);
  const { mantissa, exponent } = toDecimal(value);
  const numerator = mantissa * (factor ?? MILLI_NUMERATOR) * 10n ** BigInt(Math.max(exponent, 0));
  const denominator = (factor === undefined ? MILLI_DENOMINATOR : 1n) * 10n ** BigInt(Math.max(-exponent, 0));
  return numerator % denominator === 0n ? fromBigInt(numerator / denominator) : toPlaces(numerator, denominator);
}

export const unitBuiltins: readonly Builtin[] = family('units', {
  'units.parse': {
    about: 'The number a string such as `10Mi` or `200m` stands for.',
    args: { x: string },
    result: { y: number },
    evaluate: parseUnits,
  },
  'units.parse_bytes': {
    about: 'The bytes a string such as `10MB` or `1.5GiB` stands for.',
    args: { x: string },
    result: { y: number },
    evaluate: parseBytes,
  },
});
