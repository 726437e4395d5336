/**
 * Bodies: literals, `with`, `some`, `every`, `not { … }`, and the `and`/`or` operators with their
 * operand rules. Where OPA reads `{ … }` as a body and where as a value is decided here.
 *
 * Over 500 lines: one layer of the grammar, whose readings call each other.
 */
import type { Body, Expression, Location, LogicalExpression, NotExpression, Term, With } from './ast.js';
import { operatorName } from './ast.js';
import type { Token } from './lexer.js';
import { TermParser, termKindName } from './parse-terms.js';

interface Operand {
  readonly body: Body;
  readonly explicit: boolean;
  readonly location: Location;
}

/** What reading a parenthesised group came to: not a group, a failed group, or an operand. */
type Group = 'none' | 'failed' | Operand;

const MEMBER_2 = 'internal.member_2';
const MEMBER_3 = 'internal.member_3';

export abstract class BodyParser extends TermParser {
  protected parseBody(end: Token): Body | undefined {
    if (!this.enter()) return undefined;
    const body = this.parseQuery(false, end);
    this.leave();
    return body;
  }

  protected parseQuery(singleStatement: boolean, end: Token): Body | undefined {
    if (this.token === end) {
      this.error(this.location, 'found empty body');
      return undefined;
    }
    const body: Expression[] = [];
    for (;;) {
      const expression = this.parseLiteral();
      if (expression === undefined) return undefined;
      body.push(expression);
      if (this.token === ';') {
        this.scan();
        continue;
      }
      if ((this.token as Token) === end || singleStatement) return body;
      if (this.skippedNewline) continue;
      if (!this.hasErrors) {
        this.hintMissingInfixKeyword();
        this.illegal(`expected \\n or ; or ${end}`);
      }
      return undefined;
    }
  }

  private hintMissingInfixKeyword(): void {
    if (this.hasHints || this.token !== 'identifier') return;
    const example: Readonly<Record<string, string>> = { in: 'x in xs', and: 'x and y', or: 'x or y' };
    const text = example[this.literal];
    if (text !== undefined) this.hint(`\`import future.keywords.${this.literal}\` for \`${text}\` expressions`);
  }

  protected parseLiteral(): Expression | undefined {
    const start = this.location;
    const expression = this.parseLiteralContent();
    if (expression === undefined) return undefined;
    const location = this.spanFrom(start);
    if (expression.kind === 'not' && !expression.explicit) {
      return { ...expression, location, body: expression.body.map((inner) => ({ ...inner, location })) };
    }
    return { ...expression, location };
  }

  private parseLiteralContent(): Expression | undefined {
    if (this.token === '{' && this.logicalKeywordsActive()) {
      const outcome = this.parseLeadingBraces();
      if (outcome !== 'none') return outcome === 'failed' ? undefined : outcome;
    }
    if (this.token === '(' && this.logicalKeywordsActive()) {
      const group = this.parseLogicalGroup(false, '');
      if (group === 'failed') return undefined;
      if (group !== 'none') return this.foldLogicalTail(group);
    }
    if (this.scanAheadReference()) return this.parseLiteralExpression(undefined);
    const notLocation = this.isNegation() ? this.location : undefined;
    if (notLocation !== undefined) this.scan();
    if (notLocation !== undefined && this.notBodies && this.token === '{') {
      const not = this.parseNotBody(notLocation);
      return not && this.foldLogicalTail({ body: [not], explicit: false, location: not.location });
    }
    if (this.token === 'some' || this.token === 'every') {
      if (notLocation !== undefined) {
        this.illegal(`illegal negation of '${this.token}'`);
        return undefined;
      }
      return this.token === 'some' ? this.parseSome() : this.parseEvery();
    }
    return this.parseLiteralExpression(notLocation);
  }

  private parseLeadingBraces(): Expression | 'none' | 'failed' {
    const state = this.save();
    const start = this.location;
    this.scan();
    const body = this.parseBody('}');
    if (body !== undefined) {
      this.scan();
      if ((this.token as Token) === 'and' || (this.token as Token) === 'or') {
        if (this.isAmbiguousUnion(body)) {
          this.errorAmbiguousUnion(start, body, '');
          return 'failed';
        }
        const outer = this.parseLogicalChain({ body, explicit: true, location: start });
        return (outer && this.attachWith(outer)) ?? 'failed';
      }
    }
    this.restore(state);
    return 'none';
  }

  /** `not` as an operator: `not.x` is a reference. */
  private isNegation(): boolean {
    if (this.token !== 'not') return false;
    const next = this.peek(true);
    return next !== '.' && next !== '[';
  }

  private parseLiteralExpression(notLocation: Location | undefined): Expression | undefined {
    if (notLocation !== undefined && this.notBodies && this.token === '(') {
      const group = this.parseLogicalGroup(true, 'not ');
      if (group === 'failed') return undefined;
      if (group !== 'none') {
        const location = this.spanFrom(notLocation);
        const not = this.notExpression(group.body, group.explicit, location);
        return this.foldLogicalTail({ body: [not], explicit: false, location });
      }
    }
    const start = this.location;
    const plain = this.parseExpression();
    if (plain === undefined) return undefined;
    let expression: Expression = plain;
    const withLocation = this.token === 'with' ? this.location : undefined;
    let modifiers: readonly With[] = [];
    if (withLocation !== undefined) {
      const parsed = this.parseWith();
      if (parsed === undefined) return undefined;
      modifiers = parsed;
    }
    if (notLocation !== undefined && this.notBodies) {
      const location = this.spanFrom(notLocation);
      expression = { ...this.notExpression([expression], false, location), with: modifiers };
    } else {
      expression = { ...expression, negated: notLocation !== undefined, with: modifiers };
    }
    if (this.token !== 'and' && this.token !== 'or') return expression;
    return this.parseOperatorTail(expression, start, notLocation, withLocation);
  }

  private parseOperatorTail(
    operand: Expression,
    start: Location,
    notLocation: Location | undefined,
    withLocation: Location | undefined,
  ): Expression | undefined {
    if (withLocation !== undefined) {
      this.errorWithOnOperand(withLocation);
      return undefined;
    }
    const location = operand.location.end > operand.location.offset ? operand.location : this.spanFrom(start);
    const expression = { ...operand, location };
    const text = this.textFrom(location.offset, location.end);
    if (notLocation === undefined && text.startsWith('{')) {
      const isEmpty =
        expression.kind === 'term' && expression.term.kind === 'object' && expression.term.entries.length === 0;
      if (isEmpty) this.error(location, 'found empty body');
      else this.errorBraceLedOperand(location, text, this.token);
      return undefined;
    }
    const outer = this.parseLogicalChain({ body: [expression], explicit: false, location });
    return outer && this.attachWith(outer);
  }

  private notExpression(body: Body, explicit: boolean, location: Location): NotExpression {
    return { kind: 'not', body, explicit, negated: false, with: [], location };
  }

  private parseWith(): readonly With[] | undefined {
    const modifiers: With[] = [];
    do {
      const start = this.location;
      this.scan();
      if (this.token !== 'identifier') {
        this.illegal('expected ident');
        return undefined;
      }
      const target = this.parseTerm();
      if (target === undefined) return undefined;
      if (target.kind !== 'ref' && target.kind !== 'var') this.illegal('expected with target path');
      if ((this.token as Token) !== 'as') {
        this.illegal('expected as keyword');
        return undefined;
      }
      this.scan();
      const value = this.parseInfix();
      if (value === undefined) return undefined;
      modifiers.push({ target, value, location: this.spanFrom(start) });
    } while ((this.token as Token) === 'with');
    return modifiers;
  }

  private attachWith(expression: Expression): Expression | undefined {
    if (this.token !== 'with') return expression;
    const modifiers = this.parseWith();
    return modifiers && { ...expression, with: modifiers };
  }

  private foldLogicalTail(operand: Operand): Expression | undefined {
    if (this.token === 'and' || this.token === 'or') {
      const outer = this.parseLogicalChain(operand);
      return outer && this.attachWith(outer);
    }
    const [only] = operand.body;
    return only && this.attachWith(only);
  }

  /** `a or b and c`: left-associative, `and` binding tighter. */
  private parseLogicalChain(first: Operand): Expression | undefined {
    if (!this.enter()) return undefined;
    let left: Operand | undefined = first;
    let chain = 0;
    if (this.token === 'and') left = this.parseAndChain(left);
    while (left !== undefined && this.token === 'or') {
      chain += 1;
      if (chain > 500) {
        this.error(this.location, 'max parsing recursion depth exceeded');
        left = undefined;
        break;
      }
      this.scan();
      let right = this.parseLogicalOperand('or');
      if (right !== undefined && (this.token as Token) === 'and') right = this.parseAndChain(right);
      left = right && this.joinOperands('or', left, right);
    }
    this.leave();
    return left?.body[0];
  }

  private parseAndChain(first: Operand): Operand | undefined {
    let left: Operand | undefined = first;
    for (let chain = 0; left !== undefined && this.token === 'and'; chain++) {
      if (chain > 500) {
        this.error(this.location, 'max parsing recursion depth exceeded');
        return undefined;
      }
      this.scan();
      const right = this.parseLogicalOperand('and');
      left = right && this.joinOperands('and', left, right);
    }
    return left;
  }

  private joinOperands(kind: 'and' | 'or', left: Operand, right: Operand): Operand {
    this.checkVoidOperand(left.body, kind);
    this.checkVoidOperand(right.body, kind);
    const location = this.spanFrom(left.location);
    const expression: LogicalExpression = {
      kind,
      left: left.body,
      right: right.body,
      explicitLeft: left.explicit,
      explicitRight: right.explicit,
      negated: false,
      with: [],
      location,
    };
    return { body: [expression], explicit: false, location };
  }

  private checkVoidOperand(body: Body, operator: string): void {
    const isPrint = (e: Expression): boolean => e.kind === 'call' && !e.negated && operatorName(e.operator) === 'print';
    const [first] = body;
    if (first === undefined || !body.every(isPrint)) return;
    this.hint(
      '`print` produces no value and always succeeds, so the operand can never fail; move it out of the operand, or add an expression that can fail',
    );
    this.error(first.location, `operand of \`${operator}\` cannot consist only of calls to \`print\``);
  }

  private parseLogicalOperand(operator: string): Operand | undefined {
    if (this.token === '{') return this.parseBraceOperand(operator);
    const notLocation = this.isNegation() ? this.location : undefined;
    if (notLocation !== undefined) this.scan();
    if (notLocation !== undefined && this.notBodies && (this.token as Token) === '{') {
      const not = this.parseNotBody(notLocation);
      return not && { body: [not], explicit: false, location: not.location };
    }
    const groups = this.token === '(' && this.logicalKeywordsActive() && (notLocation === undefined || this.notBodies);
    if (groups) {
      const group = this.parseLogicalGroup(true, notLocation === undefined ? '' : 'not ');
      if (group === 'failed') return undefined;
      if (group !== 'none') {
        if (notLocation === undefined) return group;
        const location = this.spanFrom(notLocation);
        return { body: [this.notExpression(group.body, group.explicit, location)], explicit: false, location };
      }
    }
    const start = this.location;
    const parsed = this.parseExpression();
    if (parsed === undefined) return undefined;
    let expression: Expression = { ...parsed, location: this.spanFrom(start) };
    if (notLocation !== undefined) {
      const location = this.spanFrom(notLocation);
      if (this.notBodies) expression = this.notExpression([expression], false, location);
      else expression = { ...expression, negated: true };
    }
    return { body: [expression], explicit: false, location: expression.location };
  }

  private parseBraceOperand(operator: string): Operand | undefined {
    const start = this.location;
    const state = this.save();
    this.scan();
    const isEmpty = (this.token as Token) === '}';
    const body = this.parseBody('}');
    if (body === undefined) {
      if (isEmpty || operator === '') return undefined;
      const failed = this.save();
      this.restore(state);
      if (this.parseInfix() !== undefined) this.errorBraceLedOperand(start, this.textFrom(start.offset), operator);
      else this.restore(failed);
      return undefined;
    }
    this.scan();
    if (this.isAmbiguousUnion(body)) this.errorAmbiguousUnion(start, body, '');
    return { body, explicit: true, location: start };
  }

  private parseNotBody(notLocation: Location): Expression | undefined {
    const start = this.location;
    const state = this.save();
    this.scan();
    const isEmpty = (this.token as Token) === '}';
    const body = this.parseBody('}');
    if (body === undefined) {
      if (isEmpty) return undefined;
      const failed = this.save();
      this.restore(state);
      const term = this.parseInfix();
      if (term === undefined) {
        this.restore(failed);
        return undefined;
      }
      const text = this.textFrom(start.offset);
      this.hint(`write \`not (${text})\` to negate the value, or \`not {${text}}\` for a body holding it`);
      const kind = termKindName(this.leadingTerm(term));
      this.error(start, `\`{...}\` in an operand position must contain expression(s), got: ${kind}`);
      return undefined;
    }
    this.scan();
    if (this.isAmbiguousUnion(body)) {
      this.errorAmbiguousUnion(start, body, 'not ');
      return undefined;
    }
    return this.notExpression(body, true, this.spanFrom(notLocation));
  }

  private leadingTerm(term: Term): Term {
    const [first] = term.kind === 'call' && term.infix !== undefined ? term.args : [];
    return first === undefined ? term : this.leadingTerm(first);
  }

  /** `{ a | b }` written as a body: it reads as a comprehension as well. */
  private isAmbiguousUnion(body: Body): boolean {
    const [first] = body;
    if (first === undefined || first.kind !== 'call' || first.infix !== '|') return false;
    return !this.textFrom(first.location.offset, first.location.end).trim().startsWith('(');
  }

  private errorAmbiguousUnion(start: Location, body: Body, prefix: string): void {
    const braces = this.textFrom(start.offset);
    const at = body[0]?.location;
    const union =
      at === undefined
        ? braces
        : `${this.textFrom(start.offset, at.offset)}(${this.textFrom(at.offset, at.end)})${this.textFrom(at.end)}`;
    this.hint(`write \`${prefix}(${braces})\` for the comprehension, or \`${prefix}${union}\` for the set union`);
    this.error(
      start,
      'ambiguous `{ ... | ... }` operand: read as a body holding a set-union expression, not as a comprehension',
    );
  }

  private errorBraceLedOperand(location: Location, text: string, operator: string): void {
    this.hint(`wrap the operand to keep the value: \`(${text}) ${operator} ...\``);
    this.error(location, `operand of \`${operator}\` cannot begin with \`{\` unless the braces hold a body`);
  }

  private errorWithOnOperand(location: Location): void {
    const operator = this.token;
    this.hint(
      `Wrap the operand in \`(...)\` or \`{...}\` to scope, or move \`with\` after the \`${operator}\` expression to apply it to the whole expression`,
    );
    this.error(location, `\`with\` modifier is not allowed on operand of \`${operator}\``);
  }

  private closeGroup(): boolean {
    if (this.token !== ')') {
      this.error(this.location, 'expected ) to close parenthesized group');
      return false;
    }
    this.scan();
    return true;
  }

  /** Reads `( … )` as a group of logical operands; anything else is put back to be read as a term. */
  private parseLogicalGroup(inOperand: boolean, prefix: string): Group {
    if (!this.enter()) return 'failed';
    const group = this.parseGroupContent(inOperand, prefix);
    this.leave();
    return group;
  }

  private parseGroupContent(inOperand: boolean, prefix: string): Group {
    const state = this.save();
    const open = this.location;
    this.scan();
    if (this.token === ')') {
      if (inOperand) {
        this.error(open, 'empty parenthesized group');
        return 'failed';
      }
      this.restore(state);
      return 'none';
    }
    const left = this.parseLogicalOperand('');
    if (left === undefined) {
      this.restore(state);
      return 'none';
    }
    const token = this.token as Token;
    if (token === 'and' || token === 'or') {
      const chain = this.parseLogicalChain(left);
      const expression = chain && this.attachWith(chain);
      if (expression === undefined || !this.closeGroup()) return 'failed';
      return { body: [expression], explicit: false, location: this.spanFrom(open) };
    }
    const [only] = left.body;
    if (token === 'with' && !left.explicit && left.body.length === 1 && only !== undefined) {
      return this.parseGroupWith(only, open, inOperand, () => this.restore(state));
    }
    if (left.explicit) {
      const braces = this.textFrom(left.location.offset);
      this.restore(state);
      this.scan();
      const term = this.parseTerm();
      this.restore(state);
      if (term !== undefined) return 'none';
      this.hint(`drop the parens to keep the body: \`${prefix}${braces}\``);
      this.error(open, '`(...)` in an operand position cannot contain a body');
      return 'failed';
    }
    if (only !== undefined && (only.kind === 'and' || only.kind === 'or' || only.kind === 'not' || only.negated)) {
      if (!this.closeGroup()) return 'failed';
      return { body: left.body, explicit: false, location: this.spanFrom(open) };
    }
    this.restore(state);
    return 'none';
  }

  private parseGroupWith(only: Expression, open: Location, inOperand: boolean, restore: () => void): Group {
    const withLocation = this.location;
    const expression = this.attachWith(only);
    if (expression === undefined) return 'failed';
    if (this.token === 'and' || this.token === 'or') {
      this.errorWithOnOperand(withLocation);
      return 'failed';
    }
    if (!this.closeGroup()) return 'failed';
    const token = this.token as Token;
    if (inOperand || token === 'and' || token === 'or') {
      return { body: [expression], explicit: false, location: this.spanFrom(open) };
    }
    restore();
    return 'none';
  }

  private parseSome(): Expression | undefined {
    const start = this.location;
    const state = this.save();
    this.scan();
    const term = this.parseInfix();
    if (term?.kind === 'call') {
      const name = operatorName(term.operator);
      if ((name === MEMBER_2 && term.args.length !== 2) || (name === MEMBER_3 && term.args.length !== 3)) {
        this.illegal('illegal domain');
        return undefined;
      }
      if (name !== MEMBER_2 && name !== MEMBER_3) {
        this.illegal('expected `x in xs` or `x, y in xs` expression');
        return undefined;
      }
      const some: Expression = {
        kind: 'some',
        symbols: [term],
        negated: false,
        with: [],
        location: this.spanFrom(start),
      };
      return this.attachWith(some);
    }
    this.restore(state);
    const symbols: Term[] = [];
    do {
      this.scan();
      if (this.token !== 'identifier') {
        this.illegal('expected var');
        return undefined;
      }
      symbols.push(this.variable());
      this.scan();
    } while ((this.token as Token) === ',');
    if ((this.token as Token) === 'identifier' && this.literal === 'in' && !this.skippedNewline) {
      this.hint('`import future.keywords.in` for `some x in xs` expressions');
    }
    return { kind: 'some', symbols, negated: false, with: [], location: this.spanFrom(start) };
  }

  private parseEvery(): Expression | undefined {
    const start = this.location;
    this.scan();
    const term = this.parseInfix();
    if (term === undefined) return undefined;
    const name = term.kind === 'call' ? operatorName(term.operator) : undefined;
    if (term.kind !== 'call' || (name !== MEMBER_2 && name !== MEMBER_3)) {
      this.illegal('expected `x[, y] in xs { ... }` expression');
      return undefined;
    }
    const [key, value, domain] = name === MEMBER_2 ? [undefined, term.args[0], term.args[1]] : term.args;
    if (value === undefined || domain === undefined) {
      this.illegal('illegal domain');
      return undefined;
    }
    if (key !== undefined && key.kind !== 'var') {
      this.illegal('expected key to be a variable');
      return undefined;
    }
    if (value.kind !== 'var') {
      this.illegal('expected value to be a variable');
      return undefined;
    }
    if (this.token !== '{') {
      this.illegal('missing body');
      return undefined;
    }
    this.scan();
    const body = this.parseBody('}');
    if (body === undefined) return undefined;
    this.scan();
    const location = this.spanFrom(start);
    return this.attachWith({ kind: 'every', key, value, domain, body, negated: false, with: [], location });
  }

  private parseExpression(): Expression | undefined {
    const start = this.location;
    const left = this.parseInfix();
    if (left === undefined) return undefined;
    if (this.token === 'assign' || this.token === 'eq') {
      const name = this.token;
      const at = this.location;
      this.scan();
      const right = this.parseInfix();
      if (right === undefined) return undefined;
      const head: Term = { kind: 'var', name, location: at };
      const operator: Term = { kind: 'ref', terms: [head], location: at };
      const infix = name === 'assign' ? ':=' : '=';
      return {
        kind: 'call',
        operator,
        args: [left, right],
        infix,
        negated: false,
        with: [],
        location: this.spanFrom(start),
      };
    }
    const location = this.spanFrom(start);
    if (left.kind === 'call') {
      const { operator, args, infix } = left;
      const base = { kind: 'call', operator, args, negated: false, with: [], location } as const;
      return infix === undefined ? base : { ...base, infix };
    }
    return { kind: 'term', term: left, negated: false, with: [], location };
  }
}
