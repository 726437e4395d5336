/**
 * A JSON reader for bodies that strangers send: RFC 8259 to the letter, and stricter where leniency is an attack.
 * Refuses invalid UTF-8, a byte order mark, duplicate keys, `__proto__`, nesting beyond a limit. Numbers that a double cannot hold
 * exactly are handed to `onBigNumber`, so that policy data keeps its digits. One pass, no recursion deeper than the limit.
 */

export class JsonSyntaxError extends Error {
  readonly row: number;
  readonly column: number;

  constructor(message: string, row: number, column: number) {
    super(`${message} (line ${row}, column ${column})`);
    this.row = row;
    this.column = column;
  }
}

export interface StrictJsonOptions {
  readonly maxDepth: number;
  /** Makes the value of a number literal whose decimal value is no double; the default refuses nothing and rounds. */
  readonly onBigNumber?: (literal: string) => unknown;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Parses UTF-8 bytes or text. Throws `JsonSyntaxError` with a position. */
export function parseStrictJson(body: Uint8Array | string, options: StrictJsonOptions): unknown {
  return new Reader(textOf(body), options).document();
}

function textOf(body: Uint8Array | string): string {
  try {
    return typeof body === 'string' ? body : decoder.decode(body);
  } catch {
    throw new JsonSyntaxError('The body is not valid UTF-8', 1, 1);
  }
}

/** The same in steps of about a millisecond, for bodies of megabytes: call `next` in turns of your own until it is done. */
export function parseStrictJsonInSteps(
  body: Uint8Array | string,
  options: StrictJsonOptions,
): Generator<undefined, unknown> {
  return new Reader(textOf(body), options).documentInSteps();
}

/** Characters between two steps. */
const unitsAStep = 16_384;
/** Containers nested no deeper than this are read in steps, those inside of them at once. */
const maxSteppedDepth = 6;

/** Characters of a text that is looked through one by one. */
const maxShort = 64;

const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids control characters in strings; this finds where a plain run ends.
const plainPattern = /[^"\\\u0000-\u001f]*/y;

class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #onBigNumber: (literal: string) => unknown;
  #at = 0;
  #stepEnd = unitsAStep;

  constructor(text: string, options: StrictJsonOptions) {
    this.#text = text;
    this.#maxDepth = options.maxDepth;
    this.#onBigNumber = options.onBigNumber ?? Number;
  }

  document(): unknown {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail('Unexpected text after the JSON value');
    return value;
  }

  *documentInSteps(): Generator<undefined, unknown> {
    const value = yield* this.#valueInSteps(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail('Unexpected text after the JSON value');
    return value;
  }

  *#valueInSteps(depth: number): Generator<undefined, unknown> {
    if (this.#at > this.#stepEnd) {
      this.#stepEnd = this.#at + unitsAStep;
      yield;
    }
    this.#space();
    const character = this.#text[this.#at];
    if (depth > maxSteppedDepth || (character !== '{' && character !== '[')) return this.#value(depth);
    this.#enter(depth + 1);
    if (character === '[') {
      const items: unknown[] = [];
      if (this.#skipTo(']')) return items;
      for (;;) {
        items.push(yield* this.#valueInSteps(depth + 1));
        if (this.#skipTo(']')) return items;
        this.#comma(']');
      }
    }
    const members: Record<string, unknown> = {};
    if (this.#skipTo('}')) return members;
    for (;;) {
      const key = this.#key(members);
      members[key] = yield* this.#valueInSteps(depth + 1);
      if (this.#skipTo('}')) return members;
      this.#comma('}');
    }
  }

  #value(depth: number): unknown {
    this.#space();
    const character = this.#text[this.#at];
    switch (character) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#array(depth + 1);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      case undefined:
        return this.#fail('The JSON text ends too early');
      default:
        return this.#number();
    }
  }

  #object(depth: number): unknown {
    this.#enter(depth);
    const result: Record<string, unknown> = {};
    if (this.#skipTo('}')) return result;
    for (;;) {
      const key = this.#key(result);
      result[key] = this.#value(depth);
      if (this.#skipTo('}')) return result;
      this.#comma('}');
    }
  }

  /** A member's key, which must not be there yet, and the colon after it. */
  #key(members: Record<string, unknown>): string {
    this.#space();
    if (this.#text[this.#at] !== '"') this.#fail('Expected a key in double quotes');
    const keyAt = this.#at;
    const key = this.#string();
    if (key === '__proto__') this.#fail('The key "__proto__" is not accepted', keyAt);
    if (Object.hasOwn(members, key)) this.#fail(`The key ${JSON.stringify(key)} stands twice in one object`, keyAt);
    this.#space();
    if (this.#text[this.#at] !== ':') this.#fail('Expected ":"');
    this.#at += 1;
    return key;
  }

  #array(depth: number): unknown {
    this.#enter(depth);
    const result: unknown[] = [];
    if (this.#skipTo(']')) return result;
    for (;;) {
      result.push(this.#value(depth));
      if (this.#skipTo(']')) return result;
      this.#comma(']');
    }
  }

  #enter(depth: number): void {
    if (depth > this.#maxDepth) this.#fail(`Nested deeper than ${this.#maxDepth} levels`);
    this.#at += 1;
  }

  #skipTo(end: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== end) return false;
    this.#at += 1;
    return true;
  }

  #comma(end: string): void {
    if (this.#text[this.#at] !== ',') this.#fail(`Expected "," or "${end}"`);
    this.#at += 1;
  }

  #string(): string {
    const start = this.#at;
    const text = this.#text;
    // Most have nothing to escape and are short: a look at each character is less than a pattern's match.
    for (let at = start + 1; at <= start + maxShort; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 0x22) {
        this.#at = at + 1;
        return text.slice(start + 1, at);
      }
      if (code === 0x5c || !(code >= 0x20)) break;
    }
    return this.#longString(start);
  }

  #longString(start: number): string {
    this.#at = start + 1;
    let result = '';
    for (;;) {
      plainPattern.lastIndex = this.#at;
      plainPattern.exec(this.#text);
      result += this.#text.slice(this.#at, plainPattern.lastIndex);
      this.#at = plainPattern.lastIndex;
      const character = this.#text[this.#at];
      if (character === '"') {
        this.#at += 1;
        return result;
      }
      if (character === undefined) this.#fail('A string is not closed', start);
      if (character !== '\\') this.#fail('A control character in a string must be escaped');
      result += this.#escape();
    }
  }

  #escape(): string {
    const character = this.#text[this.#at + 1] ?? '';
    if (character === 'u') {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.#fail('"\\u" needs four hexadecimal digits');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const plain = escapes.get(character);
    if (plain === undefined) this.#fail('Unknown escape in a string');
    this.#at += 2;
    return plain ?? '';
  }

  #word(word: string, value: unknown): unknown {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('Unexpected character');
    this.#at += word.length;
    return value;
  }

  #number(): unknown {
    numberPattern.lastIndex = this.#at;
    const literal = numberPattern.exec(this.#text)?.[0];
    if (literal === undefined) return this.#fail('Unexpected character');
    const at = this.#at;
    this.#at += literal.length;
    // Up to 15 significant digits and a small exponent survive the way through a double.
    if (literal.length <= 15 && !/[eE]/.test(literal)) return Number(literal);
    if (literal.length > 400) this.#fail('A number has too many digits', at);
    const exponent = /[eE]([+-]?[0-9]+)$/.exec(literal);
    if (exponent && Math.abs(Number(exponent[1])) > 400) this.#fail('A number is too large or too small', at);
    return this.#onBigNumber(literal);
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #fail(message: string, at = this.#at): never {
    const before = this.#text.slice(0, at);
    const row = before.split('\n').length;
    throw new JsonSyntaxError(message, row, at - before.lastIndexOf('\n'));
  }
}

const escapes = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
