/** Tokens of GraphQL (spec of October 2021). Columns count code points, as gqlparser counts them. */
import { quote, work } from '../../values/index.js';
import { countCodePoints } from '../aggregates.js';
import type { Position } from './ast.js';

/** A token read, in steps of a policy. */
const TOKEN_COST = 4;

export type TokenKind =
  | '<Invalid>'
  | '<EOF>'
  | '!'
  | '$'
  | '&'
  | '('
  | ')'
  | '...'
  | ':'
  | '='
  | '@'
  | '['
  | ']'
  | '{'
  | '}'
  | '|'
  | 'Name'
  | 'Int'
  | 'Float'
  | 'String'
  | 'BlockString'
  | 'Comment';

export interface Token {
  readonly kind: TokenKind;
  readonly value: string;
  readonly position: Position;
}

export function describeToken(token: Token): string {
  return token.value === '' ? token.kind : `${token.kind} ${quote(token.value)}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '/': '/',
  '\\': '\\',
};
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
const NAME = /[_A-Za-z][_0-9A-Za-z]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: comments end before them
const COMMENT = /#[^\u0000-\u0008\u000a-\u001f]*/y;

function leadingSpace(line: string): number {
  const at = line.search(/[^ \t]/);
  return at < 0 ? Number.POSITIVE_INFINITY : at;
}

/** A block string without its common indentation and its empty first and last lines. */
function blockValue(raw: string): string {
  const lines = raw.split('\n');
  const indent = Math.min(...lines.map(leadingSpace));
  const cut = lines.map((line, i) => (i === 0 || indent === Number.POSITIVE_INFINITY ? line : line.slice(indent)));
  let [start, end] = [0, cut.length];
  while (start < end && leadingSpace(cut[start] as string) === Number.POSITIVE_INFINITY) start++;
  while (start < end && leadingSpace(cut[end - 1] as string) === Number.POSITIVE_INFINITY) end--;
  return cut.slice(start, end).join('\n');
}

export class Lexer {
  private readonly text: string;
  private at = 0;
  private line = 1;
  private lineStart = 0;
  private countedTo = 0;
  private column = 1;

  constructor(text: string) {
    this.text = text;
  }

  next(): Token {
    work(TOKEN_COST);
    this.skipIgnored();
    const start = this.at;
    const character = this.text[start];
    if (character === undefined) return this.token('<EOF>', '', start);
    if (this.text.startsWith('...', start)) return this.punctuator('...');
    if ('!$&():=@[]{}|'.includes(character)) return this.punctuator(character as TokenKind);
    if (character === '#') return this.pattern(COMMENT, 'Comment');
    if (/[_A-Za-z]/.test(character)) return this.pattern(NAME, 'Name');
    if (/[-0-9]/.test(character)) return this.number();
    if (this.text.startsWith('"""', start)) return this.blockString();
    return character === '"' ? this.string() : this.invalid();
  }

  /** Counts on from where it last counted, so that long lines do not cost their square. */
  private columnOf(at: number): number {
    if (at < this.countedTo || this.countedTo < this.lineStart) {
      this.countedTo = this.lineStart;
      this.column = 1;
    }
    this.column += countCodePoints(this.text.slice(this.countedTo, at));
    this.countedTo = at;
    return this.column;
  }

  private token(kind: TokenKind, value: string, start: number): Token {
    return { kind, value, position: { line: this.line, column: this.columnOf(start) } };
  }

  private invalid(): Token {
    return { kind: '<Invalid>', value: '', position: { line: this.line, column: this.columnOf(this.at) } };
  }

  private newLine(): void {
    this.line++;
    this.lineStart = this.at;
  }

  private skipIgnored(): void {
    for (;;) {
      const character = this.text[this.at];
      if (character === undefined || !'\t ,\n\r\ufeff'.includes(character)) return;
      this.at++;
      if (character === '\n') this.newLine();
      else if (character === '\r') {
        this.newLine();
        if (this.text[this.at] === '\n') this.at++;
      }
    }
  }

  private punctuator(kind: TokenKind): Token {
    const token = this.token(kind, '', this.at);
    this.at += kind.length;
    return token;
  }

  private pattern(pattern: RegExp, kind: TokenKind): Token {
    pattern.lastIndex = this.at;
    const text = pattern.exec(this.text)?.[0] ?? '';
    const token = this.token(kind, text, this.at);
    this.at += text.length;
    return token;
  }

  private number(): Token {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) {
      this.at++;
      return this.invalid();
    }
    const next = this.text[this.at + match[0].length] ?? '';
    const isCut = (/^-?0$/.test(match[0]) && /\d/.test(next)) || next === '.' || /[eE]/.test(next);
    const token = this.token(match[1] === undefined && match[2] === undefined ? 'Int' : 'Float', match[0], this.at);
    this.at += match[0].length;
    return isCut ? this.invalid() : token;
  }

  private string(): Token {
    const start = this.at + 1;
    let value = '';
    for (this.at = start; ; ) {
      const character = this.text[this.at];
      if (character === undefined || (character < ' ' && character !== '\t')) return this.invalid();
      if (character === '"') {
        const token = this.token('String', value, start);
        this.at++;
        return token;
      }
      if (character !== '\\') {
        value += character;
        this.at++;
        continue;
      }
      const escaped = this.escape();
      if (escaped === undefined) {
        this.at++;
        return this.invalid();
      }
      value += escaped;
    }
  }

  private escape(): string | undefined {
    const letter = this.text[this.at + 1] ?? '';
    if (letter === 'u') {
      const digits = /^[0-9a-fA-F]{4}/.exec(this.text.slice(this.at + 2, this.at + 6))?.[0];
      if (digits === undefined) return undefined;
      this.at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    if (!Object.hasOwn(ESCAPES, letter)) return undefined;
    this.at += 2;
    return ESCAPES[letter];
  }

  private blockString(): Token {
    const start = this.at + 3;
    let raw = '';
    for (this.at = start; this.at < this.text.length; ) {
      const quotes = /^"{3,}/.exec(this.text.slice(this.at, this.at + 64))?.[0].length ?? 0;
      if (quotes > 0) {
        const value = blockValue(raw + '"'.repeat(quotes - 3));
        const isOneLine = start >= this.lineStart;
        const column = isOneLine ? this.columnOf(start) : 1 - countCodePoints(this.text.slice(start, this.lineStart));
        this.at += quotes;
        return { kind: 'BlockString', value, position: { line: this.line, column } };
      }
      if (this.text.startsWith('\\"""', this.at)) {
        raw += '"""';
        this.at += 4;
        continue;
      }
      const character = this.text[this.at] as string;
      if (character < ' ' && !'\t\n\r'.includes(character)) return this.invalid();
      this.at++;
      if (character === '\r' && this.text[this.at] === '\n') this.at++;
      raw += character === '\r' ? '\n' : character;
      if (character === '\n' || character === '\r') this.newLine();
    }
    return this.invalid();
  }
}
