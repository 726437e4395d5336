/**
 * The parser's lowest layer: the current token, saving and restoring (the grammar needs
 * backtracking), errors with OPA's texts, comments, and the depth limit that keeps hostile nesting
 * from overflowing the stack. The grammar is layered on top: terms, bodies, modules.
 */
import type { RegoError } from '../errors.js';
import type { Body, Comment, Location, RefTerm, RegoVersion, Term, VarTerm } from './ast.js';
import { BASE_KEYWORDS, Lexer, type Token, tokenName } from './lexer.js';

/** Nesting deeper than this is refused: every later phase walks the tree recursively. */
export const MAX_DEPTH = 600;

export const FUTURE_KEYWORDS_V0: readonly Token[] = ['in', 'every', 'contains', 'if'];
export const FUTURE_KEYWORDS_V1: readonly Token[] = ['not', 'and', 'or'];
const FUTURE_KEYWORD_TOKENS: ReadonlySet<Token> = new Set([...FUTURE_KEYWORDS_V0, ...FUTURE_KEYWORDS_V1]);

interface Chain<T> {
  readonly item: T;
  readonly previous: Chain<T> | undefined;
}

export interface ParserState {
  readonly token: Token;
  readonly literal: string;
  /** Where the scanner stands. */
  readonly offset: number;
  readonly row: number;
  readonly col: number;
  readonly location: Location;
  readonly lastEnd: number;
  readonly tokenEnd: number;
  readonly wildcard: number;
  readonly skippedNewline: boolean;
  readonly errors: Chain<RegoError> | undefined;
  readonly comments: Chain<Comment> | undefined;
  readonly hints: readonly string[];
}

function unchain<T>(chain: Chain<T> | undefined): T[] {
  const items: T[] = [];
  for (let link = chain; link !== undefined; link = link.previous) items.push(link.item);
  return items.reverse();
}

/** A reading of a term, for when the grammar comes back to its place. */
interface RememberedTerm {
  readonly term: Term | undefined;
  readonly errorsBefore: Chain<RegoError> | undefined;
  readonly after: ParserState;
}

/** Which parts of the language may be used, as capabilities name them. */
export interface Dialect {
  readonly futureKeywords: readonly string[];
  readonly features: ReadonlySet<string>;
}

export abstract class ParserBase {
  readonly file: string;
  readonly version: RegoVersion;
  protected readonly lexer: Lexer;
  protected token: Token = 'eof';
  protected literal = '';
  protected location: Location;
  protected lastEnd = 0;
  protected tokenEnd = 0;
  protected wildcard = 0;
  protected skippedNewline = false;
  /** `not { … }` bodies are on (`import future.keywords.not`). */
  protected notBodies = false;
  /** Paths of imports name keywords whatever the dialect. */
  protected isInImport = false;
  private errorChain: Chain<RegoError> | undefined;
  private commentChain: Chain<Comment> | undefined;
  private hints: readonly string[] = [];
  private depth = 0;
  protected readonly termCache: Map<number, RememberedTerm> = new Map();

  /** Default all of the language. */
  private readonly dialect: Dialect | undefined;

  constructor(file: string, source: string, version: RegoVersion, dialect?: Dialect) {
    this.file = file;
    this.version = version;
    this.dialect = dialect;
    this.lexer = new Lexer(source);
    this.location = { file, row: 1, col: 1, offset: 0, end: 0 };
    if (version === 'v1') for (const keyword of FUTURE_KEYWORDS_V0) this.lexer.addKeyword(keyword, keyword);
  }

  protected abstract parseBody(end: Token): Body | undefined;

  get errors(): readonly RegoError[] {
    return unchain(this.errorChain);
  }

  get comments(): readonly Comment[] {
    return unchain(this.commentChain);
  }

  protected get hasErrors(): boolean {
    return this.errorChain !== undefined;
  }

  protected save(): ParserState {
    return {
      token: this.token,
      literal: this.literal,
      offset: this.lexer.offset,
      row: this.lexer.row,
      col: this.lexer.col,
      location: this.location,
      lastEnd: this.lastEnd,
      tokenEnd: this.tokenEnd,
      wildcard: this.wildcard,
      skippedNewline: this.skippedNewline,
      errors: this.errorChain,
      comments: this.commentChain,
      hints: this.hints,
    };
  }

  protected restore(state: ParserState): void {
    this.token = state.token;
    this.literal = state.literal;
    this.lexer.reset(state.offset, state.row, state.col);
    this.location = state.location;
    this.lastEnd = state.lastEnd;
    this.tokenEnd = state.tokenEnd;
    this.wildcard = state.wildcard;
    this.skippedNewline = state.skippedNewline;
    this.errorChain = state.errors;
    this.commentChain = state.comments;
    this.hints = state.hints;
  }

  /** Goes to where a remembered reading ended, without errors that were met before it began. */
  private replay({ errorsBefore, after }: RememberedTerm): void {
    const errors = this.errorChain;
    this.restore(after);
    if (errorsBefore === after.errors) this.errorChain = errors;
  }

  /** The term at this place, read once. */
  protected remembered(read: () => Term | undefined): Term | undefined {
    // A keyword may be read again as a name, so the token's role is part of the key.
    const key = this.location.offset * 2 + (this.token === 'identifier' ? 1 : 0);
    const known = this.termCache.get(key);
    if (known !== undefined) {
      this.replay(known);
      return known.term;
    }
    const errorsBefore = this.errorChain;
    if (!this.enter()) return undefined;
    const term = read();
    this.leave();
    this.termCache.set(key, { term, errorsBefore, after: this.save() });
    return term;
  }

  /** Advances to the next token that is neither white space nor a comment. */
  protected scan(): void {
    this.advance(true);
  }

  /** Advances, stopping at white space too: `f (x)` is no call. */
  protected scanWhitespace(): void {
    this.advance(false);
  }

  protected advance(skipWhitespace: boolean, continuation?: 'template' | 'raw-template'): void {
    if (this.token !== 'whitespace') {
      this.lastEnd = this.tokenEnd;
      this.skippedNewline = false;
    }
    for (;;) {
      // Most characters are white space, which nobody asks for its place.
      if (skipWhitespace && continuation === undefined && this.lexer.skipBlank()) this.skippedNewline = true;
      this.token = this.lexer.scan(continuation);
      this.literal = this.lexer.literal;
      this.tokenEnd = this.lexer.offset;
      this.location = {
        file: this.file,
        row: this.lexer.startRow,
        // OPA's end of the text is at its last character.
        col: this.token === 'eof' ? this.lexer.startCol - 1 : this.lexer.startCol,
        offset: this.lexer.start,
        end: this.lexer.offset,
      };
      if (this.lexer.problems.length > 0) {
        for (const problem of this.lexer.problems) this.error(this.location, problem);
        this.token = 'illegal';
      }
      if (this.token === 'whitespace' && this.literal === '\n') this.skippedNewline = true;
      if (this.token !== 'comment') return;
      const comment = { text: this.literal.slice(1).replace(/\r+$/, ''), location: this.location };
      this.commentChain = { item: comment, previous: this.commentChain };
    }
  }

  /** The kind of the token after the current one (white space counts when `whitespace`). */
  protected peek(whitespace: boolean): Token {
    const state = this.save();
    this.advance(!whitespace);
    const token = this.token;
    this.restore(state);
    return token;
  }

  protected textFrom(start: number, end: number = this.lastEnd): string {
    return this.lexer.source.slice(start, end);
  }

  protected spanFrom(start: Location, end: number = this.lastEnd): Location {
    const { file, row, col, offset } = start;
    return { file, row, col, offset, end };
  }

  protected enter(): boolean {
    this.depth += 1;
    if (this.depth <= MAX_DEPTH) return true;
    this.error(this.location, 'max parsing recursion depth exceeded');
    this.depth -= 1;
    return false;
  }

  protected leave(): void {
    this.depth -= 1;
  }

  protected hint(text: string): void {
    this.hints = [...this.hints, text];
  }

  protected get hasHints(): boolean {
    return this.hints.length > 0;
  }

  protected error(location: Location, reason: string): void {
    let message = reason;
    if (this.hints.length > 0) message += ` (${this.hints.length === 1 ? 'hint' : 'hints'}: ${this.hints.join(', ')})`;
    this.hints = [];
    const { file, row, col } = location;
    this.errorChain = {
      item: { code: 'rego_parse_error', message, location: { file, row, col } },
      previous: this.errorChain,
    };
  }

  protected illegal(note = ''): void {
    if (this.token === 'illegal') {
      this.error(this.location, 'illegal token');
      return;
    }
    const isKeyword = BASE_KEYWORDS.includes(this.token) || FUTURE_KEYWORD_TOKENS.has(this.token);
    const text = `unexpected ${tokenName(this.token)} ${isKeyword ? 'keyword' : 'token'}`;
    this.error(this.location, note === '' ? text : `${text}: ${note}`);
  }

  /** Whether the dialect has one of these features. */
  protected may(...features: readonly string[]): boolean {
    return this.dialect === undefined || features.some((feature) => this.dialect?.features.has(feature));
  }

  /** The keywords that may be imported. */
  protected importableKeywords(): readonly Token[] {
    const all = [...FUTURE_KEYWORDS_V0, ...FUTURE_KEYWORDS_V1];
    const { dialect } = this;
    if (dialect === undefined) return all;
    const hasAllOfV0 = this.version === 'v1' || dialect.features.has('rego_v1');
    return all.filter(
      (keyword) => (hasAllOfV0 && FUTURE_KEYWORDS_V0.includes(keyword)) || dialect.futureKeywords.includes(keyword),
    );
  }

  protected isKeyword(text: string): boolean {
    return this.lexer.keywords.has(text);
  }

  /** A keyword that may name a part of a reference (`input.if`, `data.default`). */
  protected isReferenceKeyword(token: Token): boolean {
    return this.lexer.keywords.get(token) === token && (this.isInImport || this.may('keywords_in_refs'));
  }

  /** Reads a keyword as a name when a reference follows it (`default.x`, `not["y"]`). */
  protected scanAheadReference(): boolean {
    if (!this.isReferenceKeyword(this.token)) return false;
    const next = this.peek(true);
    if (next !== '.' && next !== '[') return false;
    this.token = 'identifier';
    return true;
  }

  protected logicalKeywordsActive(): boolean {
    return this.isKeyword('and') || this.isKeyword('or');
  }

  protected variable(): VarTerm {
    if (this.literal === '_') return this.newWildcard(this.location);
    return { kind: 'var', name: this.literal, location: this.location };
  }

  protected newWildcard(location: Location): VarTerm {
    const name = `$${this.wildcard}`;
    this.wildcard += 1;
    return { kind: 'var', name, location };
  }

  /** `input` and `data` alone are references. */
  protected rootReference(term: Term): Term {
    if (term.kind !== 'var' || (term.name !== 'input' && term.name !== 'data')) return term;
    const reference: RefTerm = { kind: 'ref', terms: [term], location: term.location };
    return reference;
  }
}
