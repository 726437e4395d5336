/** Compiled regular expressions with the operations of Go's regexp, and a bounded cache of them. */
import { holdList } from '../../values/index.js';
import { Automaton } from './automaton.js';
import { Matcher, type Slots } from './matcher.js';
import { parseRegex } from './parser.js';
import { compileProgram, type Program } from './program.js';

export { RegexError } from './syntax.js';

/** Counts work; see BuiltinContext.charge. */
type Charge = (steps: number) => void;

/** Matches found between two notes of the memory they take. */
const NOTED = 256;

export class Regex {
  readonly program: Program;
  private readonly automaton: Automaton;
  private matcher: Matcher | undefined;

  constructor(pattern: string) {
    const { root, groupNames } = parseRegex(pattern);
    this.program = compileProgram(root, groupNames);
    this.automaton = new Automaton(this.program);
  }

  /** Whether the pattern matches somewhere. Cost: linear in the text. */
  test(text: string): boolean {
    return this.automaton.test(text);
  }

  /** Successive matches that do not overlap, at most `limit` of them; all when it is negative. */
  findAll(text: string, limit: number, charge: Charge): readonly Slots[] {
    const found: Slots[] = [];
    const perMatch = 1 + (this.program.slotCount >> 3);
    if (limit === 0 || !this.test(text)) return found;
    this.matcher ??= new Matcher(this.program);
    let previousEnd = -1;
    for (let at = 0; at <= text.length && found.length !== limit; ) {
      const slots = this.matcher.find(text, at);
      if (slots === undefined) break;
      const [start, end] = slots as [number, number];
      charge(1 + ((end - at) >> 3));
      if (found.length % NOTED === NOTED - 1) holdList(NOTED * perMatch);
      if (end > at || start > at) at = Math.max(end, at);
      if (end === start) {
        if (start !== previousEnd) found.push(slots);
        at = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
      } else found.push(slots);
      previousEnd = end;
    }
    return found;
  }

  /** A replacement with `$1`, `${name}` and `$$` filled in from a match. */
  expand(template: string, text: string, slots: Slots): string {
    if (!template.includes('$')) return template;
    return template.replace(
      /\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu,
      (whole, bare?: string, braced?: string) => {
        const name = bare ?? braced;
        if (name === undefined) return whole === '$$' ? '$' : whole;
        const index = /^(0|[1-9]\d*)$/.test(name) ? Number(name) : this.program.groupNames.lastIndexOf(name);
        const start = slots[index * 2] ?? -1;
        return start < 0 || index < 0 ? '' : text.slice(start, slots[index * 2 + 1]);
      },
    );
  }
}

const CACHE_SIZE = 200;
/** Instructions all programs in the cache may have together. */
const CACHE_INSTRUCTIONS = 1_000_000;
const cache = new Map<string, Regex>();
let cachedInstructions = 0;

function forgetOldest(): void {
  for (const [pattern, regex] of cache) {
    cache.delete(pattern);
    cachedInstructions -= regex.program.ops.length;
    return;
  }
}

/** The compiled pattern, from the cache when it was used lately. Errors: `RegexError`. */
export function compileRegex(pattern: string): Regex {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  const made = new Regex(pattern);
  cache.set(pattern, made);
  cachedInstructions += made.program.ops.length;
  while (cache.size > CACHE_SIZE || (cachedInstructions > CACHE_INSTRUCTIONS && cache.size > 0)) forgetOldest();
  return made;
}

/** The pattern that matches a text literally (regexp.QuoteMeta). */
export function quotePattern(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}
