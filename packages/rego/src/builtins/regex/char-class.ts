/**
 * Classes of code points: sorted ranges, plus Unicode properties asked of the host's regular
 * expressions one code point at a time. Matching results are cached by the automaton, so a class
 * is rarely asked twice about the same code point.
 */

import { work } from '../../values/index.js';

/** Inclusive range of code points. */
export type Range = readonly [low: number, high: number];

/** A property such as `\p{Greek}`. */
export interface Property {
  readonly test: RegExp;
  readonly negated: boolean;
}

export const MAX_CODE_POINT = 0x10ffff;

export class CharClass {
  readonly ranges: readonly Range[];
  readonly properties: readonly Property[];
  readonly negated: boolean;

  constructor(ranges: readonly Range[], properties: readonly Property[] = [], negated = false) {
    this.ranges = normalise(ranges);
    this.properties = properties;
    this.negated = negated;
  }

  has(point: number): boolean {
    return this.includes(point) !== this.negated;
  }

  private includes(point: number): boolean {
    const { ranges } = this;
    let [low, high] = [0, ranges.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const range = ranges[middle] as Range;
      if (point < range[0]) high = middle - 1;
      else if (point > range[1]) low = middle + 1;
      else return true;
    }
    return this.properties.some(({ test, negated }) => test.test(String.fromCodePoint(point)) !== negated);
  }
}

function normalise(ranges: readonly Range[]): readonly Range[] {
  if (ranges.length < 2) return ranges;
  const merged: [number, number][] = [];
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

/** What sorted ranges leave out. */
export function complement(ranges: readonly Range[]): readonly Range[] {
  const out: Range[] = [];
  let next = 0;
  for (const [low, high] of normalise(ranges)) {
    if (low > next) out.push([next, low - 1]);
    next = high + 1;
  }
  if (next <= MAX_CODE_POINT) out.push([next, MAX_CODE_POINT]);
  return out;
}

const code = (character: string): number => character.codePointAt(0) as number;
const range = (text: string): readonly Range[] => {
  const out: Range[] = [];
  for (let i = 0; i < text.length; i += 2) out.push([code(text[i] as string), code(text[i + 1] as string)]);
  return out;
};

/** `\d`, `\s`, `\w`: ASCII only, as in RE2. */
export const PERL_CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: range('09'),
  s: range('\t\n\f\r  '),
  w: range('09AZ__az'),
};

export const POSIX_CLASSES: Readonly<Record<string, readonly Range[]>> = {
  alnum: range('09AZaz'),
  alpha: range('AZaz'),
  ascii: [[0, 127]],
  blank: range('\t\t  '),
  cntrl: [
    [0, 31],
    [127, 127],
  ],
  digit: range('09'),
  graph: range('!~'),
  lower: range('az'),
  print: range(' ~'),
  punct: range('!/:@[`{~'),
  space: range('\t\r  '),
  upper: range('AZ'),
  word: range('09AZ__az'),
  xdigit: range('09AFaf'),
};

const UNICODE_NAME = /^[A-Za-z_ -]+$/;

function toRegExp(source: string): RegExp | undefined {
  try {
    return new RegExp(`^\\p{${source}}$`, 'u');
  } catch {
    return undefined;
  }
}

/** The property of a name such as `Lu`, `Letter` or `Greek`; undefined when there is none. */
export function unicodeProperty(name: string): RegExp | undefined {
  if (!UNICODE_NAME.test(name)) return undefined;
  if (name === 'Any') return /^[\s\S]$/u;
  const titled = name
    .split(/[ _-]/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
    .join('_');
  for (const candidate of [name, titled]) {
    const found = toRegExp(`General_Category=${candidate}`) ?? toRegExp(`Script=${candidate}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

let foldTable: Map<number, readonly number[]> | undefined;

/** Groups of code points that differ only in case, beyond ASCII's own pairs. Built on first use. */
function folds(): Map<number, readonly number[]> {
  if (foldTable !== undefined) return foldTable;
  const groups = new Map<string, number[]>();
  for (let point = 65; point < 0x1e944; point++) {
    if (point === 0xd800) point = 0xe000;
    const character = String.fromCodePoint(point);
    const upper = character.toUpperCase();
    const lower = character.toLowerCase();
    if (upper === character && lower === character) continue;
    const single = [...upper].length === 1 ? upper.toLowerCase() : lower;
    const key = [...single].length === 1 ? single : character;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [point]);
    else group.push(point);
  }
  foldTable = new Map();
  for (const group of groups.values()) if (group.length > 1) for (const point of group) foldTable.set(point, group);
  return foldTable;
}

/** The ranges with everything that differs from them only in case. */
export function foldRanges(ranges: readonly Range[]): readonly Range[] {
  const table = folds();
  const out: Range[] = [...ranges];
  for (const [low, high] of ranges) {
    work(1 + (Math.min(high - low, table.size) >> 3));
    if (high - low > table.size) {
      for (const [point, group] of table) {
        if (point >= low && point <= high) for (const other of group) out.push([other, other]);
      }
    } else {
      for (let point = low; point <= high; point++) {
        for (const other of table.get(point) ?? []) out.push([other, other]);
      }
    }
  }
  return out;
}
