/**
 * The scanner. It works on demand because the parser drives it: keywords become known by imports
 * read earlier in the same file, and after `{` in a template string the parser decides when the
 * string continues. Positions and error texts follow OPA's `v1/ast/internal/scanner`.
 */

export type Token =
  | 'illegal'
  | 'eof'
  | 'whitespace'
  | 'identifier'
  | 'comment'
  | 'package'
  | 'import'
  | 'as'
  | 'default'
  | 'else'
  | 'not'
  | 'some'
  | 'with'
  | 'null'
  | 'true'
  | 'false'
  | 'number'
  | 'string'
  | 'template-string-part'
  | 'template-string-end'
  | 'raw-template-string-part'
  | 'raw-template-string-end'
  | '['
  | ']'
  | '{'
  | '}'
  | '('
  | ')'
  | ','
  | ':'
  | 'plus'
  | 'minus'
  | 'mul'
  | 'div'
  | 'rem'
  | 'amp'
  | 'bar'
  | 'eq'
  | 'equal'
  | 'assign'
  | 'in'
  | 'neq'
  | 'gt'
  | 'lt'
  | 'gte'
  | 'lte'
  | '.'
  | ';'
  | 'every'
  | 'contains'
  | 'if'
  | 'and'
  | 'or';

/** Keywords of every version; the others are added by version or import. */
export const BASE_KEYWORDS: readonly Token[] = [
  'package',
  'import',
  'as',
  'default',
  'else',
  'not',
  'some',
  'with',
  'null',
  'true',
  'false',
];

/** How a token is named in an error message. */
export function tokenName(token: Token): string {
  if (token === 'amp') return 'and';
  if (token === 'bar') return 'or';
  return token;
}

const PUNCTUATION: Readonly<Record<string, Token>> = {
  '[': '[',
  ']': ']',
  '{': '{',
  '}': '}',
  '(': '(',
  ')': ')',
  ',': ',',
  '+': 'plus',
  '-': 'minus',
  '*': 'mul',
  '/': 'div',
  '%': 'rem',
  '&': 'amp',
  '|': 'bar',
  ';': ';',
  '.': '.',
};

const SIMPLE_ESCAPES = '\\"/bfnrt';

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95;
}

function isDecimal(code: number): boolean {
  return code >= 48 && code <= 57;
}

export class Lexer {
  readonly source: string;
  readonly keywords: Map<string, Token> = new Map(BASE_KEYWORDS.map((keyword) => [keyword, keyword]));
  offset = 0;
  row = 1;
  col = 1;
  /** Set by `scan`: where the token begins, and its text. */
  start = 0;
  startRow = 1;
  startCol = 1;
  literal = '';
  /** Problems met by the last `scan`. */
  problems: string[] = [];

  constructor(source: string) {
    this.source = source;
    if (source.charCodeAt(0) === 0xfeff) this.offset = 1;
  }

  /** Goes back, or forward, to a place. */
  reset(offset: number, row: number, col: number): void {
    this.offset = offset;
    this.row = row;
    this.col = col;
  }

  addKeyword(keyword: string, token: Token): void {
    this.keywords.set(keyword, token);
    // Importing `every` means importing `in` as well.
    if (token === 'every') this.keywords.set('in', 'in');
  }

  /** Reads the next token; `continuation` resumes a template string after an expression. */
  scan(continuation?: 'template' | 'raw-template'): Token {
    if (this.problems.length > 0) this.problems = [];
    this.start = this.offset;
    this.startRow = this.row;
    this.startCol = this.col;
    this.literal = '';
    if (continuation !== undefined) return this.scanTemplate(continuation === 'raw-template', this.offset - 1);
    const code = this.source.charCodeAt(this.offset);
    if (Number.isNaN(code)) return 'eof';
    if (code === 32 || code === 9 || code === 10 || code === 13) {
      this.literal = this.source[this.offset] ?? '';
      this.advance();
      return 'whitespace';
    }
    if (isLetter(code)) return this.scanIdentifier();
    if (isDecimal(code)) return this.scanNumber();
    return this.scanOther(code);
  }

  /** Goes over white space; whether there was a new line in it. */
  skipBlank(): boolean {
    let hasNewline = false;
    for (;;) {
      const code = this.source.charCodeAt(this.offset);
      if (code === 10) {
        hasNewline = true;
        this.row += 1;
        this.col = 1;
      } else if (code === 32 || code === 9 || code === 13) this.col += 1;
      else return hasNewline;
      this.offset += 1;
    }
  }

  private scanOther(code: number): Token {
    const character = String.fromCharCode(code);
    this.advance();
    const punctuation = PUNCTUATION[character];
    if (punctuation !== undefined) return punctuation;
    switch (character) {
      case '#':
        return this.scanComment();
      case '"':
        return this.scanString();
      case '`':
        return this.scanRawString();
      case ':':
        return this.eat('=') ? 'assign' : ':';
      case '=':
        return this.eat('=') ? 'equal' : 'eq';
      case '>':
        return this.eat('=') ? 'gte' : 'gt';
      case '<':
        return this.eat('=') ? 'lte' : 'lt';
      case '!':
        if (this.eat('=')) return 'neq';
        this.problems.push('illegal ! character');
        return 'illegal';
      case '$':
        if (this.eat('`')) return this.scanTemplate(true, this.offset - 1);
        if (this.eat('"')) return this.scanTemplate(false, this.offset - 1);
        this.problems.push('illegal $ character');
        return 'illegal';
      default:
        if (code === 0xa0) this.problems.push('illegal non-breaking space character, use a regular space instead');
        else if (code === 0) this.problems.push('illegal null character');
        else if (code === 0xfeff) this.problems.push('illegal byte-order mark');
        return 'illegal';
    }
  }

  private advance(): void {
    const code = this.source.charCodeAt(this.offset);
    this.offset += 1;
    if (code === 10) {
      this.row += 1;
      this.col = 1;
    } else if (code < 0xdc00 || code > 0xdfff) {
      this.col += 1;
    }
  }

  private eat(character: string): boolean {
    if (this.source[this.offset] !== character) return false;
    this.advance();
    return true;
  }

  private skipPlain(count: number): void {
    this.offset += count;
    this.col += count;
  }

  private scanIdentifier(): Token {
    let end = this.offset + 1;
    for (;;) {
      const code = this.source.charCodeAt(end);
      if (!isLetter(code) && !isDecimal(code) && !(code >= 128 && /\p{Nd}/u.test(this.source[end] ?? ''))) break;
      end += 1;
    }
    this.literal = this.source.slice(this.offset, end);
    this.skipPlain(end - this.offset);
    return this.keywords.get(this.literal) ?? 'identifier';
  }

  private digits(): boolean {
    const start = this.offset;
    while (isDecimal(this.source.charCodeAt(this.offset))) this.skipPlain(1);
    return this.offset > start;
  }

  private scanNumber(): Token {
    const start = this.offset;
    this.digits();
    if (this.eat('.') && !this.digits()) this.problems.push('expected fraction');
    if (this.source[this.offset] === 'e' || this.source[this.offset] === 'E') {
      this.skipPlain(1);
      if (this.source[this.offset] === '+' || this.source[this.offset] === '-') this.skipPlain(1);
      if (!this.digits()) this.problems.push('expected exponent');
    }
    if (isLetter(this.source.charCodeAt(this.offset))) {
      this.problems.push('illegal number format');
      while (isLetter(this.source.charCodeAt(this.offset)) || isDecimal(this.source.charCodeAt(this.offset))) {
        this.skipPlain(1);
      }
    }
    this.literal = this.source.slice(start, this.offset);
    return 'number';
  }

  private scanString(): Token {
    const start = this.offset - 1;
    for (;;) {
      const code = this.source.charCodeAt(this.offset);
      if (code === 10 || Number.isNaN(code)) {
        this.problems.push('non-terminated string');
        break;
      }
      this.advance();
      if (code === 34) break;
      if (code === 92) this.scanEscape(false);
      else if (code === 0) this.problems.push('illegal null character');
    }
    this.literal = this.source.slice(start, this.offset);
    return 'string';
  }

  private scanEscape(template: boolean): boolean {
    const next = this.source[this.offset];
    if (next !== undefined && SIMPLE_ESCAPES.includes(next)) {
      this.advance();
    } else if (next === 'u') {
      for (let i = 0; i < 4 && this.offset < this.source.length; i++) this.advance();
    } else if (template && next === '{') {
      this.advance();
      return true;
    } else {
      this.problems.push('illegal escape sequence');
    }
    return false;
  }

  private scanRawString(): Token {
    const start = this.offset - 1;
    for (;;) {
      const code = this.source.charCodeAt(this.offset);
      if (Number.isNaN(code)) {
        this.problems.push('non-terminated string');
        break;
      }
      this.advance();
      if (code === 96) break;
    }
    this.literal = this.source.slice(start, this.offset);
    return 'string';
  }

  /** The literal keeps one delimiter on either side, as a string's does; `\{` is already unescaped. */
  private scanTemplate(raw: boolean, from: number): Token {
    let literal = '';
    let copied = from;
    let token: Token = raw ? 'raw-template-string-part' : 'template-string-part';
    for (;;) {
      const code = this.source.charCodeAt(this.offset);
      if ((code === 10 && !raw) || Number.isNaN(code)) {
        this.problems.push('non-terminated string');
        break;
      }
      this.advance();
      if (code === (raw ? 96 : 34)) {
        token = raw ? 'raw-template-string-end' : 'template-string-end';
        break;
      }
      if (code === 123) break;
      if (code !== 92) continue;
      const at = this.offset - 1;
      const escapedBrace = raw ? this.eat('{') : this.scanEscape(true);
      if (escapedBrace) {
        literal += this.source.slice(copied, at);
        copied = at + 1;
      }
    }
    this.literal = literal + this.source.slice(copied, this.offset);
    return token;
  }

  private scanComment(): Token {
    let end = this.source.indexOf('\n', this.offset);
    if (end < 0) end = this.source.length;
    this.literal = this.source.slice(this.offset - 1, end);
    while (this.offset < end) this.advance();
    return 'comment';
  }
}
