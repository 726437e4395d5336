/**
 * Redacts a text that may be JSON and comes in pieces: arguments of tools, structured answers. In JSON each string is decoded, redacted for
 * itself and written again, so that escapes hide nothing and the result stays JSON; from where a text turns out to be none, it is redacted
 * as plain text. Like `StreamRedactor`, it gives the same whatever the pieces are.
 */
import type { Redactor } from './personal-data.js';
import { StreamRedactor } from './stream-redactor.js';

/** `start`: not a character has told yet what the text is. */
type Mode = 'start' | 'outside' | 'string' | 'escape' | 'text';

/** A number with fewer digits is no card; times in milliseconds have 13. */
const fewestDigits = 14;
/** A number with the blanks behind it. In characters. */
const longestToken = 256;

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

const encoded = (text: string): string => JSON.stringify(text).slice(1, -1);

export class JsonRedactor {
  readonly #redactor: Redactor;
  readonly #text: StreamRedactor;
  #mode: Mode;
  /** What cannot be judged yet: blanks before the text, a number, an escape. */
  #pending = '';
  /** Decoded characters of the string that is open. */
  #run = '';
  #isNumberChanged = false;

  /** `isSure`: the text ought to be JSON; else only one that begins with a brace or a bracket is taken for it. */
  constructor(redactor: Redactor, isSure = false) {
    this.#redactor = redactor;
    this.#text = new StreamRedactor(redactor);
    this.#mode = isSure ? 'outside' : 'start';
  }

  /** Whether anything has been found so far. */
  get isChanged(): boolean {
    return this.#isNumberChanged || this.#text.isChanged;
  }

  /** What can be let go now; may be empty. */
  push(piece: string): string {
    let result = '';
    for (let at = 0; at < piece.length; at += 1) {
      if (this.#mode === 'text') return result + this.#text.push(piece.slice(at));
      result += this.#step(piece[at] ?? '');
    }
    return this.#mode === 'string' ? result + this.#drained() : result;
  }

  /** The rest, at the end. */
  flush(): string {
    const result = this.#mode === 'string' || this.#mode === 'escape' ? this.#ended() : this.#token();
    const rest = this.#pending;
    this.#pending = '';
    return result + this.#text.push(rest) + this.#text.flush();
  }

  #step(character: string): string {
    if (this.#mode === 'string') return this.#inString(character);
    if (this.#mode === 'escape') return this.#inEscape(character);
    if (this.#mode === 'start') {
      this.#pending += character;
      if (/\s/.test(character)) return '';
      const isJson = character === '{' || character === '[';
      return isJson ? this.#take('outside') : this.#asText();
    }
    return this.#outside(character);
  }

  #outside(character: string): string {
    const isBlank = /\s/.test(character);
    if (this.#pending === '') {
      if (character === '"') this.#mode = 'string';
      if (character === '"' || isBlank || /[{}[\]:,]/.test(character)) return character;
    } else if (/[,\]}]/.test(character)) {
      const before = this.#token();
      return before + (this.#isText() ? this.#text.push(character) : character);
    }
    // After a number or a word nothing else but blanks may come.
    const isNext = !isBlank && /\s$/.test(this.#pending);
    this.#pending += character;
    return isNext || this.#pending.length > longestToken ? this.#asText() : '';
  }

  /** A method, because the mode changes behind the back of the type checker. */
  #isText(): boolean {
    return this.#mode === 'text';
  }

  /** What stood between two signs: a number, a word of JSON, or the proof that this is none. */
  #token(): string {
    if (this.#mode !== 'outside' || this.#pending === '') return '';
    const token = this.#pending.trimEnd();
    const blanks = this.#pending.slice(token.length);
    if (/^(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(token)) {
      this.#pending = '';
      const redacted = /^\d+$/.test(token) && token.length >= fewestDigits ? this.#redactor.redact(token) : token;
      if (redacted === token) return token + blanks;
      this.#isNumberChanged = true;
      return JSON.stringify(redacted) + blanks;
    }
    return this.#asText();
  }

  #inString(character: string): string {
    if (character === '"') {
      const result = this.#ended();
      this.#mode = 'outside';
      return result + character;
    }
    if (character === '\\') {
      this.#pending = character;
      this.#mode = 'escape';
      return '';
    }
    if (character >= ' ') {
      this.#run += character;
      return '';
    }
    const before = this.#ended();
    this.#pending = character;
    return before + this.#asText();
  }

  #inEscape(character: string): string {
    this.#pending += character;
    const isLong = this.#pending[1] === 'u';
    if (isLong && this.#pending.length < 6 && /[u0-9a-fA-F]/.test(character)) return '';
    const decoded = isLong ? decodedPoint(this.#pending) : escapes[character];
    if (decoded === undefined) {
      const before = this.#ended();
      return before + this.#asText();
    }
    this.#run += decoded;
    this.#pending = '';
    this.#mode = 'string';
    return '';
  }

  #drained(): string {
    const run = this.#run;
    this.#run = '';
    return encoded(this.#text.push(run));
  }

  #ended(): string {
    return this.#drained() + encoded(this.#text.flush());
  }

  #take(mode: Mode): string {
    const taken = this.#pending;
    this.#pending = '';
    this.#mode = mode;
    return taken;
  }

  #asText(): string {
    return this.#text.push(this.#take('text'));
  }
}

function decodedPoint(written: string): string | undefined {
  return /^\\u[0-9a-fA-F]{4}$/.test(written) ? String.fromCharCode(Number.parseInt(written.slice(2), 16)) : undefined;
}

/** The same for a text that is whole; the very text when nothing is found. */
export function redactWhole(redactor: Redactor, text: string, isSure = false): string {
  const stream = new JsonRedactor(redactor, isSure);
  const result = stream.push(text) + stream.flush();
  return stream.isChanged ? result : text;
}
