/**
 * Globs of glob.match as gobwas/glob 1.0 defines them, compiled to the programs of regular
 * expressions and run by the same automaton, so that matching is linear in the text.
 */
import { fail } from '../errors.js';
import { Automaton } from './automaton.js';
import { CharClass, complement, MAX_CODE_POINT, type Range } from './char-class.js';
import { compileProgram } from './program.js';
import type { Node } from './syntax.js';

const ANY_CLASS = new CharClass([[0, MAX_CODE_POINT]]);
const anyOfClass = (value: CharClass): Node => ({ kind: 'class', class: value });
const starOf = (item: Node): Node => ({ kind: 'repeat', item, min: 0, max: Number.POSITIVE_INFINITY, greedy: true });
const point = (character: string): number => character.codePointAt(0) as number;
const single = (character: string): Range => [point(character), point(character)];

class GlobParser {
  private readonly source: readonly string[];
  private readonly segment: Node;
  private at = 0;
  private depth = 0;

  constructor(pattern: string, delimiters: readonly string[]) {
    this.source = [...pattern];
    this.segment = anyOfClass(delimiters.length === 0 ? ANY_CLASS : new CharClass(complement(delimiters.map(single))));
  }

  parse(): Node {
    return this.sequence();
  }

  private wrong(reason: string): never {
    const offset = new TextEncoder().encode(this.source.slice(0, this.at).join('')).length;
    return fail(`glob: syntax error at ${offset}: ${reason}`);
  }

  private sequence(): Node {
    const items: Node[] = [];
    while (this.at < this.source.length) {
      const character = this.source[this.at] as string;
      if (this.depth > 0 && (character === ',' || character === '}')) break;
      items.push(this.term(character));
    }
    return { kind: 'sequence', items };
  }

  private term(character: string): Node {
    this.at++;
    switch (character) {
      case '{':
        return this.alternatives();
      case '[':
        return this.characterClass();
      case '?':
        return this.segment;
      case '*':
        if (this.source[this.at] !== '*') return starOf(this.segment);
        this.at++;
        return starOf(anyOfClass(ANY_CLASS));
      case '\\':
        return this.escaped();
      default:
        return anyOfClass(new CharClass([single(character)]));
    }
  }

  private escaped(): Node {
    const character = this.source[this.at] ?? this.wrong('trailing backslash');
    this.at++;
    return anyOfClass(new CharClass([single(character)]));
  }

  private alternatives(): Node {
    this.depth++;
    const items: Node[] = [];
    for (;;) {
      items.push(this.sequence());
      const next = this.source[this.at];
      if (next === undefined) return this.wrong('unclosed `{`');
      this.at++;
      if (next === '}') break;
    }
    this.depth--;
    return { kind: 'choice', items };
  }

  private characterClass(): Node {
    const negated = this.source[this.at] === '!';
    if (negated) this.at++;
    const first = this.source[this.at];
    if (first === undefined) return this.wrong('unexpected end of input');
    if (this.source[this.at + 1] === '-') return this.rangeClass(first, negated);
    const ranges = this.listedCharacters();
    if (ranges.length === 0) return this.wrong('could not parse range');
    return anyOfClass(new CharClass(ranges, [], negated));
  }

  private rangeClass(low: string, negated: boolean): Node {
    const high = this.source[this.at + 2];
    this.at = Math.min(this.at + 3, this.source.length);
    if (high === undefined) return this.wrong('unexpected end of input');
    const close = this.source[this.at];
    if (close === undefined) return this.wrong('unexpected end of input');
    this.at++;
    if (point(high) < point(low)) return this.wrong('range hi character is less than lo');
    if (close !== ']') return this.wrong('expected close range character');
    return anyOfClass(new CharClass([[point(low), point(high)]], [], negated));
  }

  private listedCharacters(): readonly Range[] {
    const ranges: Range[] = [];
    for (;;) {
      const character = this.source[this.at];
      if (character === undefined) return this.wrong('unexpected end of input');
      this.at++;
      if (character === ']') return ranges;
      if (character !== '\\') ranges.push(single(character));
      else {
        const escaped = this.source[this.at] ?? this.wrong('trailing backslash');
        this.at++;
        ranges.push(single(escaped));
      }
    }
  }
}

/** A compiled glob; tells whether it matches a whole text. */
export type Glob = (text: string) => boolean;

const META = /[*?\\[\]{}]/;
const SIMPLE_STAR = /^([^*?\\[\]{}]*)\*([^*?\\[\]{}]*)$/;

/** Texts with at most one star need no automaton. */
function compileSimple(pattern: string, delimiters: readonly string[]): Glob | undefined {
  if (!META.test(pattern)) return (text) => text === pattern;
  const match = SIMPLE_STAR.exec(pattern);
  if (match === null) return undefined;
  const [, prefix = '', suffix = ''] = match;
  const fixed = prefix.length + suffix.length;
  return (text) => {
    if (text.length < fixed || !text.startsWith(prefix) || !text.endsWith(suffix)) return false;
    const end = text.length - suffix.length;
    for (const delimiter of delimiters) {
      const at = text.indexOf(delimiter, prefix.length);
      if (at >= 0 && at < end) return false;
    }
    return true;
  };
}

function compile(pattern: string, delimiters: readonly string[]): Glob {
  const simple = compileSimple(pattern, delimiters);
  if (simple !== undefined) return simple;
  const root = new GlobParser(pattern, delimiters).parse();
  const items: readonly Node[] = [root, { kind: 'assert', assertion: 'end-text' }];
  const automaton = new Automaton(compileProgram({ kind: 'sequence', items }, ['']), true);
  return (text) => automaton.test(text);
}

const CACHE_SIZE = 1000;
/** By pattern within delimiters: two look-ups are cheaper than making one key. */
const caches = new Map<string, Map<string, Glob>>();

/** Errors: `BuiltinFailure` for malformed globs. */
export function compileGlob(pattern: string, delimiters: readonly string[]): Glob {
  const key = delimiters.length === 1 ? (delimiters[0] as string) : delimiters.join('');
  let cache = caches.get(key);
  if (cache === undefined) {
    if (caches.size >= CACHE_SIZE) caches.clear();
    cache = new Map();
    caches.set(key, cache);
  }
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  const made = compile(pattern, delimiters);
  if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value as string);
  cache.set(pattern, made);
  return made;
}

export function quoteGlob(text: string): string {
  return text.replace(/[*?\\[\]{}]/g, '\\$&');
}
