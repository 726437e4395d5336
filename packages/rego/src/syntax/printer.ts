/**
 * From the tree back to text. Printing and parsing again gives the same tree; comments go back to
 * where they stood relative to statements and expressions. Layout follows `opa fmt`: tabs, one
 * expression a line, collections broken over lines stay so.
 *
 * Over 500 lines: one walk over rules, expressions and terms with the lines and comments they share.
 */
import { formatTerm } from '../values/index.js';
import type {
  Body,
  CallExpression,
  CallTerm,
  Comment,
  Expression,
  Import,
  Location,
  LogicalExpression,
  Module,
  Rule,
  ScalarTerm,
  Term,
} from './ast.js';
import { INFIX_OPERATORS, operatorName } from './ast.js';
import { type ParseOptions, parseModuleSource } from './parser.js';

/** Binding strength of infix operators. */
const STRENGTH: Readonly<Record<string, number>> = {
  ...{ '=': 0, ':=': 0, in: 1 },
  ...{ '==': 2, '!=': 2, '<': 2, '>': 2, '<=': 2, '>=': 2 },
  ...{ '|': 3, '&': 4, '+': 5, '-': 5, '*': 6, '/': 6, '%': 6 },
};
const KEYWORDS = new Set([
  'as',
  'default',
  'else',
  'false',
  'import',
  'not',
  'null',
  'package',
  'some',
  'true',
  'with',
]);
const V1_KEYWORDS = new Set(['contains', 'every', 'if', 'in']);
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function quoteString(text: string): string {
  return JSON.stringify(text);
}

function isInfix(term: Term): boolean {
  return term.kind === 'call' && (STRENGTH[withOperator(term).infix ?? ''] ?? 0) > 1;
}

const isUnion = (term: Term): boolean => term.kind === 'call' && term.infix === '|';
const isIn = (term: Term): boolean => term.kind === 'call' && term.infix === 'in';

/** What decides between notations, for a whole module. */
interface Notation {
  readonly usesIf: boolean;
  readonly usesContains: boolean;
  /** Some rule needs references in heads: then all are written with dots. */
  readonly hasRefHeads: boolean;
  readonly isV1: boolean;
}

function imports(module: Module, keyword: string): boolean {
  return module.imports.some(({ path: [root, second, third] }) => {
    if (root === 'rego') return true;
    return root === 'future' && second === 'keywords' && (third === undefined || third === keyword);
  });
}

function notationOf(module: Module): Notation {
  const isV1 = module.version === 'v1';
  return {
    isV1,
    usesIf: isV1 || imports(module, 'if'),
    usesContains: isV1 || imports(module, 'contains'),
    hasRefHeads: module.rules.some(({ head: { ref, key, value } }) => {
      return ref.length > 2 || (ref.length === 2 && key !== undefined && value === undefined);
    }),
  };
}

const PLAIN: Notation = { usesIf: true, usesContains: true, hasRefHeads: true, isV1: true };

/** The ways a body's expressions are written: by themselves, or one a line. */
class Printer {
  private lines: string[] = [];
  private indent = 0;
  private pending: readonly Comment[];
  private readonly source: string;
  private readonly endRow: (offset: number) => number;
  private notation = PLAIN;
  /** The first expression after `{`: a bare `|` would read as a comprehension. */
  private opensBraces = false;

  constructor(comments: readonly Comment[], source = '', endRow: (offset: number) => number = () => 0) {
    this.pending = comments;
    this.source = source;
    this.endRow = endRow;
  }

  private pad(): string {
    return '\t'.repeat(this.indent);
  }

  line(text: string): void {
    this.lines.push(text === '' ? '' : this.pad() + text);
  }

  /** Comments on lines before `row`, each on its own line. */
  private flush(row: number): void {
    while (this.pending[0] !== undefined && this.pending[0].location.row < row) {
      const [comment] = this.pending;
      this.line(`#${comment.text}`);
      const next = this.pending[1];
      this.pending = this.pending.slice(1);
      const nextRow = Math.min(next?.location.row ?? row, row);
      if (this.indent === 0 && nextRow > comment.location.row + 1) this.line('');
    }
  }

  /** A comment at the end of the lines up to `row` joins the last line printed. */
  private trail(row: number): void {
    const [comment] = this.pending;
    if (comment === undefined || comment.location.row > row) return;
    this.pending = this.pending.slice(1);
    this.lines[this.lines.length - 1] += ` #${comment.text}`;
    this.trail(row);
  }

  finish(): string {
    if (this.pending.length > 0 && this.lines.at(-1) !== '') this.line('');
    this.flush(Number.POSITIVE_INFINITY);
    while (this.lines.at(-1) === '') this.lines.pop();
    return `${this.lines.join('\n')}\n`;
  }

  module(module: Module): void {
    const { package: pkg, rules } = module;
    this.notation = notationOf(module);
    this.flush(pkg.location.row);
    this.line(`package ${printPath(pkg.path)}`);
    this.trail(pkg.location.row);
    this.imports(module.imports);
    let previous: Rule | undefined;
    for (const rule of rules) {
      const isNext = rule.location.row === (previous?.location.row ?? -1) + 1;
      const isGrouped = isNext && previous !== undefined && this.isGrouped(previous) && this.isGrouped(rule);
      if (!isGrouped && this.lines.at(-1) !== '') this.line('');
      this.flush(rule.location.row);
      this.rule(rule);
      this.trail(this.endRow(rule.location.end));
      previous = rule;
    }
  }

  /** Imports are sorted within the groups that blank lines make. */
  private imports(all: readonly Import[]): void {
    let group: Import[] = [];
    const write = (): void => {
      const [first] = group;
      if (first === undefined) return;
      if (this.lines.at(-1) !== '') this.line('');
      this.flush(first.location.row);
      for (const statement of [...group].sort(compareImports)) {
        this.line(printImport(statement));
        const own = this.pending.filter(({ location }) => location.row === statement.location.row);
        this.pending = this.pending.filter((comment) => !own.includes(comment));
        for (const { text } of own) this.lines[this.lines.length - 1] += ` #${text}`;
      }
      group = [];
    };
    for (const statement of all.filter((each) => !isRedundant(each, all))) {
      if (statement.location.row > (group.at(-1)?.location.row ?? statement.location.row) + 1) write();
      group.push(statement);
    }
    write();
  }

  /** Whether a rule on one line stays next to another. */
  private isGrouped(rule: Rule): boolean {
    const { head, body } = rule;
    if (rule.default || body.length > 1 || rule.otherwise.length > 0) return false;
    const [only] = body;
    if (only?.kind === 'term' && only.term.kind === 'set' && !only.negated) return false;
    return this.notation.usesIf && (this.notation.usesContains || head.value !== undefined);
  }

  private rule(rule: Rule): void {
    let text = rule.default ? 'default ' : '';
    const branches = [rule, ...rule.otherwise];
    for (const [index, branch] of branches.entries()) {
      const isLast = index === branches.length - 1;
      // A body that is only `true` need not be written.
      const isConstant = isLast && isTrue(branch.body);
      if (index === 0) text += this.head(branch, isConstant);
      else text = this.otherwise(branches[index - 1] as Rule, branch, text) + this.value(branch, isConstant, true);
      text = isConstant || rule.default ? text : this.body(branch, text, index > 0);
    }
    this.line(text);
  }

  /** `else` stays on the line of the brace before it, or begins a line of its own. */
  private otherwise(before: Rule, branch: Rule, open: string): string {
    const { row } = branch.location;
    const [comment] = this.pending;
    const isAbove = comment !== undefined && comment.location.row < row;
    const isBelow = row > before.location.row;
    if (!isAbove && (this.source === '' || (isBelow && !/^\s*else\b/.test(this.lineAt(branch.location.offset)))))
      return `${open} else`;
    this.line(open);
    this.line('');
    this.flush(row);
    return 'else';
  }

  private lineAt(offset: number): string {
    const start = this.source.lastIndexOf('\n', offset - 1) + 1;
    const end = this.source.indexOf('\n', start);
    return this.source.slice(start, end < 0 ? undefined : end);
  }

  /** Prints a rule's body; returns the text of the line still open. */
  private body(rule: Rule, opening: string, isElse: boolean): string {
    const { head, body } = rule;
    const usesIf = this.notation.usesIf && (this.notation.usesContains || head.value !== undefined);
    const keyword = usesIf ? ' if' : '';
    const [only] = body;
    const headRow = this.source === '' ? head.location.row : this.endRow(head.location.end);
    if (usesIf && only !== undefined && body.length === 1 && only.location.row === headRow) {
      const text = this.expression(only);
      if (!text.startsWith('{')) return `${opening}${keyword} ${text}`;
    }
    this.line(`${opening}${keyword} {`);
    this.trailBefore(headRow, only?.location.row ?? 0);
    this.indent += 1;
    this.expressions(body, usesIf && !isElse);
    const last = rule.location.end > 0 ? this.endRow(rule.location.end) : 0;
    if (rule.otherwise.length === 0) this.flush(last);
    this.indent -= 1;
    return '}';
  }

  /** Comments on the line of the brace that opens a body. */
  private trailBefore(row: number, bodyRow: number): void {
    if (row < bodyRow) this.trail(row);
  }

  private expressions(body: Body, guardsUnion: boolean): void {
    let previous: Expression | undefined;
    for (const expression of body) {
      const gap = previous !== undefined && expression.location.row > this.endRow(previous.location.end) + 1;
      const [comment] = this.pending;
      const hasComment = comment !== undefined && comment.location.row < expression.location.row;
      if (gap && !hasComment) this.line('');
      this.flush(expression.location.row);
      const isFirst = previous === undefined && guardsUnion;
      this.line(isFirst ? this.firstExpression(expression) : this.expression(expression));
      this.trail(this.endRow(expression.location.end));
      previous = expression;
    }
  }

  private head(rule: Rule, isConstant: boolean): string {
    const { head } = rule;
    let text: string;
    const [name, second] = head.ref;
    if (this.notation.hasRefHeads || second === undefined || name === undefined) text = this.reference(head.ref);
    else text = `${this.term(name)}[${this.term(second)}]`;
    if (head.args !== undefined) text += this.arguments(head.args, head.location);
    if (head.key !== undefined && head.value === undefined) {
      if (this.notation.usesContains) return `${text} contains ${this.term(head.key)}`;
      return `${text}[${this.term(head.key)}]`;
    }
    return text + this.value(rule, isConstant, false);
  }

  /** The value of a head, unless it is `true` and goes without saying. */
  private value(rule: Rule, isConstant: boolean, isElse: boolean): string {
    const { value, generatedValue, args, assign, ref } = rule.head;
    if (value === undefined) return '';
    const { isV1 } = this.notation;
    const isTrueValue = value.kind === 'scalar' && value.value === true;
    // As it will be read: with `if`, the second step is no key. (Here OPA writes another text the second time.)
    const hasIf = rule.head.keywords.includes('if') || (this.notation.usesIf && !isConstant && !rule.default);
    const hasKey = ref.length === 2 && args === undefined && !hasIf;
    if (isTrueValue && !(hasKey || isConstant || rule.default)) return '';
    const isSaid = isConstant && args === undefined && (isV1 ? !hasKey : ref.length > 1);
    if (isTrueValue && generatedValue && !isElse && !isSaid) return '';
    if (isElse && generatedValue && !isConstant) return '';
    return ` ${assign || isV1 ? ':=' : '='} ${this.term(value)}`;
  }

  /** An expression; bodies inside are indented below it. */
  expression(expression: Expression): string {
    let text = (expression.negated ? 'not ' : '') + this.plain(expression);
    const [first] = expression.with;
    if (first === undefined) return text;
    let row = this.endOfTerms(expression.location.offset, first.location);
    let isIndented = false;
    for (const { target, value, location } of expression.with) {
      const isBelow = location.row > row;
      if (isBelow) row = location.row;
      if (isBelow && !isIndented) this.indent += 1;
      isIndented ||= isBelow;
      text += `${isBelow ? `\n${this.pad()}` : ' '}with ${this.term(target)} as ${this.term(value)}`;
    }
    if (isIndented) this.indent -= 1;
    return text;
  }

  /** The row on which what stands before the first `with` ends. */
  private endOfTerms(offset: number, modifier: Location): number {
    if (this.source === '') return modifier.row;
    const between = this.source.slice(offset, modifier.offset).trimEnd();
    return this.endRow(offset + between.length);
  }

  private firstExpression(expression: Expression): string {
    const before = this.opensBraces;
    this.opensBraces = true;
    const text = this.expression(expression);
    this.opensBraces = before;
    return text;
  }

  private plain(expression: Expression): string {
    switch (expression.kind) {
      case 'term':
        return this.term(expression.term);
      case 'call': {
        const { infix, args, operator, location } = withOperator(withoutOutput(expression));
        const [left, right] = args;
        if (left !== undefined && right !== undefined && infix !== undefined && infix !== 'unary' && infix !== 'in') {
          const own = STRENGTH[infix] ?? 0;
          const isLead = this.opensBraces && isUnion(left);
          const text = `${this.side(left, own, isLead)} ${infix} ${this.side(right, own + 1, false)}`;
          return infix === '|' && this.opensBraces ? `(${text})` : text;
        }
        const call: CallTerm = { kind: 'call', operator, args, location, ...(infix === undefined ? {} : { infix }) };
        return infix === 'in' ? this.membership(call) : this.call(call, false);
      }
      case 'some':
        return this.some(expression.symbols, expression.location.row);
      case 'every': {
        const key = expression.key === undefined ? '' : `${this.term(expression.key)}, `;
        const domain = isIn(expression.domain) ? `(${this.term(expression.domain)})` : this.term(expression.domain);
        const block = this.bracedBody(expression.body, expression.location.row, true);
        return `every ${key}${this.term(expression.value)} in ${domain} ${block}`;
      }
      case 'not': {
        if (expression.explicit) return `not ${this.bracedBody(expression.body, expression.location.row)}`;
        return `not ${this.logicalOperand(expression.body, false, 3)}`;
      }
      case 'and':
      case 'or':
        return this.logical(expression);
    }
  }

  private logical(expression: LogicalExpression): string {
    const level = expression.kind === 'and' ? 2 : 1;
    const left = this.logicalOperand(expression.left, expression.explicitLeft, level);
    const right = this.logicalOperand(expression.right, expression.explicitRight, level + 1);
    return `${left} ${expression.kind} ${right}`;
  }

  private logicalOperand(body: Body, explicit: boolean, level: number): string {
    const [only] = body;
    if (explicit || only === undefined || body.length !== 1) return this.bracedBody(body, body[0]?.location.row ?? 0);
    const text = this.expression(only);
    const own = only.kind === 'and' ? 2 : only.kind === 'or' ? 1 : 4;
    const needsParens = only.with.length > 0 || own < level || (own === 4 && text.startsWith('{'));
    return needsParens ? `(${text})` : text;
  }

  private some(symbols: readonly Term[], start: number): string {
    const [first] = symbols;
    if (first?.kind === 'call') return `some ${this.membership(first)}`;
    let row = start;
    let text = 'some';
    for (const [index, symbol] of symbols.entries()) {
      const isBelow = symbol.location.row > row;
      row = Math.max(row, symbol.location.row);
      text += `${index > 0 ? ',' : ''}${isBelow ? `\n${this.pad()}\t` : ' '}${this.term(symbol)}`;
    }
    return text;
  }

  /** A body in braces, on the row of the opening one if it was so. */
  private bracedBody(body: Body, row: number, isLoop = false): string {
    const [only] = body;
    if (only === undefined) return '{}';
    const text = this.innerBody(body, row, true);
    return !text.endsWith('\n') ? `{${text}${isLoop && body.length > 1 ? '' : ' '}}` : `{${text}${this.pad()}}`;
  }

  /** A body after `{` or `|`: on the same line, or each expression on its own. */
  private innerBody(body: Body, row: number, guardsUnion: boolean): string {
    const rows = new Set(body.map((expression) => expression.location.row));
    const print = (expression: Expression, index: number): string =>
      index === 0 && guardsUnion ? this.firstExpression(expression) : this.expression(expression);
    if (rows.size === 1 && (body[0]?.location.row ?? row) <= row) return ` ${body.map(print).join('; ')}`;
    this.indent += 1;
    // Printed as the body of a rule is, with its comments, on lines of their own.
    const outer = this.lines;
    this.lines = [''];
    this.trailBefore(row, body[0]?.location.row ?? row);
    this.expressions(body, guardsUnion);
    const inner = this.lines.join('\n');
    this.lines = outer;
    this.indent -= 1;
    return `${inner === '' ? '' : inner}\n`;
  }

  /** An operand of an infix operator that is an operand itself: always in parentheses. */
  private operand(term: Term): string {
    const isOpen = isInfix(term) || (term.kind === 'call' && term.infix === 'in' && term.args.length === 2);
    return isOpen ? `(${this.term(term)})` : this.term(term);
  }

  /** An operand of an expression's own operator: in parentheses where it would be read as something else. */
  private side(term: Term, atLeast: number, isLead: boolean): string {
    const infix = term.kind === 'call' ? (withOperator(term).infix ?? '') : '';
    const isOpen = isLead || ((STRENGTH[infix] ?? atLeast) < atLeast && atLeast > 1);
    return isOpen ? this.operand(term) : this.term(term);
  }

  term(term: Term): string {
    switch (term.kind) {
      case 'scalar': {
        if (typeof term.value === 'string') return this.text(term, term.value);
        return term.text ?? formatTerm(term.value);
      }
      case 'var':
        return term.name.startsWith('$') ? '_' : term.name;
      case 'ref':
        return this.reference(term.terms);
      case 'array':
        return `[${this.list(term.items, term.location, (item, index) => this.item(item, index > 0))}]`;
      case 'set':
        if (term.items.length === 0) return 'set()';
        return `{${this.list(term.items, term.location, (item, index) => this.item(item, index > 0))}}`;
      case 'object': {
        const entries = term.written ?? term.entries;
        const keys = entries.map(([key]) => key);
        const entry = (key: Term, index: number): string =>
          `${this.item(key, true)}: ${this.item(entries[index]?.[1] as Term, false)}`;
        return `{${this.list(keys, term.location, entry)}}`;
      }
      case 'array-comprehension':
        return `[${this.comprehension(term, term.term)}]`;
      case 'set-comprehension':
        return `{${this.comprehension(term, term.term)}}`;
      case 'object-comprehension':
        return `{${this.item(term.key, true)}: ${this.comprehension(term, term.value)}}`;
      case 'call':
        return this.call(term, true);
      case 'template':
        return this.template(term);
    }
  }

  /** Steps that are keywords, and stood in quotes, keep them. */
  private reference(terms: readonly Term[]): string {
    const [head, ...rest] = terms;
    if (head === undefined) return '';
    const start = isInfix(head) || isIn(head) ? `(${this.term(head)})` : this.term(head);
    return start + rest.map((term) => this.step(term)).join('');
  }

  private step(term: Term): string {
    const name = term.kind === 'scalar' && typeof term.value === 'string' ? term.value : undefined;
    const isKeyword = name !== undefined && (KEYWORDS.has(name) || (this.notation.isV1 && V1_KEYWORDS.has(name)));
    if (name === undefined || (isKeyword && this.source[term.location.offset] === '"')) return `[${this.term(term)}]`;
    return IDENTIFIER.test(name) ? `.${name}` : `[${this.term(term)}]`;
  }

  /** As it was written, where the source still says the same. */
  private text(term: ScalarTerm, value: string): string {
    if (term.raw === true && !value.includes('`')) return `\`${value}\``;
    const written = this.source.slice(term.location.offset, term.location.end);
    if (written.startsWith('"') && written.endsWith('"') && sameText(written, value)) return written;
    return quoteString(value);
  }

  /** An item of a collection: `|` would read as a comprehension, `k, v in` as two items. */
  private item(term: Term, guardsIn: boolean): string {
    if (isUnion(term) || (guardsIn && isIn(term))) return `(${this.term(term)})`;
    return this.term(term);
  }

  private comprehension(
    comprehension: Term & { kind: 'array-comprehension' | 'set-comprehension' | 'object-comprehension' },
    term: Term,
  ): string {
    const { body, location, kind } = comprehension;
    const isBelow = kind !== 'object-comprehension' && term.location.row > location.row && location.row > 0;
    const isWrapped = isInfix(term) && (isUnion(term) || this.source[term.location.offset] === '(');
    const head = isWrapped ? `(${this.term(term)})` : this.term(term);
    const row = kind === 'object-comprehension' ? location.row : term.location.row;
    const inner = this.innerBody(body, row, false);
    const start = isBelow ? `\n${this.pad()}` : '';
    return `${start}${head} |${inner}${inner.endsWith('\n') ? this.pad() : ''}`;
  }

  /** Items with commas: those on one row stay on one, others begin a line of their own. */
  private list(items: readonly Term[], from: Location, print: (item: Term, index: number) => string): string {
    const [first] = items;
    if (first === undefined) return '';
    let row = first.location.row;
    const isBroken =
      from.row > 0 &&
      (row > from.row || (items.some((item) => item.location.row > row) && !items.some(isGenerated))) &&
      row >= from.row;
    if (!isBroken) return items.map(print).join(', ');
    this.indent += 1;
    let text = `\n${this.pad()}`;
    for (const [index, item] of items.entries()) {
      const isBelow = item.location.row > row && !items.some(isGenerated);
      row = Math.max(row, item.location.row);
      if (index > 0) text += isBelow ? `,\n${this.pad()}` : ', ';
      text += print(item, index);
    }
    this.indent -= 1;
    return `${text},\n${this.pad()}`;
  }

  private arguments(args: readonly Term[], from: Location): string {
    const print = (arg: Term, index: number): string => {
      const isWrapped = (isIn(arg) && index > 0) || (isUnion(arg) && this.source[arg.location.offset] === '(');
      return isWrapped ? `(${this.term(arg)})` : this.term(arg);
    };
    return `(${this.list(args, from, print)})`;
  }

  private call(written: CallTerm, isNested: boolean): string {
    const term = withOperator(written);
    const { infix, args, operator } = term;
    const [left, right] = args;
    if (infix === 'unary' && right !== undefined) return `-${this.term(right)}`;
    if (infix === 'in') return args.length === 3 && isNested ? `(${this.membership(term)})` : this.membership(term);
    if (isInfix(term) && left !== undefined && right !== undefined)
      return `${this.operand(left)} ${infix} ${this.operand(right)}`;
    return `${this.term(operator)}${this.arguments(args, operator.location)}`;
  }

  /** `x in xs`, `k, v in xs`: `in` groups to the left. */
  private membership(term: CallTerm): string {
    const operands = term.args.map((arg, index) => {
      if (arg.kind !== 'call' || arg.infix !== 'in') return this.operand(arg);
      const isLeft = index === 0 && term.args.length === 2 && arg.args.length === 2;
      return isLeft ? this.membership(arg) : `(${this.membership(arg)})`;
    });
    return `${operands.slice(0, -1).join(', ')} in ${operands.at(-1)}`;
  }

  private template(term: Term & { kind: 'template' }): string {
    const parts = term.parts.map((part) => {
      const text = constantText(part, term.raw);
      if (text === undefined) return `{${'negated' in part ? this.expression(part) : this.term(part)}}`;
      return (term.raw ? text : quoteString(text).slice(1, -1)).replaceAll('{', '\\{');
    });
    const quote = term.raw ? '`' : '"';
    return `$${quote}${parts.join('')}${quote}`;
  }
}

/** Variables OPA makes have no place that could be trusted. */
function isGenerated(term: Term): boolean {
  return term.kind === 'var' && term.name.startsWith('__local');
}

/** Calls of operators by name are written with the operator. */
const OPERATORS = new Map([...INFIX_OPERATORS].map(([infix, name]) => [name, infix]));

/** An operator called by name with a place for its value is written as an equation. */
function withoutOutput(call: CallExpression): CallExpression {
  const infix = call.infix === undefined ? OPERATORS.get(operatorName(call.operator) ?? '') : undefined;
  const [left, right, output] = call.args;
  if (infix === undefined || infix === 'in' || call.args.length !== 3) return call;
  if (left === undefined || right === undefined || output === undefined) return call;
  const { operator, location } = call;
  const value: CallTerm = { kind: 'call', operator, args: [left, right], infix, location };
  return { ...call, args: [output, value], infix: '=' };
}

function withOperator<T extends CallExpression | CallTerm>(call: T): T {
  const infix = call.infix === undefined ? OPERATORS.get(operatorName(call.operator) ?? '') : undefined;
  return infix === undefined || call.args.length !== 2 ? call : { ...call, infix };
}

function isTrue(body: Body): boolean {
  const [only] = body;
  if (body.length !== 1 || only?.kind !== 'term' || only.negated || only.with.length > 0) return false;
  return only.term.kind === 'scalar' && only.term.value === true;
}

function sameText(written: string, value: string): boolean {
  try {
    return JSON.parse(written) === value;
  } catch {
    return false;
  }
}

/** `rego.v1` says what `future.keywords` does, `rego.v2` says both. */
function isRedundant({ path: [root, second] }: Import, all: readonly Import[]): boolean {
  const versions = all.flatMap(({ path }) => (path[0] === 'rego' ? [path[1]] : []));
  if (root === 'rego') return second === 'v1' && versions.includes('v2');
  return root === 'future' && second === 'keywords' && versions.length > 0;
}

function compareImports(a: Import, b: Import): number {
  const [left, right] = [
    [...a.path, a.alias ?? ''],
    [...b.path, b.alias ?? ''],
  ];
  for (const [index, part] of left.entries()) {
    const other = right[index];
    if (other === undefined || part !== other) return other === undefined || part > other ? 1 : -1;
  }
  return left.length - right.length;
}

function printPath(path: readonly string[]): string {
  return path
    .map((part, index) => (index === 0 ? part : IDENTIFIER.test(part) ? `.${part}` : `[${quoteString(part)}]`))
    .join('');
}

function printImport(statement: Import): string {
  const alias = statement.alias === undefined ? '' : ` as ${statement.alias}`;
  return `import ${printPath(statement.path)}${alias}`;
}

/** Prints a module with its comments. */
export function printModule(module: Module): string {
  const starts = [0];
  for (let i = module.source.indexOf('\n'); i >= 0; i = module.source.indexOf('\n', i + 1)) starts.push(i + 1);
  const rowOf = (offset: number): number => {
    let [low, high] = [0, starts.length];
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) < offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
  const printer = new Printer(module.comments, module.source, rowOf);
  printer.module(module);
  return printer.finish();
}

/** Prints one term on as few lines as it takes. */
export function printTerm(term: Term): string {
  return new Printer([]).term(term);
}

export interface FormatOptions extends ParseOptions {
  readonly file?: string;
}

/** Formats a module's text; doing it again changes nothing. Errors: `RegoErrors`. */
export function formatModule(text: string, options: FormatOptions = {}): string {
  return printModule(parseModuleSource(options.file ?? '', text, options));
}

/** What a part of a template says whatever is asked, as text; undefined where only the part itself says it. */
function constantText(part: Term | Expression, isRaw: boolean): string | undefined {
  if (!('negated' in part)) return part.kind === 'scalar' && typeof part.value === 'string' ? part.value : undefined;
  if (part.kind !== 'term' || part.with.length > 0 || part.term.kind !== 'scalar') return undefined;
  const { value, text } = part.term;
  // `1.50` is 1.5 here, and would not be as text.
  if (typeof value !== 'string')
    return text === undefined || text === formatTerm(value) ? formatTerm(value) : undefined;
  return isRaw && /[`\\]/.test(value) ? undefined : value;
}
