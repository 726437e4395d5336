/**
 * Strings. Positions and lengths count code points, as OPA's do; a string without surrogates is
 * indexed directly, since there its UTF-16 units are its code points.
 */

import { toBinaryFloat, truncateFloat } from '../values/binary-float.js';
import {
  holdList,
  holdText,
  isArray,
  isObject,
  isSet,
  sortedKeys,
  toBigInt,
  type Value,
  work,
} from '../values/index.js';
import { countCodePoints } from './aggregates.js';
import { type Builtin, type BuiltinContext, type BuiltinEntry, family } from './builtin.js';
import { fail } from './errors.js';
import { sprintf } from './go-format.js';
import { lower, upper } from './letter-case.js';
import {
  arrayOperand,
  integerOperand,
  numberOperand,
  objectOperand,
  operand,
  operandError,
  stringListOperand,
  stringOperand,
  typeError,
} from './operands.js';
import { replaceAll, replaceMany } from './string-replacer.js';
import { any, anyOf, array, boolean, number, object, set, string, type TypeDecl } from './type-decl.js';

const SURROGATES = /[\ud800-\udfff]/;
const strings = anyOf(array(string), set(string));
const oneOrMore = anyOf(string, array(string), set(string));

function unary(
  about: string,
  apply: (text: string) => string,
  [argument, result]: readonly [string, string] = ['x', 'y'],
): BuiltinEntry {
  return {
    about,
    args: { [argument]: string },
    result: { [result]: string },
    evaluate(args, context) {
      const text = stringOperand(args, 1);
      context.charge(text.length >> 6);
      holdText(text.length);
      return apply(text);
    },
  };
}

interface PairSignature {
  readonly about: string;
  readonly names: readonly [string, string];
  readonly result: TypeDecl;
  /** The result's name; default `output`. */
  readonly resultName?: string;
}

function pair(signature: PairSignature, apply: (a: string, b: string, context: BuiltinContext) => Value): BuiltinEntry {
  return {
    about: signature.about,
    args: { [signature.names[0]]: string, [signature.names[1]]: string },
    result: { [signature.resultName ?? 'output']: signature.result },
    evaluate: (args, context) => apply(stringOperand(args, 1), stringOperand(args, 2), context),
  };
}

const test = (about: string, names: readonly [string, string]): PairSignature => ({
  about,
  names,
  result: boolean,
  resultName: 'result',
});
const change = (about: string, names: readonly [string, string]): PairSignature => ({ about, names, result: string });

const RADIX: ReadonlyMap<Value, number> = new Map([
  [2, 2],
  [8, 8],
  [10, 10],
  [16, 16],
]);

function formatInt(args: readonly Value[]): string {
  const value = numberOperand(args, 1);
  const radix = RADIX.get(numberOperand(args, 2));
  if (radix === undefined) throw operandError(2, 'must be one of {2, 8, 10, 16}');
  const digits = (toBigInt(value) ?? truncateFloat(toBinaryFloat(value))).toString(radix);
  holdText(digits.length);
  return digits;
}

function concat(args: readonly Value[], context: BuiltinContext): string {
  const delimiter = stringOperand(args, 1);
  const list = operand(args, 2);
  if (!isArray(list) && !isSet(list)) throw typeError(2, list, 'set', 'array');
  const parts = stringListOperand(args, 2);
  context.charge(parts.length);
  let length = delimiter.length * parts.length;
  for (const part of parts) length += part.length;
  holdText(length);
  return parts.join(delimiter);
}

function indicesOf(text: string, search: string, context: BuiltinContext): number[] {
  if (search === '') fail('empty search character');
  const isPlain = !SURROGATES.test(text);
  const found: number[] = [];
  let points = 0;
  let counted = 0;
  for (let at = text.indexOf(search); at >= 0; at = text.indexOf(search, at + 1)) {
    if (!isPlain) points += countCodePoints(text.slice(counted, at));
    found.push(isPlain ? at : points);
    counted = at;
    context.charge(1 + (search.length >> 6));
  }
  holdList(found.length);
  return found;
}

function indexOf(text: string, search: string): number {
  if (search === '') fail('empty search character');
  const at = text.indexOf(search);
  return at <= 0 ? at : countCodePoints(text.slice(0, at));
}

function substring(args: readonly Value[]): string {
  const text = stringOperand(args, 1);
  const start = integerOperand(args, 2);
  const length = integerOperand(args, 3);
  if (start < 0) fail('negative offset');
  const end = length < 0 ? undefined : start + length;
  work(text.length >> 6);
  return SURROGATES.test(text) ? [...text].slice(start, end).join('') : text.slice(start, end);
}

/** Splits into characters for an empty delimiter. */
function split(text: string, delimiter: string): readonly string[] {
  work(text.length >> (delimiter === '' ? 2 : 5));
  const parts = delimiter === '' ? [...text] : text.split(delimiter);
  holdList(parts.length);
  return parts;
}

function splitN(args: readonly Value[]): readonly string[] {
  const parts = split(stringOperand(args, 1), stringOperand(args, 2));
  const count = integerOperand(args, 3);
  return count >= 0 ? parts.slice(0, count) : parts.slice(Math.max(parts.length + count, 0));
}

function countOccurrences(text: string, search: string): number {
  work(text.length >> 5);
  return search === '' ? countCodePoints(text) + 1 : text.split(search).length - 1;
}

function trimStart(text: string, cutset: string): string {
  const characters = new Set(cutset);
  work((text.length + cutset.length) >> 3);
  let start = 0;
  for (const character of text) {
    if (!characters.has(character)) break;
    start += character.length;
  }
  return text.slice(start);
}

function trimEnd(text: string, cutset: string): string {
  const characters = new Set(cutset);
  work((text.length + cutset.length) >> 3);
  let end = text.length;
  while (end > 0) {
    const isPair = end > 1 && SURROGATES.test(text[end - 1] as string) && SURROGATES.test(text[end - 2] as string);
    const width = isPair ? 2 : 1;
    if (!characters.has(text.slice(end - width, end))) break;
    end -= width;
  }
  return text.slice(0, end);
}

/** Go's unicode.IsSpace, which unlike JavaScript's trim leaves U+FEFF alone and takes U+0085. */
const SPACE =
  '\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';
export const trimSpace = (text: string): string => trimEnd(trimStart(text, SPACE), SPACE);

function matchAny(about: string, matches: (text: string, affix: string) => boolean): BuiltinEntry {
  const expected = ['string', 'set', 'array'];
  const listOf = (args: readonly Value[], position: number): readonly string[] => {
    const value = operand(args, position);
    return typeof value === 'string' ? [value] : stringListOperand(args, position, expected);
  };
  return {
    about,
    args: { search: oneOrMore, base: oneOrMore },
    result: { result: boolean },
    evaluate(args, context) {
      const texts = listOf(args, 1);
      const affixes = listOf(args, 2);
      context.charge(texts.length + affixes.length);
      return texts.some((text) => {
        work(affixes.length >> 2);
        return affixes.some((affix) => matches(text, affix));
      });
    },
  };
}

function replaceN(args: readonly Value[], context: BuiltinContext): string {
  const patterns = objectOperand(args, 1);
  const text = stringOperand(args, 2);
  const pairs: [string, string][] = [];
  for (const key of sortedKeys(patterns)) {
    if (typeof key !== 'string' || !isObject(patterns)) {
      throw operandError(1, 'non-string key found in pattern object');
    }
    const value = (patterns as Record<string, Value>)[key];
    if (typeof value !== 'string') throw operandError(1, 'non-string value found in pattern object');
    pairs.push([key, value]);
  }
  return replaceMany(text, pairs, context);
}

export const stringBuiltins: readonly Builtin[] = family('strings', {
  concat: {
    about: 'Joins strings with a delimiter.',
    args: { delimiter: string, collection: strings },
    result: { output: string },
    evaluate: concat,
  },
  contains: pair(test('Whether a string contains another.', ['haystack', 'needle']), (a, b) => a.includes(b)),
  startswith: pair(test('Whether a string begins with another.', ['search', 'base']), (a, b) => a.startsWith(b)),
  endswith: pair(test('Whether a string ends with another.', ['search', 'base']), (a, b) => a.endsWith(b)),
  format_int: {
    about: 'The digits of a number in base 2, 8, 10 or 16, without its fraction.',
    args: { number, base: number },
    result: { output: string },
    evaluate: formatInt,
  },
  indexof: pair(
    { about: 'The position of the first occurrence, or -1.', names: ['haystack', 'needle'], result: number },
    indexOf,
  ),
  indexof_n: pair(
    { about: 'The positions of all occurrences.', names: ['haystack', 'needle'], result: array(number) },
    indicesOf,
  ),
  substring: {
    about: 'Part of a string from an offset; a negative length means to the end.',
    args: { value: string, offset: number, length: number },
    result: { output: string },
    evaluate: substring,
  },
  split: pair(
    { about: 'The parts between delimiters.', names: ['x', 'delimiter'], result: array(string), resultName: 'ys' },
    split,
  ),
  'strings.split_n': {
    about: 'The first parts between delimiters, or the last ones for a negative count.',
    args: { x: string, delimiter: string, n: number },
    result: { ys: array(string) },
    evaluate: splitN,
  },
  'strings.count': pair(
    { about: 'The number of occurrences that do not overlap.', names: ['search', 'substring'], result: number },
    countOccurrences,
  ),
  lower: unary('The string in lower case.', lower),
  upper: unary('The string in upper case.', upper),
  'strings.reverse': unary('The string with its characters in reverse.', (text) => [...text].reverse().join('')),
  trim: pair(change('Removes characters from both ends.', ['value', 'cutset']), (a, b) => trimEnd(trimStart(a, b), b)),
  trim_left: pair(change('Removes characters from the beginning.', ['value', 'cutset']), trimStart),
  trim_right: pair(change('Removes characters from the end.', ['value', 'cutset']), trimEnd),
  trim_prefix: pair(change('Removes a prefix if it is there.', ['value', 'prefix']), (a, b) =>
    a.startsWith(b) ? a.slice(b.length) : a,
  ),
  trim_suffix: pair(change('Removes a suffix if it is there.', ['value', 'suffix']), (a, b) =>
    b !== '' && a.endsWith(b) ? a.slice(0, -b.length) : a,
  ),
  trim_space: unary('Removes white space from both ends.', trimSpace, ['value', 'output']),
  replace: {
    about: 'Replaces every occurrence of a string.',
    args: { x: string, old: string, new: string },
    result: { y: string },
    evaluate: (args, context) =>
      replaceAll(stringOperand(args, 1), [stringOperand(args, 2), stringOperand(args, 3)], context),
  },
  'strings.replace_n': {
    about: 'Replaces strings by others, in one pass from the left; the patterns do not see each other’s results.',
    args: { patterns: object(string, string), value: string },
    result: { output: string },
    evaluate: replaceN,
  },
  sprintf: {
    about: 'A string made from a format with Go’s verbs.',
    args: { format: string, values: array(any) },
    result: { output: string },
    evaluate: (args) => sprintf(stringOperand(args, 1), arrayOperand(args, 2)),
  },
  'strings.any_prefix_match': matchAny('Whether any string begins with any of the prefixes.', (a, b) =>
    a.startsWith(b),
  ),
  'strings.any_suffix_match': matchAny('Whether any string ends with any of the suffixes.', (a, b) => a.endsWith(b)),
});
