/** What both parsers share: looking ahead by one token, gathering comments, and errors. */
import { quote } from '../../values/index.js';
import type { Comment, Position } from './ast.js';
import { describeToken, Lexer, type Token, type TokenKind } from './lexer.js';

/** A document that is not GraphQL, or breaks its rules. */
export class GraphqlError extends Error {
  override readonly name = 'GraphqlError';
  readonly position: Position | undefined;

  constructor(message: string, position?: Position) {
    super(message);
    this.position = position;
  }
}

const MAX_DEPTH = 500;

export class TokenReader {
  private readonly lexer: Lexer;
  private ahead: Token | undefined;
  private depth = 0;
  /** The comments before the next token. */
  protected comment: Comment | undefined;
  protected previous: Token | undefined;

  constructor(text: string) {
    this.lexer = new Lexer(text);
  }

  protected peek(): Token {
    if (this.ahead !== undefined) return this.ahead;
    const comments: { Value: string }[] = [];
    let token = this.lexer.next();
    for (; token.kind === 'Comment'; token = this.lexer.next()) comments.push({ Value: token.value });
    if (comments.length > 0) this.comment = { List: comments };
    this.ahead = token;
    return token;
  }

  protected next(): Token {
    const token = this.peek();
    this.ahead = undefined;
    this.comment = undefined;
    this.previous = token;
    return token;
  }

  protected error(message: string, token: Token = this.peek()): GraphqlError {
    return new GraphqlError(message, token.position);
  }

  protected unexpected(token: Token = this.peek()): GraphqlError {
    return this.error(`Unexpected ${describeToken(token)}`, token);
  }

  protected expect(kind: TokenKind): Token {
    const token = this.peek();
    if (token.kind !== kind) throw this.error(`Expected ${kind}, found ${token.kind}`);
    return this.next();
  }

  protected expectKeyword(word: string): void {
    const token = this.peek();
    if (token.kind !== 'Name' || token.value !== word) {
      throw this.error(`Expected ${quote(word)}, found ${describeToken(token)}`);
    }
    this.next();
  }

  protected skip(kind: TokenKind): boolean {
    if (this.peek().kind !== kind) return false;
    this.next();
    return true;
  }

  protected name(): string {
    return this.expect('Name').value;
  }

  /** Any number of items between brackets, which must be there. */
  protected many<T>(open: TokenKind, close: TokenKind, read: () => T): T[] {
    this.expect(open);
    const items: T[] = [];
    while (this.peek().kind !== close) items.push(this.nest(read));
    this.next();
    return items;
  }

  /** At least one item between brackets, which need not be there. Gives the comment at the end too. */
  protected some<T>(
    open: TokenKind,
    close: TokenKind,
    read: () => T,
  ): { items: T[] | undefined; end: Comment | undefined } {
    if (!this.skip(open)) return { items: undefined, end: undefined };
    const items: T[] = [];
    while (this.peek().kind !== close) items.push(this.nest(read));
    if (items.length === 0) throw this.error(`expected at least one definition, found ${close}`);
    const end = this.comment;
    this.next();
    return { items, end };
  }

  private nest<T>(read: () => T): T {
    this.depth++;
    if (this.depth > MAX_DEPTH) throw this.error('the document is nested too deeply');
    const item = read();
    this.depth--;
    return item;
  }
}

/** Members that are there, without those that are undefined. */
export function defined<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(members)) if (member !== undefined) out[key] = member;
  return out as T;
}
