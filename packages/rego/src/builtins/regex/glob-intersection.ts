/**
 * Whether two globs of regex.globs_match have a text in common. The globs know characters, `.`,
 * sets, and the flags `*` and `+` on each of them. The procedure decides as the library OPA uses
 * does, including where it gives up early, but remembers what it has tried: time is quadratic.
 */
import { holdList, work } from '../../values/index.js';
import { fail } from '../errors.js';
import { CharClass, type Range } from './char-class.js';

interface Token {
  /** Undefined for a dot. */
  readonly characters: readonly Range[] | undefined;
  readonly flag: '' | '*' | '+';
  /** Equal for tokens of one kind with the same characters. */
  readonly id: string;
}

const rangeOf = (character: string): Range => [character.codePointAt(0) as number, character.codePointAt(0) as number];
const only = (character: string): readonly Range[] => [rangeOf(character)];

class Tokenizer {
  private readonly input: readonly string[];
  private at = 0;

  constructor(input: string) {
    this.input = [...input];
  }

  tokens(): readonly Token[] {
    const out: Token[] = [];
    while (this.at < this.input.length) {
      const isSet = this.input[this.at] === '[';
      const characters = this.characters();
      const id = `${isSet ? 'set' : 'character'} ${(characters ?? []).join(' ')}`;
      work(1 + (id.length >> 3));
      const next = this.input[this.at];
      const flag = next === '*' || next === '+' ? next : '';
      if (flag !== '') this.at++;
      out.push({ characters, flag, id: characters === undefined ? 'dot' : id });
    }
    return out;
  }

  private wrong(message: string): never {
    return fail(`input:${this.input.join('')}, pos:${this.at}, ${message}: the input provided is invalid`);
  }

  private next(): { readonly character: string; readonly escaped: boolean } {
    const character = this.input[this.at] as string;
    if (character !== '\\') {
      this.at++;
      return { character, escaped: false };
    }
    const escaped = this.input[this.at + 1] ?? this.wrong('input ends with a \\ (escape) character');
    this.at += 2;
    return { character: escaped, escaped: true };
  }

  private characters(): readonly Range[] | undefined {
    const { character, escaped } = this.next();
    if (escaped) return only(character);
    if (character === '.') return undefined;
    if (character === ']') return this.wrong("set-close ']' with no preceding '['");
    if (character === '[') return this.set();
    if (character === '*' || character === '+') return this.wrong(`flag '${character}' must be preceded by a non-flag`);
    return only(character);
  }

  private set(): readonly Range[] {
    const out: Range[] = [];
    let previous: string | undefined;
    while (this.at < this.input.length) {
      const { character, escaped } = this.next();
      if (!escaped && character === ']') return new CharClass(out).ranges;
      if (!escaped && character === '-') {
        this.range(previous, out);
        previous = undefined;
      } else {
        out.push(rangeOf(character));
        previous = character;
      }
    }
    return this.wrong('found [ without matching ]');
  }

  private range(low: string | undefined, out: Range[]): void {
    if (low === undefined) this.wrong("range character '-' must be preceded by a Unicode character");
    if (this.at >= this.input.length - 1) {
      this.wrong("range character '-' must be followed by a Unicode character");
    }
    const { character: high, escaped } = this.next();
    if (!escaped && (high === ']' || high === '-')) {
      this.wrong("range character '-' cannot be followed by a special symbol");
    }
    const [first, last] = [low.codePointAt(0) as number, high.codePointAt(0) as number];
    if (last < first) this.wrong(`range is out of order: '${high}' comes before '${low}' in Unicode`);
    out.push([first, last]);
  }
}

function overlap(a: Token, b: Token): boolean {
  if (a.characters === undefined || b.characters === undefined) return true;
  const [x, y] = [a.characters, b.characters];
  for (let i = 0, j = 0; i < x.length && j < y.length; ) {
    work(1);
    const [left, right] = [x[i] as Range, y[j] as Range];
    if (left[0] <= right[1] && right[0] <= left[1]) return true;
    if (left[1] < right[1]) i++;
    else j++;
  }
  return false;
}

/** Makes one of neighbours with flags and the same characters; a plus wins over a star. */
function simplify(tokens: readonly Token[]): readonly Token[] {
  const simple: Token[] = [];
  for (const token of tokens) {
    const last = simple.at(-1);
    if (last !== undefined && token.flag !== '' && last.flag !== '' && token.id === last.id) {
      simple[simple.length - 1] = { ...last, flag: token.flag === '+' || last.flag === '+' ? '+' : '*' };
    } else simple.push(token);
  }
  return simple;
}

type Globs = readonly [readonly Token[], readonly Token[]];

/** Cuts ends without flags that match; undefined when they do not match. Keeps one token at each end. */
function trim([a, b]: Globs): Globs | undefined {
  const isPlain = (token: Token | undefined): boolean => token?.flag === '';
  let left = 0;
  for (; left < a.length && left < b.length && isPlain(a[left]) && isPlain(b[left]); left++) {
    if (!overlap(a[left] as Token, b[left] as Token)) return undefined;
  }
  if (left > 0) left--;
  let [endA, endB] = [a.length - 1, b.length - 1];
  for (; endA >= left && endB >= left && isPlain(a[endA]) && isPlain(b[endB]); endA--, endB--) {
    if (!overlap(a[endA] as Token, b[endB] as Token)) return undefined;
  }
  if (endA < a.length - 1) {
    endA++;
    endB++;
  }
  return [a.slice(left, endA + 1), b.slice(left, endB + 1)];
}

/** Decides on suffixes of the two globs; `side` says which of them the first index belongs to. */
/** Answers remembered between two notes of the memory they take. */
const NOTED = 1024;

class Intersection {
  private readonly globs: Globs;
  private readonly known = new Map<number, boolean>();

  constructor(globs: Globs) {
    this.globs = globs;
  }

  normal(side: 0 | 1, i: number, j: number): boolean {
    return this.remember(this.keyOf(side, i, j), () => {
      const [a, b] = [this.globs[side], this.globs[side === 0 ? 1 : 0]];
      let step = 0;
      for (; i + step < a.length && j + step < b.length; step++) {
        work(1);
        const [x, y] = [a[i + step] as Token, b[j + step] as Token];
        if (x.flag !== '' || y.flag !== '') return this.special(side, i + step, j + step);
        if (!overlap(x, y)) return false;
      }
      return i + step === a.length && j + step === b.length;
    });
  }

  private special(side: 0 | 1, i: number, j: number): boolean {
    const first = this.globs[side][i] as Token;
    const other: 0 | 1 = side === 0 ? 1 : 0;
    if (first.flag === '') {
      return (this.globs[other][j] as Token).flag === '+' ? this.plus(other, j, i) : this.star(other, j, i);
    }
    return first.flag === '+' ? this.plus(side, i, j) : this.star(side, i, j);
  }

  private plus(side: 0 | 1, i: number, j: number): boolean {
    const repeated = this.globs[side][i] as Token;
    const other = this.globs[side === 0 ? 1 : 0][j] as Token;
    if (!overlap(repeated, other)) return false;
    return this.star(side, i, j + 1) || (other.flag !== '' && this.normal(side, i + 1, j));
  }

  private star(side: 0 | 1, i: number, j: number): boolean {
    return this.remember(this.keyOf(2 + side, i, j), () => {
      const [a, b] = [this.globs[side], this.globs[side === 0 ? 1 : 0]];
      const [repeated, next] = [a[i] as Token, a[i + 1]];
      for (let k = j; k < b.length; k++) {
        const token = b[k] as Token;
        work(1);
        if (next !== undefined && overlap(token, next) && this.normal(side, i + 1, k)) return true;
        if (!overlap(token, repeated)) return false;
      }
      return next === undefined;
    });
  }

  private keyOf(question: number, i: number, j: number): number {
    const [a, b] = this.globs;
    const width = Math.max(a.length, b.length) + 1;
    return (question * width + i) * width + j;
  }

  private remember(key: number, decide: () => boolean): boolean {
    work(4);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const answer = decide();
    this.known.set(key, answer);
    if (this.known.size % NOTED === 0) holdList(NOTED);
    return answer;
  }
}

/** Errors: `BuiltinFailure` for malformed globs. */
export function globsIntersect(a: string, b: string): boolean {
  const globs = trim([simplify(new Tokenizer(a).tokens()), simplify(new Tokenizer(b).tokens())]);
  return globs !== undefined && new Intersection(globs).normal(0, 0, 0);
}
