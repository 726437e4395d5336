/** `parse`: a module's syntax tree as OPA prints it, as JSON or one node a line. */

import { builtins } from '../builtins/index.js';
import { type Annotation, moduleAnnotations } from '../compile/annotations.js';
import {
  type Body,
  type Expression,
  type Head,
  isWildcard,
  type Module,
  type Rule,
  type Term,
  type With,
} from '../syntax/ast.js';
import { bodyToValue, syntaxToValue, termToValue, writtenNumbers } from '../syntax/module-to-value.js';
import {
  compare,
  entriesOf,
  formatTerm,
  get,
  isArray,
  isObject,
  isPlainObject,
  keyOf,
  type Value,
} from '../values/index.js';
import { type OrderedJson, orderedJson, RegoJson, WrittenJson } from './ordered-json.js';

/** The order of Go's struct fields, by a field that tells the struct; other nodes are sorted by name. */
const FIELD_ORDERS: readonly (readonly [string, readonly string[]])[] = [
  ['package', ['package', 'imports', 'annotations', 'rules', 'comments']],
  ['ref', ['name', 'args', 'key', 'value', 'assign', 'ref']],
  ['domain', ['body', 'domain', 'key', 'value']],
  ['multi_line', ['parts', 'multi_line']],
  ['term', ['term', 'body']],
  ['key', ['key', 'value', 'body']],
];

/** The order of OPA's terms of different types. */
const TYPE_ORDER = ['null', 'boolean', 'number', 'string', 'var', 'ref', 'array', 'object', 'set'];
const TYPES_LAST = ['arraycomprehension', 'setcomprehension', 'objectcomprehension', 'templatestring', 'call'];
const ALL_TYPES: readonly Value[] = [...TYPE_ORDER, ...TYPES_LAST];

/** Orders the JSON forms of two terms: the keys of objects are sorted. */
function compareTerms(a: Value, b: Value): number {
  const type = (value: Value): number => ALL_TYPES.indexOf((isObject(value) && get(value, 'type')) || null);
  const inner = (value: Value): Value => (isPlainObject(value) ? (get(value, 'value') ?? null) : value);
  const [left, right] = [inner(a), inner(b)];
  if (!isArray(left) || !isArray(right)) return type(a) - type(b) || compare(left, right);
  if (type(a) !== type(b)) return type(a) - type(b);
  for (const [index, item] of left.entries()) {
    const other = right[index];
    const order = other === undefined ? 1 : compareTerms(item, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function sortedEntries(value: Value): Value {
  if (!isObject(value)) return value;
  const items = get(value, 'value');
  if (get(value, 'type') === 'set' && isArray(items)) {
    const different = new Map(items.map((item) => [keyOf(item), item]));
    return { type: 'set', value: [...different.values()].sort(compareTerms) };
  }
  if (get(value, 'type') !== 'object') return value;
  const entries = (get(value, 'value') ?? []) as readonly (readonly [Value, Value])[];
  return { type: 'object', value: [...entries].sort(([a], [b]) => compareTerms(a, b)) };
}

function ordered(given: Value): OrderedJson {
  // Go writes OPA's null as an empty struct.
  if (isObject(given) && get(given, 'type') === 'null') return { type: 'null', value: {} };
  const written = isObject(given) ? writtenNumbers.get(given) : undefined;
  if (written !== undefined) return { type: 'number', value: new WrittenJson(written) };
  const value = sortedEntries(given);
  if (isArray(value)) return value.map(ordered);
  if (!isObject(value)) return new RegoJson(value);
  const fields = new Map([...entriesOf(value)] as [string, Value][]);
  const names = FIELD_ORDERS.find(([mark]) => fields.has(mark))?.[1] ?? [...fields.keys()].sort();
  const entries = names.filter((name) => fields.has(name)).map((name) => [name, ordered(fields.get(name) as Value)]);
  return Object.fromEntries(entries) as OrderedJson;
}

function base64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function isSameDocument(a: Rule, b: Rule): boolean {
  const path = ({ head }: Rule): string => String(keyOf(head.ref.map(termToValue)));
  return path(a) === path(b);
}

function withAnnotations(module: Module): Value {
  const tree = syntaxToValue(module);
  const all = moduleAnnotations(module, builtins.get('yaml.unmarshal'));
  const rules = get(tree, 'rules');
  if (all.length === 0 || !isPlainObject(tree)) return tree;
  const annotated = module.rules.map((source, index) => {
    const isOwn = ({ target, scope }: Annotation): boolean =>
      target === source || (scope === 'document' && typeof target === 'object' && isSameDocument(target, source));
    const own = all.filter(isOwn).map(({ value }) => value);
    const rule = rules === undefined ? undefined : get(rules, index);
    return own.length === 0 || !isPlainObject(rule) ? (rule ?? null) : { ...rule, annotations: own };
  });
  const annotations = all.map(({ value }) => value);
  return rules === undefined ? { ...tree, annotations } : { ...tree, annotations, rules: annotated };
}

/** A body as OPA writes it as JSON. */
export const bodyDocument = (body: Body): OrderedJson => ordered(bodyToValue(body));

/** A module as OPA writes it as JSON, without comments and annotations. */
export const moduleDocument = (module: Module): OrderedJson => ordered(syntaxToValue(module));

/** The tree as `opa parse --format json` writes it. */
export function syntaxTreeJson(module: Module, { comments: hasComments = true } = {}): string {
  const tree = ordered(withAnnotations(module)) as { readonly [key: string]: OrderedJson };
  const comments = module.comments.map(({ text, location: { file, row, col } }) => ({
    Text: base64(text),
    Location: { file, row, col },
  }));
  return orderedJson({ ...tree, comments: comments.length === 0 || !hasComments ? undefined : comments });
}

/** Prints nodes below each other, children one column further in. */
class TreePrinter {
  readonly lines: string[] = [];
  private depth = 0;

  private line(text: string): void {
    this.lines.push(' '.repeat(this.depth) + text);
  }

  private node(name: string, children: () => void): void {
    this.line(name);
    this.depth += 1;
    children();
    this.depth -= 1;
  }

  private path(path: readonly string[]): void {
    this.node('ref', () => {
      for (const [index, part] of path.entries()) this.line(index === 0 ? part : formatTerm(part));
    });
  }

  module(module: Module): void {
    this.node('module', () => {
      this.node('package', () => this.path(['data', ...module.package.path]));
      for (const { path, alias } of module.imports) {
        this.node('import', () => {
          this.path(path);
          this.line(alias ?? '');
        });
      }
      for (const rule of module.rules) this.rule(rule, rule.otherwise);
      for (const { text, location } of module.comments) {
        if (location.col === 1 && text.trim().startsWith('METADATA')) this.line('annotations');
      }
      for (const _ of module.comments) this.line('comment');
    });
  }

  private rule(rule: Rule, otherwise: readonly Rule[]): void {
    this.node('rule', () => {
      this.head(rule.head);
      this.body(rule.body);
      const [next, ...rest] = otherwise;
      if (next !== undefined) this.rule(next, rest);
    });
  }

  private head(head: Head): void {
    this.node('head', () => {
      this.operator({ kind: 'ref', terms: head.ref, location: head.location });
      if (head.args !== undefined && head.args.length > 0) this.node('args', () => this.terms(head.args ?? []));
      // OPA's printer leaves out the key of a set's rule, too.
      if (head.value !== undefined) this.term(head.value);
    });
  }

  private body(body: Body): void {
    this.node('body', () => {
      for (const [index, expression] of body.entries()) this.expression(expression, index);
    });
  }

  private expression(expression: Expression, index: number): void {
    this.node(`expr ${expression.negated ? 'negated ' : ''}index=${index}`, () => {
      this.content(expression);
      for (const modifier of expression.with) this.modifier(modifier);
    });
  }

  private modifier({ target, value }: With): void {
    this.node('with', () => this.terms([target, value]));
  }

  private content(expression: Expression): void {
    switch (expression.kind) {
      case 'term':
        this.term(expression.term);
        break;
      case 'call':
        this.operator(expression.operator);
        this.terms(expression.args);
        break;
      case 'some':
        this.node('somedecl', () => this.terms(expression.symbols));
        break;
      case 'every':
        this.node('every', () => {
          if (expression.key !== undefined) this.term(expression.key);
          this.terms([expression.value, expression.domain]);
          this.body(expression.body);
        });
        break;
      case 'not':
        this.node('not', () => this.body(expression.body));
        break;
      case 'and':
      case 'or':
        this.node(`logical${expression.kind}`, () => {
          this.body(expression.left);
          this.body(expression.right);
        });
        break;
    }
  }

  private operator(operator: Term): void {
    this.term(operator.kind === 'ref' ? operator : { kind: 'ref', terms: [operator], location: operator.location });
  }

  private terms(terms: readonly Term[]): void {
    for (const term of terms) this.term(term);
  }

  private term(term: Term): void {
    switch (term.kind) {
      case 'scalar':
        this.line(formatTerm(term.value));
        break;
      case 'var':
        this.line(isWildcard(term.name) ? '_' : term.name);
        break;
      case 'ref':
        this.node('ref', () => this.terms(term.terms));
        break;
      case 'array':
        this.node('array', () => this.terms(term.items));
        break;
      case 'set':
        this.node('set', () => {
          this.terms([...term.items].sort((a, b) => compareTerms(termToValue(a), termToValue(b))));
        });
        break;
      case 'object':
        this.node('object', () => {
          const entries = [...term.entries].sort(([a], [b]) => compareTerms(termToValue(a), termToValue(b)));
          for (const [key, value] of entries) this.terms([key, value]);
        });
        break;
      case 'call':
        this.node('call', () => {
          this.operator(term.operator);
          this.terms(term.args);
        });
        break;
      case 'array-comprehension':
      case 'set-comprehension':
        this.node(term.kind.replace('-', ''), () => {
          this.term(term.term);
          this.body(term.body);
        });
        break;
      case 'object-comprehension':
        this.node('objectcomprehension', () => {
          this.terms([term.key, term.value]);
          this.body(term.body);
        });
        break;
      case 'template':
        this.node('templatestring', () => {
          for (const [index, part] of term.parts.entries()) {
            if ('negated' in part) this.expression(part, index);
            else this.term(part);
          }
        });
        break;
    }
  }
}

/** The tree as `opa parse` writes it for people. */
export function prettySyntaxTree(module: Module): string {
  const printer = new TreePrinter();
  printer.module(module);
  return `${printer.lines.join('\n')}\n`;
}
