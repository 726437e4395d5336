/** A strict JSON reader (RFC 8259) that keeps every number exact and bounds nesting. */
import { parseNumber } from './big-number.js';
import { setOwn } from './collections.js';
import { quote } from './text.js';
import type { NumberValue, Value } from './types.js';

/** Text that is not JSON. `offset` counts UTF-16 units from the start. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings must not hold them
const PLAIN_STRING = /"[^"\\\u0000-\u001f]*"/y;
const WORDS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

const WORD_STARTS = 'tfn';
/** Texts as short as this the platform copies by itself, quotes included. */
const MIN_COPIED = 14;
/** Containers this deep are read at once: documents are lists of small things, some levels down. */
const STEPPED_LEVELS = 3;

export class JsonReader {
  private readonly text: string;
  private readonly maxDepth: number;
  private at = 0;
  /** Where the last step ended. */
  private rested = 0;

  constructor(text: string, maxDepth: number) {
    this.text = text;
    this.maxDepth = maxDepth;
  }

  readDocument(): Value {
    this.skipSpace();
    const value = this.readValue(0);
    this.skipSpace();
    if (this.at < this.text.length) throw this.unexpected('after top-level value', 'error: ');
    return value;
  }

  /** The same, resting after every so many units of text. Only the outer containers are read in steps. */
  *readDocumentInSteps(unitsAStep: number): Generator<undefined, Value> {
    this.rested = this.at;
    this.skipSpace();
    const value = yield* this.valueInSteps(0, unitsAStep);
    this.skipSpace();
    if (this.at < this.text.length) throw this.unexpected('after top-level value', 'error: ');
    return value;
  }

  private *valueInSteps(depth: number, unitsAStep: number): Generator<undefined, Value> {
    const first = this.text[this.at];
    if (depth >= STEPPED_LEVELS || (first !== '{' && first !== '[')) return this.readValue(depth);
    this.at++;
    const items: Value[] = [];
    const object: Record<string, Value> = {};
    const isObject = first === '{';
    for (let more = !this.closes(isObject ? '}' : ']'); more; ) {
      const key = isObject ? this.readKey() : '';
      this.skipSpace();
      const value = yield* this.valueInSteps(depth + 1, unitsAStep);
      if (isObject) setOwn(object, key, value);
      else items.push(value);
      more = isObject ? this.goesOn('}', 'after object key:value pair') : this.goesOn(']', 'after array element');
      if (this.at - this.rested < unitsAStep) continue;
      this.rested = this.at;
      yield undefined;
    }
    return isObject ? object : items;
  }

  /** Reads one value from where the reader stands and leaves the rest. */
  readNext(): Value {
    this.skipSpace();
    return this.readValue(0);
  }

  get offset(): number {
    return this.at;
  }

  private skipSpace(): void {
    SPACE.lastIndex = this.at;
    SPACE.test(this.text);
    this.at = SPACE.lastIndex;
  }

  /** Words an error as Go's decoder does. */
  private unexpected(where: string, prefix = ''): JsonError {
    if (this.at >= this.text.length) return new JsonError(this.text.trim() === '' ? 'EOF' : 'unexpected EOF', this.at);
    const character = String.fromCodePoint(this.text.codePointAt(this.at) as number);
    const shown = character === "'" ? "\\'" : character === '"' ? '"' : quote(character).slice(1, -1);
    return new JsonError(`${prefix}invalid character '${shown}' ${where}`, this.at);
  }

  private readValue(depth: number): Value {
    const first = this.text[this.at];
    if (first === '{' || first === '[') {
      if (depth >= this.maxDepth) throw new JsonError('exceeded max depth', this.at);
      this.at++;
      return first === '{' ? this.readObject(depth + 1) : this.readArray(depth + 1);
    }
    if (first === '"') return this.readString();
    for (const [word, value] of WORDS) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.at += word.length;
      return value;
    }
    if (first !== undefined && WORD_STARTS.includes(first)) this.skipPartialWord();
    return this.readNumber();
  }

  /** Moves to where a misspelt word goes wrong, for the error. */
  private skipPartialWord(): void {
    const word = [...WORDS.keys()].find((name) => name[0] === this.text[this.at]) as string;
    let length = 0;
    while (this.text[this.at + length] === word[length]) length++;
    this.at += length;
    throw this.unexpected(`in literal ${word} (expecting '${word[length]}')`);
  }

  private readNumber(): NumberValue {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) throw this.unexpected('looking for beginning of value');
    const value = parseNumber(match[0]);
    if (value === undefined) throw new JsonError(`invalid number: number too big`, this.at);
    this.at = NUMBER.lastIndex;
    return value;
  }

  private readString(): string {
    PLAIN_STRING.lastIndex = this.at;
    if (PLAIN_STRING.test(this.text)) {
      const [start, end] = [this.at, PLAIN_STRING.lastIndex];
      this.at = end;
      if (end - start < MIN_COPIED) return this.text.slice(start + 1, end - 1);
      // A longer slice would keep the whole document in memory.
      return JSON.parse(this.text.slice(start, end)) as string;
    }
    return this.readEscapedString();
  }

  /** Walks rather than matches: a regular expression over megabytes of escapes could overflow. */
  private readEscapedString(): string {
    const start = this.at;
    let end = start + 1;
    while (this.text.charCodeAt(end) !== 34) {
      const unit = this.text.charCodeAt(end);
      if (!(unit >= 32)) {
        this.at = end;
        throw this.unexpected('in string literal');
      }
      end += unit === 92 ? 2 : 1;
    }
    try {
      const text = JSON.parse(this.text.slice(start, end + 1)) as string;
      this.at = end + 1;
      return text;
    } catch {
      throw new JsonError('invalid escape in string literal', start);
    }
  }

  private readArray(depth: number): Value {
    const items: Value[] = [];
    if (this.closes(']')) return items;
    do {
      this.skipSpace();
      items.push(this.readValue(depth));
    } while (this.goesOn(']', 'after array element'));
    return items;
  }

  private readObject(depth: number): Value {
    const object: Record<string, Value> = {};
    if (this.closes('}')) return object;
    do {
      const key = this.readKey();
      this.skipSpace();
      setOwn(object, key, this.readValue(depth));
    } while (this.goesOn('}', 'after object key:value pair'));
    return object;
  }

  /** Whether a container that has been opened is empty. */
  private closes(bracket: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== bracket) return false;
    this.at++;
    return true;
  }

  /** Whether another member follows. */
  private goesOn(bracket: string, where: string): boolean {
    this.skipSpace();
    const next = this.text[this.at];
    if (next !== ',' && next !== bracket) throw this.unexpected(where);
    this.at++;
    return next === ',';
  }

  /** A member's key and the colon after it. */
  private readKey(): string {
    this.skipSpace();
    if (this.text[this.at] !== '"') throw this.unexpected('looking for beginning of object key string');
    const key = this.readString();
    this.skipSpace();
    if (this.text[this.at] !== ':') throw this.unexpected('after object key');
    this.at++;
    return key;
  }
}
