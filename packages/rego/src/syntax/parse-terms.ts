/**
 * Terms: scalars, references, calls, collections, comprehensions, template strings, and the infix
 * operators (by precedence climbing, so that a level of nesting costs few stack frames).
 * Speculative reads are remembered by offset, so that backtracking stays linear.
 *
 * Over 500 lines: one layer of the grammar, whose readings call each other.
 */
import { keyOf, parseJson } from '../values/index.js';
import type { CallTerm, Expression, Location, ScalarTerm, Term } from './ast.js';
import { type Token, tokenName } from './lexer.js';
import { ParserBase } from './parser-state.js';

/** Infix levels, loosest first: relation, `|`, `&`, sum, product. */
const LEVELS: readonly Readonly<Partial<Record<Token, string>>>[] = [
  { equal: '==', neq: '!=', lt: '<', gt: '>', lte: '<=', gte: '>=' },
  { bar: '|' },
  { amp: '&' },
  { plus: '+', minus: '-' },
  { mul: '*', div: '/', rem: '%' },
];

const BUILTIN_OF: Readonly<Record<string, string>> = { amp: 'and', bar: 'or' };

/** How OPA names the kind of a term in messages. */
export function termKindName(term: Term): string {
  switch (term.kind) {
    case 'scalar':
      if (term.value === null) return 'null';
      return typeof term.value === 'object' ? 'number' : typeof term.value;
    case 'array-comprehension':
      return 'arraycomprehension';
    case 'set-comprehension':
      return 'setcomprehension';
    case 'object-comprehension':
      return 'objectcomprehension';
    case 'template':
      return 'templatestring';
    default:
      return term.kind;
  }
}

function identity(term: Term): unknown {
  if (term.kind === 'scalar') return keyOf(term.value);
  return JSON.stringify(term, (name, value: unknown) => {
    if (name === 'location') return undefined;
    return typeof value === 'bigint' ? String(value) : value;
  });
}

/** From `offset` to `end`, at the row and column of a location. */
function spanBetween({ file, row, col }: Location, offset: number, end: number): Location {
  return { file, row, col, offset, end };
}

/** Of entries with the same key the last one counts, at the first one's place, as in OPA's parser. */
function withoutDoubles(entries: readonly (readonly [Term, Term])[]): readonly (readonly [Term, Term])[] {
  if (entries.length < 2) return entries;
  const byKey = new Map<unknown, readonly [Term, Term]>();
  for (const entry of entries) byKey.set(identity(entry[0]), entry);
  return byKey.size === entries.length ? entries : [...byKey.values()];
}

/** Of equal elements the first stays. */
function distinct(items: readonly Term[]): readonly Term[] {
  if (items.length < 2) return items;
  const seen = new Set(items.map(identity));
  if (seen.size === items.length) return items;
  return items.filter((item) => seen.delete(identity(item)));
}

export abstract class TermParser extends ParserBase {
  protected abstract parseLiteral(): Expression | undefined;

  /** A term with infix operators, `x in xs` and `k, v in xs`. */
  protected parseInfix(): Term | undefined {
    return this.parseMembership(true);
  }

  /** The same inside a list, where a comma ends the item. */
  protected parseListItem(): Term | undefined {
    return this.parseMembership(false);
  }

  private parseMembership(keyValue: boolean): Term | undefined {
    if (!this.enter()) return undefined;
    const offset = this.location.offset;
    const start = this.location;
    let left = this.parseLevel(0);
    for (let chain = 0; left !== undefined; chain++) {
      if (chain > 500) {
        this.error(start, 'max parsing recursion depth exceeded');
        left = undefined;
        break;
      }
      const next = this.parseMembershipTail(left, keyValue, offset);
      if (next === undefined) break;
      left = next;
      if (this.token !== 'in') break;
    }
    this.leave();
    return left;
  }

  private parseMembershipTail(left: Term, keyValue: boolean, offset: number): Term | undefined {
    if (keyValue && this.token === ',') {
      const state = this.save();
      this.scan();
      const middle = this.parseLevel(0);
      if (middle !== undefined && (this.token as Token) === 'in') {
        const location = this.location;
        this.scan();
        const right = this.parseLevel(0);
        if (right !== undefined) return this.call('internal.member_3', 'in', location, [left, middle, right], offset);
      }
      this.restore(state);
    }
    this.scanAheadReference();
    if (this.token !== 'in') return undefined;
    const location = this.location;
    this.scan();
    const right = this.parseLevel(0);
    return right === undefined ? undefined : this.call('internal.member_2', 'in', location, [left, right], offset);
  }

  private call(name: string, infix: string, at: Location, args: readonly Term[], offset: number): CallTerm {
    const parts = name.split('.');
    const head: Term = { kind: 'var', name: parts[0] ?? name, location: at };
    const rest = parts.slice(1).map((part): Term => ({ kind: 'scalar', value: part, location: at }));
    const start = args[0]?.location ?? at;
    return {
      kind: 'call',
      operator: { kind: 'ref', terms: [head, ...rest], location: at },
      args,
      infix,
      location: spanBetween(start, offset, this.lastEnd),
    };
  }

  /** Left-associative operators of `level` and tighter. A failed right side leaves the left, as OPA does. */
  private parseLevel(level: number): Term | undefined {
    if (level === LEVELS.length) return this.parseTerm();
    const offset = this.location.offset;
    let left = this.parseTerm();
    if (left === undefined) return undefined;
    for (let current = LEVELS.length - 1; current >= level && left !== undefined; current--) {
      left = this.parseOperators(left, current, offset);
    }
    return left;
  }

  private parseOperators(first: Term, level: number, offset: number): Term | undefined {
    const operators = LEVELS[level] ?? {};
    let left = first;
    for (let chain = 0; ; chain++) {
      const infix = operators[this.token];
      if (infix === undefined) return left;
      if (chain > 500) {
        this.error(this.location, 'max parsing recursion depth exceeded');
        return undefined;
      }
      const name = BUILTIN_OF[this.token] ?? this.token;
      const at = this.location;
      this.scan();
      const right = this.parseLevel(level + 1);
      if (right === undefined) return left;
      left = this.call(name, infix, at, [left, right], offset);
    }
  }

  protected parseTerm(): Term | undefined {
    return this.remembered(this.readTerm);
  }

  private readonly readTerm = (): Term | undefined => {
    if ((this.token === 'and' || this.token === 'or') && this.peek(true) === '(') this.token = 'identifier';
    const minus = this.token === 'minus' ? this.location : undefined;
    const isNegatedReference = minus !== undefined && ['identifier', 'contains'].includes(this.peek(false));
    if (isNegatedReference) this.scan();
    let term = this.finishTerm(this.parsePrimary());
    if (isNegatedReference && term !== undefined && minus !== undefined) {
      const zero: Term = { kind: 'scalar', value: 0, location: minus };
      term = this.call('minus', 'unary', minus, [zero, term], minus.offset);
    }
    return term;
  };

  private parsePrimary(): Term | undefined {
    const location = this.location;
    switch (this.token) {
      case 'null':
        return { kind: 'scalar', value: null, location };
      case 'true':
      case 'false':
        return { kind: 'scalar', value: this.token === 'true', location };
      case 'minus':
      case '.':
      case 'number':
        return this.parseNumber();
      case 'string':
        return this.parseString();
      case 'template-string-part':
      case 'template-string-end':
        return this.parseTemplate(false);
      case 'raw-template-string-part':
      case 'raw-template-string-end':
        return this.parseTemplate(true);
      case 'identifier':
      case 'contains':
        return this.variable();
      case '[':
        return this.parseArray();
      case '{':
        return this.parseSetOrObject();
      case '(':
        return this.parseParenthesized();
      default:
        this.illegal();
        return undefined;
    }
  }

  private parseParenthesized(): Term | undefined {
    const offset = this.location.offset;
    this.scan();
    const term = this.parseInfix();
    if (term === undefined) return undefined;
    if (this.token !== ')') {
      this.error(this.location, 'non-terminated expression');
      return undefined;
    }
    return { ...term, location: spanBetween(term.location, offset, this.tokenEnd) };
  }

  private finishTerm(head: Term | undefined): Term | undefined {
    if (head === undefined) return undefined;
    const offset = head.location.offset;
    this.scanWhitespace();
    if (this.token === '(' || this.token === '.' || this.token === '[') return this.parseReference(head, offset);
    if (this.token === 'whitespace') this.scan();
    return this.rootReference(head);
  }

  /** The name of a rule head with whatever follows it. */
  protected finishHead(head: Term): Term | undefined {
    const offset = head.location.offset;
    this.scanWhitespace();
    if (LEVELS.some((level) => level[this.token] !== undefined)) this.illegal();
    else if (this.token === 'whitespace') this.scan();
    if (this.token === '(' || this.token === '.' || this.token === '[') return this.parseReference(head, offset);
    return this.rootReference(head);
  }

  protected parseReference(head: Term, offset: number): Term | undefined {
    if (!this.enter()) return undefined;
    const result = this.parseReferenceTail(head, offset);
    this.leave();
    return result;
  }

  private parseReferenceTail(head: Term, offset: number): Term | undefined {
    if (head.kind === 'scalar' || head.kind === 'template') {
      this.error(head.location, `illegal ref (head cannot be ${termKindName(head)})`);
    }
    const terms: Term[] = [head];
    const reference = (end: number): Term => ({
      kind: 'ref',
      terms,
      location: spanBetween(head.location, offset, end),
    });
    for (;;) {
      if (this.token === '.') {
        this.scanWhitespace();
        if ((this.token as Token) !== 'identifier' && !this.isReferenceKeyword(this.token)) {
          this.illegal('expected identifier');
          return undefined;
        }
        terms.push({ kind: 'scalar', value: this.literal, location: this.location });
        this.scanWhitespace();
      } else if (this.token === '(') {
        return this.parseCallTail(reference(this.location.offset), offset);
      } else if (this.token === '[') {
        this.scan();
        const term = this.parseInfix();
        if (term === undefined) return undefined;
        if ((this.token as Token) !== ']') {
          this.illegal('expected [');
          return undefined;
        }
        terms.push(term);
        this.scanWhitespace();
      } else {
        const end = this.lastEnd;
        if (this.token === 'whitespace') this.scan();
        return reference(end);
      }
    }
  }

  private parseCallTail(operator: Term, offset: number): Term | undefined {
    const call = this.parseCall(operator, offset);
    if (call === undefined) return undefined;
    if (this.token === 'whitespace') this.scan();
    else if (this.token === '.' || this.token === '[') return this.parseReference(call, offset);
    return call;
  }

  private parseCall(operator: Term, offset: number): Term | undefined {
    const location = operator.location;
    this.scan();
    let args: readonly Term[] | undefined = [];
    if (this.token !== ')') args = this.parseTermList(')', []);
    if (args === undefined) return undefined;
    const end = this.tokenEnd;
    this.scanWhitespace();
    const at = spanBetween(location, offset, end);
    const isSet = operator.kind === 'ref' && operator.terms.length === 1 && operator.terms[0]?.kind === 'var';
    if (args.length === 0 && isSet && operator.terms[0]?.kind === 'var' && operator.terms[0].name === 'set') {
      return { kind: 'set', items: [], location: at };
    }
    return { kind: 'call', operator, args, location: at };
  }

  private parseNumber(): Term | undefined {
    const start = this.location;
    let prefix = '';
    if (this.token === 'minus') {
      prefix = '-';
      this.scan();
      if ((this.token as Token) !== 'number' && (this.token as Token) !== '.') {
        this.illegal('expected number');
        return undefined;
      }
    }
    if (this.token === '.') {
      prefix += '.';
      this.scan();
      if ((this.token as Token) !== 'number') {
        this.illegal('expected number');
        return undefined;
      }
    }
    if (!prefix.endsWith('.') && /^0[^.eE]/.test(this.literal)) {
      this.illegal('expected number without leading zero');
      return undefined;
    }
    const text = prefix + this.literal;
    if (Math.abs(Number(/[eE]([+-]?\d+)$/.exec(text)?.[1] ?? 0)) > 100_000) {
      this.error(this.location, 'number too big');
      return undefined;
    }
    const value = parseJson(text.replace(/^(-?)\./, '$10.'));
    const term: ScalarTerm = { kind: 'scalar', value, location: this.spanFrom(start, this.tokenEnd) };
    return String(value) === text ? term : { ...term, text };
  }

  private unquote(literal: string): string | undefined {
    const inner = literal.slice(1, -1);
    if (!inner.includes('\\')) return inner;
    try {
      const text = JSON.parse(`"${inner}"`) as string;
      // A lone surrogate becomes the replacement character, as in Go.
      return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
    } catch {
      return undefined;
    }
  }

  private parseString(): Term | undefined {
    const location = this.location;
    if (this.literal.startsWith('`')) {
      return { kind: 'scalar', value: this.literal.slice(1, -1).replaceAll('\r', '\r'), raw: true, location };
    }
    const value = this.unquote(this.literal);
    if (value === undefined) {
      this.error(location, `illegal string literal: ${this.literal}`);
      return undefined;
    }
    return { kind: 'scalar', value, location };
  }

  private parseTemplate(raw: boolean): Term | undefined {
    const start = this.location;
    if (!this.may('template_strings')) {
      this.error(start, 'template strings are not supported by current capabilities');
      return undefined;
    }
    const parts: (Term | Expression)[] = [];
    for (;;) {
      const text = raw ? this.literal.slice(1, -1) : this.unquote(this.literal);
      if (text === undefined) {
        this.error(this.location, `illegal template-string part: ${this.literal}`);
        return undefined;
      }
      if (text.length > 0) parts.push({ kind: 'scalar', value: text, location: this.location });
      if (this.token === 'template-string-end' || this.token === 'raw-template-string-end') break;
      this.scan();
      const part = this.parseTemplateExpression();
      if (part === undefined) return undefined;
      parts.push(part);
      this.advance(false, raw ? 'raw-template' : 'template');
    }
    return { kind: 'template', raw, parts, location: this.spanFrom(start, this.tokenEnd) };
  }

  private parseTemplateExpression(): Expression | undefined {
    const expression = this.parseLiteral();
    if (expression === undefined) {
      this.error(this.location, 'invalid template-string expression');
      return undefined;
    }
    const refuse = (what: string): undefined => {
      this.error(expression.location, `unexpected ${what} in template-string expression`);
      return undefined;
    };
    if (expression.negated || expression.kind === 'not') return refuse("negation ('not')");
    if (expression.kind === 'call' && expression.infix === '=') return refuse("unification ('=')");
    if (expression.kind === 'call' && expression.infix === ':=') return refuse("assignment (':=')");
    if (expression.kind === 'every') return refuse("'every'");
    if (expression.kind === 'some') return refuse("'some'");
    if (this.token !== '}') {
      this.error(this.location, 'expected } to end template string expression');
      return undefined;
    }
    return expression;
  }

  private parseArray(): Term | undefined {
    const start = this.location;
    this.scan();
    const term = this.parseArrayContent(start);
    return term === undefined ? undefined : { ...term, location: this.spanFrom(start, this.tokenEnd) };
  }

  private parseArrayContent(location: Location): Term | undefined {
    if (this.token === ']') return { kind: 'array', items: [], location };
    const isPlain = this.token === ',';
    if (isPlain) this.scan();
    const state = this.save();
    const head = this.parseTerm();
    if (head === undefined) return undefined;
    if ((this.token as Token) === ']') return { kind: 'array', items: [head], location };
    if (this.token === ',') {
      this.scan();
      const items = this.parseTermList(']', [head]);
      return items && { kind: 'array', items, location };
    }
    if (this.token === 'bar' && !isPlain) {
      this.scan();
      const body = this.parseBody(']');
      if (body !== undefined) return { kind: 'array-comprehension', term: head, body, location };
      if ((this.token as Token) !== ',') return undefined;
    }
    this.restore(state);
    const items = this.parseTermList(']', []);
    return items && { kind: 'array', items, location };
  }

  private parseSetOrObject(): Term | undefined {
    const start = this.location;
    this.scan();
    const term = this.parseBraces(start);
    return term === undefined ? undefined : { ...term, location: this.spanFrom(start, this.tokenEnd) };
  }

  private parseBraces(location: Location): Term | undefined {
    if (this.token === '}') return { kind: 'object', entries: [], location };
    const isPlain = this.token === ',';
    if (isPlain) this.scan();
    const state = this.save();
    let head = this.parseTerm();
    if (head === undefined) return undefined;
    if (this.token === 'bar' && !isPlain) {
      this.scan();
      const body = this.parseBody('}');
      if (body !== undefined) return { kind: 'set-comprehension', term: head, body, location };
      if ((this.token as Token) !== ',') return undefined;
      this.restore(state);
      const items = this.parseTermList('}', []);
      return items && { kind: 'set', items: distinct(items), location };
    }
    if ((this.token as Token) === '}' || (this.token as Token) === ',') return this.parseSetTail(head, location);
    if (this.token === ':') return this.parseObject(head, !isPlain, location);
    this.restore(state);
    head = this.parseListItem();
    if (head === undefined) return undefined;
    const token = this.token as Token;
    if (token === '}' || token === ',') return this.parseSetTail(head, location);
    if (token === ':') return this.parseObject(head, !isPlain, location);
    this.illegal('non-terminated set');
    return undefined;
  }

  private parseSetTail(head: Term, location: Location): Term | undefined {
    if (this.token === '}') return { kind: 'set', items: [head], location };
    this.scan();
    const items = this.parseTermList('}', [head]);
    return items && { kind: 'set', items: distinct(items), location };
  }

  private parseObject(key: Term, maybeComprehension: boolean, location: Location): Term | undefined {
    this.scan();
    const state = this.save();
    let value = this.parseTerm();
    if (value === undefined) return undefined;
    if (maybeComprehension) {
      if (this.token === '}' || this.token === ',') return this.parseObjectTail(key, value, location);
      if (this.token === 'bar') {
        this.scan();
        const body = this.parseBody('}');
        if (body !== undefined) return { kind: 'object-comprehension', key, value, body, location };
      }
    }
    this.restore(state);
    value = this.parseListItem();
    if (value === undefined) return undefined;
    if (this.token === '}' || this.token === ',') return this.parseObjectTail(key, value, location);
    this.illegal('non-terminated object');
    return undefined;
  }

  private parseObjectTail(key: Term, value: Term, location: Location): Term | undefined {
    const entries: (readonly [Term, Term])[] = [[key, value]];
    while (this.token === ',') {
      this.scan();
      if ((this.token as Token) === '}') break;
      const nextKey = this.parseListItem();
      if (nextKey === undefined) return undefined;
      if ((this.token as Token) !== ':') {
        this.illegal('expected ":"');
        return undefined;
      }
      this.scan();
      const nextValue = this.parseListItem();
      if (nextValue === undefined) return undefined;
      entries.push([nextKey, nextValue]);
      if ((this.token as Token) !== ',' && (this.token as Token) !== '}') {
        this.illegal('expected "," or "}"');
        return undefined;
      }
    }
    const counted = withoutDoubles(entries);
    if (counted === entries) return { kind: 'object', entries, location };
    return { kind: 'object', entries: counted, written: entries, location };
  }

  private parseTermList(end: Token, items: Term[]): Term[] | undefined {
    while (this.token !== end) {
      const term = this.parseListItem();
      if (term === undefined) return undefined;
      items.push(term);
      if (this.token === end) break;
      if (this.token !== ',') {
        this.illegal(`expected "," or "${tokenName(end)}"`);
        return undefined;
      }
      this.scan();
    }
    return items;
  }
}
