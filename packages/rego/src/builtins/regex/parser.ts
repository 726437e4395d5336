/**
 * Parses RE2 syntax with Perl's extensions, as Go's regexp/syntax does, into a tree. Unknown
 * escapes, back references and lookaround are errors; so is what would make the program huge.
 */
import { work } from '../../values/index.js';
import {
  CharClass,
  complement,
  foldRanges,
  MAX_CODE_POINT,
  PERL_CLASSES,
  POSIX_CLASSES,
  type Property,
  type Range,
  unicodeProperty,
} from './char-class.js';
import { type Node, RegexError } from './syntax.js';

const MAX_REPEAT = 1000;
const MAX_DEPTH = 1000;
/** Longer than any flags a group may begin with. */
const MAX_GROUP_HEAD = 256;
/** Longer than any name of a class. */
const MAX_CLASS_NAME = 64;

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
  readonly ungreedy: boolean;
}

const FLAG_NAMES: Readonly<Record<string, keyof Flags>> = {
  i: 'ignoreCase',
  m: 'multiLine',
  s: 'dotAll',
  U: 'ungreedy',
};

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** What parsing gives: the tree and the names of its groups; index 0 is the whole match. */
export interface ParsedRegex {
  readonly root: Node;
  readonly groupNames: readonly string[];
}

const ANY: CharClass = new CharClass([[0, MAX_CODE_POINT]]);
const ANY_BUT_NEWLINE: CharClass = new CharClass(complement([[10, 10]]));
const EMPTY: Node = { kind: 'empty' };

class Parser {
  private readonly source: readonly string[];
  private readonly groupNames: string[] = [''];
  private readonly literals = new Map<number, Node>();
  private at = 0;
  private depth = 0;
  private flags: Flags = { ignoreCase: false, multiLine: false, dotAll: false, ungreedy: false };

  constructor(pattern: string) {
    this.source = [...pattern];
  }

  parse(): ParsedRegex {
    const root = this.choice();
    if (this.at < this.source.length) throw new RegexError('unexpected )', this.source.join(''));
    return { root, groupNames: this.groupNames };
  }

  private peek(offset = 0): string | undefined {
    return this.source[this.at + offset];
  }

  private text(from: number, to: number = this.at): string {
    return this.source.slice(from, to).join('');
  }

  private startsWith(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.source[this.at + i] !== text[i]) return false;
    return true;
  }

  private choice(): Node {
    this.depth++;
    if (this.depth > MAX_DEPTH) throw new RegexError('expression nests too deeply', this.source.join(''));
    const outer = this.flags;
    const items = [this.sequence()];
    while (this.peek() === '|') {
      this.at++;
      items.push(this.sequence());
    }
    this.flags = outer;
    this.depth--;
    const merged = mergeClasses(items);
    return merged.length === 1 ? (merged[0] as Node) : { kind: 'choice', items: merged };
  }

  private sequence(): Node {
    const items: Node[] = [];
    let lastRepeat = -1;
    for (let next = this.peek(); next !== undefined && next !== '|' && next !== ')'; next = this.peek()) {
      const start = this.at;
      const bounds = this.repeatBounds();
      if (bounds === undefined) {
        const item = this.atom();
        if (item !== undefined) items.push(item);
        lastRepeat = -1;
        continue;
      }
      const isLazy = this.peek() === '?';
      if (isLazy) this.at++;
      const item = items.pop();
      if (item === undefined) throw new RegexError('missing argument to repetition operator', this.text(start));
      if (lastRepeat >= 0) throw new RegexError('invalid nested repetition operator', this.text(lastRepeat));
      lastRepeat = start;
      items.push(this.repeat(item, bounds, isLazy, start));
    }
    return items.length === 1 ? (items[0] as Node) : items.length === 0 ? EMPTY : { kind: 'sequence', items };
  }

  private repeat(item: Node, [min, max]: readonly [number, number], isLazy: boolean, start: number): Node {
    const isCounted = this.source[start] === '{';
    if (isCounted && (min > MAX_REPEAT || (max !== Number.POSITIVE_INFINITY && (max > MAX_REPEAT || min > max)))) {
      throw new RegexError('invalid repeat count', this.text(start));
    }
    const node: Node = { kind: 'repeat', item, min, max, greedy: isLazy === this.flags.ungreedy };
    if (isCounted && repeatProduct(node) > MAX_REPEAT) throw new RegexError('invalid repeat count', this.text(start));
    return node;
  }

  /** The bounds of a repetition at this place; a brace that is none is a literal. */
  private repeatBounds(): readonly [number, number] | undefined {
    const infinity = Number.POSITIVE_INFINITY;
    switch (this.peek()) {
      case '*':
        this.at++;
        return [0, infinity];
      case '+':
        this.at++;
        return [1, infinity];
      case '?':
        this.at++;
        return [0, 1];
      case '{': {
        const end = this.closingBrace();
        const match = end < 0 ? null : /^\{(\d+)(,(\d*))?\}$/.exec(this.text(this.at, end + 1));
        if (match === null) return undefined;
        const [, low = '', comma, high = ''] = match;
        if (/^0\d/.test(low) || /^0\d/.test(high)) return undefined;
        this.at = end + 1;
        const min = Number(low);
        return [min, comma === undefined ? min : high === '' ? infinity : Number(high)];
      }
      default:
        return undefined;
    }
  }

  /** Where a counted repetition ends, if this is one: digits and a comma are all there is before. */
  private closingBrace(): number {
    for (let i = this.at + 1; i < this.source.length; i++) {
      const character = this.source[i] as string;
      if (character === '}') return i;
      if (!/[\d,]/.test(character)) return -1;
    }
    return -1;
  }

  private atom(): Node | undefined {
    work(2);
    const character = this.peek() as string;
    switch (character) {
      case '(':
        return this.group();
      case '[':
        return { kind: 'class', class: this.bracketClass() };
      case '.':
        this.at++;
        return { kind: 'class', class: this.flags.dotAll ? ANY : ANY_BUT_NEWLINE };
      case '^':
        this.at++;
        return { kind: 'assert', assertion: this.flags.multiLine ? 'begin-line' : 'begin-text' };
      case '$':
        this.at++;
        return { kind: 'assert', assertion: this.flags.multiLine ? 'end-line' : 'end-text' };
      case '\\':
        return this.escape();
      default:
        this.at++;
        return this.literal(character.codePointAt(0) as number);
    }
  }

  private literal(point: number): Node {
    if (this.flags.ignoreCase) return { kind: 'class', class: this.classOf([[point, point]]) };
    let node = this.literals.get(point);
    if (node === undefined) {
      node = { kind: 'class', class: new CharClass([[point, point]]) };
      this.literals.set(point, node);
    }
    return node;
  }

  private classOf(ranges: readonly Range[], properties: readonly Property[] = [], negated = false): CharClass {
    const folded = this.flags.ignoreCase ? foldRanges(ranges) : ranges;
    work(ranges.length + folded.length);
    return new CharClass(folded, properties, negated);
  }

  private escape(): Node | undefined {
    const start = this.at;
    const next = this.peek(1);
    switch (next) {
      case undefined:
        throw new RegexError('trailing backslash at end of expression', '');
      case 'A':
        this.at += 2;
        return { kind: 'assert', assertion: 'begin-text' };
      case 'z':
        this.at += 2;
        return { kind: 'assert', assertion: 'end-text' };
      case 'b':
      case 'B':
        this.at += 2;
        return { kind: 'assert', assertion: next === 'b' ? 'word-boundary' : 'no-word-boundary' };
      case 'Q':
        return this.quoted();
      case 'C':
        throw new RegexError('invalid escape sequence', '\\C');
      default: {
        const known = this.classEscape();
        if (known !== undefined) return { kind: 'class', class: this.classOf(known.ranges, known.properties) };
        this.at = start;
        return this.literal(this.characterEscape());
      }
    }
  }

  /** `\Q…\E`: literals, of which only the last may be repeated. */
  private quoted(): Node | undefined {
    this.at += 2;
    const items: Node[] = [];
    while (this.at < this.source.length && !this.startsWith('\\E')) {
      items.push(this.literal((this.peek() as string).codePointAt(0) as number));
      this.at++;
    }
    if (this.startsWith('\\E')) this.at += 2;
    if (items.length < 2) return items[0];
    return { kind: 'sequence', items };
  }

  /** `\d`, `\pL` and their like; undefined when the escape is another. */
  private classEscape(): { readonly ranges: readonly Range[]; readonly properties: readonly Property[] } | undefined {
    const letter = this.peek(1) as string;
    const perl = PERL_CLASSES[letter.toLowerCase()];
    if (perl !== undefined && /[dswDSW]/.test(letter)) {
      this.at += 2;
      return { ranges: letter === letter.toLowerCase() ? perl : complement(perl), properties: [] };
    }
    if (letter !== 'p' && letter !== 'P') return undefined;
    return { ranges: [], properties: [this.property()] };
  }

  private property(): Property {
    const start = this.at;
    let negated = this.peek(1) === 'P';
    this.at += 2;
    let name = this.peek();
    if (name === '{') {
      const end = this.source.indexOf('}', this.at);
      if (end < 0) throw new RegexError('invalid character class range', this.text(start, this.source.length));
      name = this.text(this.at + 1, end);
      this.at = end;
    }
    this.at++;
    if (name?.startsWith('^')) {
      negated = !negated;
      name = name.slice(1);
    }
    const test = name === undefined ? undefined : unicodeProperty(name);
    if (test === undefined) throw new RegexError('invalid character class range', this.text(start));
    return { test, negated };
  }

  /** An escape that stands for one code point. */
  private characterEscape(): number {
    const start = this.at;
    const character = this.peek(1);
    if (character === undefined) throw new RegexError('trailing backslash at end of expression', '');
    this.at += 2;
    const simple = SIMPLE_ESCAPES[character];
    if (simple !== undefined && Object.hasOwn(SIMPLE_ESCAPES, character)) return simple;
    if (/[0-7]/.test(character)) return this.octalEscape(character, start);
    if (character === 'x') return this.hexEscape(start);
    const point = character.codePointAt(0) as number;
    if (point < 128 && !/[0-9A-Za-z]/.test(character)) return point;
    throw new RegexError('invalid escape sequence', this.text(start));
  }

  private octalEscape(first: string, start: number): number {
    const isDigit = (text: string | undefined): boolean => text !== undefined && /^[0-7]$/.test(text);
    if (first !== '0' && !isDigit(this.peek())) throw new RegexError('invalid escape sequence', this.text(start));
    let digits = first;
    while (digits.length < 3 && isDigit(this.peek())) digits += this.source[this.at++];
    return Number.parseInt(digits, 8);
  }

  private hexEscape(start: number): number {
    const rest = this.text(this.at, this.at + 12);
    const match = /^(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/.exec(rest);
    const point = match === null ? Number.POSITIVE_INFINITY : Number.parseInt((match[1] ?? match[2]) as string, 16);
    if (match === null || point > MAX_CODE_POINT) {
      throw new RegexError('invalid escape sequence', this.text(start, this.at + (rest === '' ? 0 : 1)));
    }
    this.at += match[0].length;
    return point;
  }

  private group(): Node | undefined {
    if (this.peek(1) === '?') return this.specialGroup();
    this.at++;
    return this.capture('');
  }

  private capture(name: string): Node {
    const index = this.groupNames.push(name) - 1;
    return { kind: 'group', index, item: this.closeGroup() };
  }

  private closeGroup(): Node {
    const item = this.choice();
    if (this.peek() !== ')') throw new RegexError('missing closing )', this.source.join(''));
    this.at++;
    return item;
  }

  private specialGroup(): Node | undefined {
    const start = this.at;
    const rest = this.text(this.at, this.at + MAX_GROUP_HEAD);
    if (/^\(\?P?</.test(rest)) return this.namedGroup(this.text(this.at, this.source.length));
    const match = /^\(\?([A-Za-z]*)(-?)([A-Za-z]*)([:)])/.exec(rest);
    const wrong = (): RegexError => new RegexError('invalid or unsupported Perl syntax', invalidPart(rest));
    if (match === null) throw wrong();
    const [whole, on = '', dash, off = '', end] = match;
    if ((dash === '-' && off === '') || ![...on, ...off].every((flag) => Object.hasOwn(FLAG_NAMES, flag)))
      throw wrong();
    this.at = start + whole.length;
    const outer = this.flags;
    const changed: Record<string, boolean> = {};
    for (const flag of on) changed[FLAG_NAMES[flag] as string] = true;
    for (const flag of off) changed[FLAG_NAMES[flag] as string] = false;
    this.flags = { ...outer, ...changed };
    if (end === ')') return undefined;
    const item = this.closeGroup();
    this.flags = outer;
    return item.kind === 'empty' ? item : { kind: 'sequence', items: [item] };
  }

  private namedGroup(rest: string): Node {
    const match = /^\(\?P?<([^>]*)>/.exec(rest);
    if (match === null) throw new RegexError('invalid named capture', rest);
    const name = match[1] as string;
    if (!/^[\p{L}\p{Nd}_]+$/u.test(name)) throw new RegexError('invalid named capture', match[0]);
    this.at += [...match[0]].length;
    return this.capture(name);
  }

  private bracketClass(): CharClass {
    const start = this.at;
    this.at++;
    const ranges: Range[] = [];
    const properties: Property[] = [];
    const negated = this.peek() === '^';
    if (negated) this.at++;
    for (let isFirst = true; isFirst || this.peek() !== ']'; isFirst = false) {
      if (this.at >= this.source.length)
        throw new RegexError('missing closing ]', this.text(start, this.source.length));
      if (!this.namedClass(ranges, properties)) ranges.push(this.classRange(start));
    }
    this.at++;
    return this.classOf(ranges, properties, negated);
  }

  /** Reads `[:alpha:]`, `\d` or `\pL` inside brackets. */
  private namedClass(ranges: Range[], properties: Property[]): boolean {
    if (this.startsWith('[:')) {
      work(MAX_CLASS_NAME >> 4);
      const rest = this.text(this.at, this.at + MAX_CLASS_NAME);
      const end = rest.indexOf(':]', 2);
      if (end < 0) return false;
      const name = rest.slice(0, end + 2);
      const isNegated = name[2] === '^';
      const known = POSIX_CLASSES[name.slice(isNegated ? 3 : 2, -2)];
      if (known === undefined) throw new RegexError('invalid character class range', name);
      ranges.push(...(isNegated ? complement(known) : known));
      this.at += [...name].length;
      return true;
    }
    if (this.peek() !== '\\' || this.peek(1) === undefined) return false;
    const known = this.classEscape();
    if (known === undefined) return false;
    ranges.push(...known.ranges);
    properties.push(...known.properties);
    return true;
  }

  private classRange(classStart: number): Range {
    const start = this.at;
    const low = this.classCharacter(classStart);
    if (this.peek() !== '-' || this.peek(1) === undefined || this.peek(1) === ']') return [low, low];
    this.at++;
    const high = this.classCharacter(classStart);
    if (high < low) throw new RegexError('invalid character class range', this.text(start));
    return [low, high];
  }

  private classCharacter(classStart: number): number {
    const character = this.peek();
    if (character === undefined) throw new RegexError('missing closing ]', this.text(classStart, this.source.length));
    if (character === '\\') return this.characterEscape();
    this.at++;
    return character.codePointAt(0) as number;
  }
}

/** As much of a wrong group as Go shows: up to the first character that does not fit. */
function invalidPart(rest: string): string {
  const good = /^\(\?[imsU-]*/.exec(rest)?.[0].length ?? 2;
  return rest.slice(0, good + 1);
}

/** One class of neighbouring alternatives that each read one character: which of them read it cannot be seen. */
function mergeClasses(items: readonly Node[]): readonly Node[] {
  if (items.length < 2) return items;
  const merged: Node[] = [];
  let ranges: Range[] | undefined;
  const close = (): void => {
    if (ranges !== undefined) merged.push({ kind: 'class', class: new CharClass(ranges) });
    ranges = undefined;
  };
  for (const item of items) {
    if (item.kind === 'class' && !item.class.negated && item.class.properties.length === 0) {
      ranges ??= [];
      for (const range of item.class.ranges) ranges.push(range);
      continue;
    }
    close();
    merged.push(item);
  }
  close();
  return merged;
}

/** How often the innermost item of nested counted repetitions repeats. */
function repeatProduct(node: Node): number {
  switch (node.kind) {
    case 'repeat': {
      const count = node.max === Number.POSITIVE_INFINITY ? Math.max(node.min, 1) : Math.max(node.max, 1);
      return count * repeatProduct(node.item);
    }
    case 'group':
      return repeatProduct(node.item);
    case 'sequence':
    case 'choice':
      return Math.max(1, ...node.items.map(repeatProduct));
    default:
      return 1;
  }
}

/** Errors: `RegexError`, worded as Go words it. */
export function parseRegex(pattern: string): ParsedRegex {
  return new Parser(pattern).parse();
}
