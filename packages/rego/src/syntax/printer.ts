/**
 * From the tree back to text. Printing and parsing again gives the same tree; comments go back to
 * where they stood relative to statements and expressions. Layout follows `opa fmt`: tabs, one
 * expression a line, collections broken over lines stay so.
 */
import { formatTerm } from '../values/index.js';
import type { Body, Comment, Expression, Head, Import, LogicalExpression, Module, Rule, Term } from './ast.js';
import { type ParseOptions, parseModuleSource } from './parser.js';

/** Binding strength of infix operators; anything else binds tightest. */
const STRENGTH: Readonly<Record<string, number>> = {
  in: 1,
  '==': 2,
  '!=': 2,
  '<': 2,
  '>': 2,
  '<=': 2,
  '>=': 2,
  '|': 3,
  '&': 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
};
const TIGHTEST = 7;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function quoteString(text: string): string {
  return JSON.stringify(text);
}

function strength(term: Term): number {
  return term.kind === 'call' && term.infix !== undefined ? (STRENGTH[term.infix] ?? TIGHTEST) : TIGHTEST;
}

/** The ways a body's expressions are written: by themselves, or one a line. */
class Printer {
  private lines: string[] = [];
  private indent = 0;
  private pending: readonly Comment[];
  /** The first expression after `{`: a bare `|` would read as a comprehension. */
  private opensBraces = false;

  constructor(comments: readonly Comment[]) {
    this.pending = comments;
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
    this.flush(Number.POSITIVE_INFINITY);
    while (this.lines.at(-1) === '') this.lines.pop();
    return `${this.lines.join('\n')}\n`;
  }

  module(module: Module, endRow: (offset: number) => number): void {
    const { package: pkg, imports, rules } = module;
    this.flush(pkg.location.row);
    this.line(`package ${printPath(pkg.path)}`);
    this.trail(pkg.location.row);
    if (imports.length > 0) this.line('');
    for (const statement of imports) {
      this.flush(statement.location.row);
      this.line(printImport(statement));
      this.trail(statement.location.row);
    }
    let previous: Rule | undefined;
    for (const rule of rules) {
      const apart =
        previous === undefined ||
        !isOneLine(previous) ||
        !isOneLine(rule) ||
        rule.location.row !== previous.location.row + 1;
      if (apart && this.lines.at(-1) !== '') this.line('');
      this.flush(rule.location.row);
      this.rule(rule, endRow);
      this.trail(endRow(rule.location.end));
      previous = rule;
    }
  }

  private rule(rule: Rule, endRow: (offset: number) => number): void {
    let text = `${rule.default ? 'default ' : ''}${this.head(rule.head)}`;
    text = this.body(rule, text, endRow);
    for (const branch of rule.otherwise) {
      const { head } = branch;
      text += ' else';
      if (!head.generatedValue && head.value !== undefined)
        text += ` ${head.assign ? ':=' : '='} ${this.term(head.value)}`;
      text = this.body(branch, text, endRow);
    }
    this.line(text);
  }

  /** Prints a rule's body; returns the text of the line still open. */
  private body(rule: Rule, opening: string, endRow: (offset: number) => number): string {
    if (rule.generatedBody || rule.default) return opening;
    const keyword = rule.head.keywords.includes('if') ? ' if' : '';
    const [only] = rule.body;
    if (
      keyword !== '' &&
      only !== undefined &&
      rule.body.length === 1 &&
      only.location.row === rule.head.location.row
    ) {
      const text = this.expression(only);
      if (!text.startsWith('{') && !text.includes('\n')) return `${opening}${keyword} ${text}`;
    }
    this.line(`${opening}${keyword} {`);
    this.indent += 1;
    let previous: Expression | undefined;
    for (const expression of rule.body) {
      const gap = previous !== undefined && expression.location.row > endRow(previous.location.end) + 1;
      const [comment] = this.pending;
      const hasComment = comment !== undefined && comment.location.row < expression.location.row;
      if (gap && !hasComment) this.line('');
      this.flush(expression.location.row);
      this.line(previous === undefined ? this.firstExpression(expression) : this.expression(expression));
      this.trail(endRow(expression.location.end));
      previous = expression;
    }
    const last = rule.location.end > 0 ? endRow(rule.location.end) : 0;
    if (rule.otherwise.length === 0) this.flush(last);
    this.indent -= 1;
    return '}';
  }

  private head(head: Head): string {
    let text = printReference(head.ref, (term) => this.term(term));
    if (head.args !== undefined) text += `(${head.args.map((arg) => this.term(arg)).join(', ')})`;
    if (head.key !== undefined) {
      if (head.keywords.includes('contains')) return `${text} contains ${this.term(head.key)}`;
      text += printStep(head.key, (term) => this.term(term));
    }
    if (head.value === undefined || head.generatedValue) return text;
    return `${text} ${head.assign ? ':=' : '='} ${this.term(head.value)}`;
  }

  /** An expression; bodies inside are indented below it. */
  expression(expression: Expression): string {
    let text = (expression.negated ? 'not ' : '') + this.plain(expression);
    for (const { target, value } of expression.with) text += ` with ${this.term(target)} as ${this.term(value)}`;
    return text;
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
        const { infix, args, operator, location } = expression;
        const [left, right] = args;
        if ((infix === '=' || infix === ':=') && left !== undefined && right !== undefined) {
          return `${this.term(left)} ${infix} ${this.term(right)}`;
        }
        const call: Term = { kind: 'call', operator, args, location, ...(infix === undefined ? {} : { infix }) };
        return this.term(call);
      }
      case 'some':
        return `some ${expression.symbols.map((symbol) => this.term(symbol)).join(', ')}`;
      case 'every': {
        const key = expression.key === undefined ? '' : `${this.term(expression.key)}, `;
        const domain = this.operand(expression.domain, 2);
        return `every ${key}${this.term(expression.value)} in ${domain} ${this.block(expression.body)}`;
      }
      case 'not': {
        if (expression.explicit) return `not ${this.block(expression.body)}`;
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
    if (explicit || only === undefined || body.length !== 1) return this.block(body);
    const text = this.expression(only);
    const own = only.kind === 'and' ? 2 : only.kind === 'or' ? 1 : 4;
    const needsParens = only.with.length > 0 || own < level || text.startsWith('{');
    return needsParens ? `(${text})` : text;
  }

  private block(body: Body): string {
    this.indent += 1;
    const print = (expression: Expression, index: number): string =>
      index === 0 ? this.firstExpression(expression) : this.expression(expression);
    const inner = body.map((expression, index) => `${this.pad()}${print(expression, index)}\n`).join('');
    this.indent -= 1;
    return `{\n${inner}${this.pad()}}`;
  }

  private inlineBody(body: Body): string {
    return body.map((expression) => this.expression(expression)).join('; ');
  }

  private operand(term: Term, level: number): string {
    const text = this.term(term);
    const isWrapped = this.opensBraces && term.kind === 'call' && term.infix === '|';
    return strength(term) < level && !isWrapped ? `(${text})` : text;
  }

  term(term: Term): string {
    switch (term.kind) {
      case 'scalar': {
        if (typeof term.value === 'string') {
          return term.raw === true && !term.value.includes('`') ? `\`${term.value}\`` : quoteString(term.value);
        }
        return term.text ?? formatTerm(term.value);
      }
      case 'var':
        return term.name.startsWith('$') ? '_' : term.name;
      case 'ref':
        return printReference(term.terms, (inner) => this.term(inner));
      case 'array':
        return this.list('[', () => term.items.map((item) => this.item(item)), ']', term);
      case 'set':
        if (term.items.length === 0) return 'set()';
        return this.list('{', () => term.items.map((item) => this.item(item)), '}', term);
      case 'object': {
        const entries = (): string[] => term.entries.map(([key, value]) => `${this.item(key)}: ${this.item(value)}`);
        return this.list('{', entries, '}', term);
      }
      case 'array-comprehension':
        return `[${this.operand(term.term, TIGHTEST)} | ${this.inlineBody(term.body)}]`;
      case 'set-comprehension':
        return `{${this.operand(term.term, TIGHTEST)} | ${this.inlineBody(term.body)}}`;
      case 'object-comprehension': {
        const key = this.operand(term.key, TIGHTEST);
        return `{${key}: ${this.operand(term.value, TIGHTEST)} | ${this.inlineBody(term.body)}}`;
      }
      case 'call':
        return this.call(term);
      case 'template':
        return this.template(term);
    }
  }

  /** An item of a collection: `|` would read as a comprehension, `k, v in` as two items. */
  private item(term: Term): string {
    return this.operand(term, 4);
  }

  private list(
    open: string,
    items: () => readonly string[],
    close: string,
    term: Term & { kind: 'array' | 'set' | 'object' },
  ): string {
    const first = term.kind === 'object' ? term.entries[0]?.[0] : term.items[0];
    const isBroken = first !== undefined && first.location.row > term.location.row && term.location.row > 0;
    if (!isBroken) return `${open}${items().join(', ')}${close}`;
    this.indent += 1;
    const inner = items()
      .map((item) => `${this.pad()}${item},\n`)
      .join('');
    this.indent -= 1;
    return `${open}\n${inner}${this.pad()}${close}`;
  }

  private call(term: Term & { kind: 'call' }): string {
    const { infix, args, operator } = term;
    const [left, right, third] = args;
    if (infix === 'unary' && right !== undefined) return `-${this.term(right)}`;
    if (infix === 'in' && left !== undefined && right !== undefined) {
      if (third === undefined) return `${this.operand(left, 1)} in ${this.operand(right, 2)}`;
      return `${this.operand(left, 2)}, ${this.operand(right, 2)} in ${this.operand(third, 2)}`;
    }
    const own = infix === undefined ? undefined : STRENGTH[infix];
    if (own !== undefined && left !== undefined && right !== undefined) {
      const text = `${this.operand(left, own)} ${infix} ${this.operand(right, own + 1)}`;
      return infix === '|' && this.opensBraces ? `(${text})` : text;
    }
    return `${this.term(operator)}(${args.map((arg) => this.operand(arg, arg.kind === 'call' && arg.infix === 'in' ? 2 : 0)).join(', ')})`;
  }

  private template(term: Term & { kind: 'template' }): string {
    const parts = term.parts.map((part) => {
      if ('negated' in part) return `{${this.expression(part)}}`;
      const isText = part.kind === 'scalar' && typeof part.value === 'string';
      if (!isText) return `{${this.term(part)}}`;
      const text = String((part as { value: unknown }).value);
      return (term.raw ? text : quoteString(text).slice(1, -1)).replaceAll('{', '\\{');
    });
    const quote = term.raw ? '`' : '"';
    return `$${quote}${parts.join('')}${quote}`;
  }
}

function isOneLine(rule: Rule): boolean {
  return rule.generatedBody || rule.default;
}

function printStep(term: Term, print: (term: Term) => string): string {
  if (term.kind === 'scalar' && typeof term.value === 'string' && IDENTIFIER.test(term.value)) return `.${term.value}`;
  return `[${print(term)}]`;
}

/** A reference: dots where the step is an identifier. */
export function printReference(terms: readonly Term[], print: (term: Term) => string): string {
  const [head, ...rest] = terms;
  if (head === undefined) return '';
  const isSimple = head.kind !== 'call' || head.infix === undefined;
  const start = isSimple ? print(head) : `(${print(head)})`;
  return start + rest.map((term) => printStep(term, print)).join('');
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
  const printer = new Printer(module.comments);
  printer.module(module, rowOf);
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
