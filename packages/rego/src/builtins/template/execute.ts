/** Executes Go templates on values: the functions of text/template, and its notion of truth. */
import {
  BigNumber,
  compareNumbers,
  compareStrings,
  type Entry,
  entriesOf,
  equal,
  get,
  isArray,
  isNumber,
  isObject,
  makeObject,
  numberText,
  size,
  stringifyString,
  typeOf,
  type Value,
} from '../../values/index.js';
import { utf8 } from '../bytes.js';
import { sprintf } from '../go-format.js';
import { queryEscape } from '../url.js';
import type { ParsedTemplate } from './parse.js';
import { type Command, type Operand, type Pipeline, TemplateError, type TemplateNode, type Term } from './syntax.js';

/** Nothing: a missing key, or nil. */
type Item = Value | undefined;

const failure = (message: string): TemplateError =>
  new TemplateError(`template: template:1: executing "template": ${message}`);

/** Go's `%v` of what JSON decodes to. */
export function show(value: Item, isNested = false): string {
  if (value === undefined || value === null) return isNested ? '<nil>' : '<no value>';
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || value instanceof BigNumber) return numberText(value);
  if (isArray(value)) return `[${value.map((item) => show(item, true)).join(' ')}]`;
  if (!isObject(value)) return '';
  return `map[${[...entriesOf(value)].map(([key, item]) => `${show(key, true)}:${show(item, true)}`).join(' ')}]`;
}

function isTrue(value: Item): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  if (isArray(value) || isObject(value)) return (size(value) as number) > 0;
  return !isNumber(value) || value !== 0;
}

function compareItems(a: Item, b: Item): number {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b);
  throw failure('error calling lt: incompatible types for comparison');
}

function areEqual(a: Item, b: Item): boolean {
  if (a === undefined || b === undefined || a === null || b === null) return (a ?? null) === (b ?? null);
  if (typeOf(a) !== typeOf(b)) throw failure('error calling eq: incompatible types for comparison');
  return equal(a, b);
}

function indexInto(container: Item, keys: readonly Item[]): Item {
  let value = container;
  for (const key of keys) {
    if (value === undefined || value === null) throw failure('error calling index: index of untyped nil');
    if (isArray(value) && (typeof key !== 'number' || key < 0 || key >= value.length)) {
      throw failure(`error calling index: index out of range: ${show(key)}`);
    }
    if (!isArray(value) && !isObject(value))
      throw failure(`error calling index: can't index item of type ${typeOf(value)}`);
    value = get(value, key as Value);
  }
  return value;
}

function slice(container: Item, bounds: readonly Item[]): Item {
  const [low = 0, high] = bounds as readonly (number | undefined)[];
  const length = isArray(container) ? container.length : typeof container === 'string' ? container.length : -1;
  if (length < 0) throw failure("error calling slice: can't slice item");
  const end = high ?? length;
  if (low < 0 || end > length || low > end) throw failure(`error calling slice: index out of range: ${end}`);
  return (container as string | readonly Value[]).slice(low, end);
}

const HTML: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\ufffd',
};
const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

/** fmt.Sprint: a space between operands neither of which is a string. */
function print(args: readonly Item[]): string {
  let out = '';
  for (const [i, value] of args.entries()) {
    if (i > 0 && typeof value !== 'string' && typeof args[i - 1] !== 'string') out += ' ';
    out += show(value, true);
  }
  return out;
}

const FUNCTIONS: Readonly<Record<string, (args: readonly Item[]) => Item>> = {
  not: ([value]) => !isTrue(value),
  len: ([value]) => {
    if (typeof value === 'string') return utf8(value).length;
    if (isArray(value) || isObject(value)) return size(value);
    throw failure('error calling len: len of type without length');
  },
  index: ([container, ...keys]) => indexInto(container, keys),
  slice: ([container, ...bounds]) => slice(container, bounds),
  print,
  println: (args) => `${args.map((value) => show(value, true)).join(' ')}\n`,
  printf: ([format, ...args]) => {
    if (typeof format !== 'string') throw failure('wrong type for value; expected string');
    return sprintf(
      format,
      args.map((value) => (isArray(value) || isObject(value) ? show(value) : (value ?? '<nil>'))),
    );
  },
  html: (args) => print(args).replace(/["'&<>\0]/g, (character) => HTML[character] as string),
  js: (args) => {
    const quoted = stringifyString(print(args)).slice(1, -1).replace(/\\"/g, '"').replace(/\\\\/g, '\\');
    return quoted.replace(/["'<>&=\\]/g, (character) => JS[character] as string);
  },
  urlquery: (args) => queryEscape(print(args)),
  eq: ([first, ...others]) => {
    if (others.length === 0) throw failure('error calling eq: missing argument for comparison');
    return others.some((other) => areEqual(first, other));
  },
  ne: ([a, b]) => !areEqual(a, b),
  lt: ([a, b]) => compareItems(a, b) < 0,
  le: ([a, b]) => compareItems(a, b) <= 0,
  gt: ([a, b]) => compareItems(a, b) > 0,
  ge: ([a, b]) => compareItems(a, b) >= 0,
};

class Break extends Error {}
class Continue extends Error {}

interface Variable {
  readonly name: string;
  value: Item;
}

const MAX_CALLS = 100;

class Executor {
  private readonly template: ParsedTemplate;
  private readonly charge: (steps: number) => void;
  private variables: Variable[];
  private calls = 0;
  out = '';

  constructor(template: ParsedTemplate, data: Value, charge: (steps: number) => void) {
    this.template = template;
    this.charge = charge;
    this.variables = [{ name: '$', value: data }];
  }

  run(nodes: readonly TemplateNode[], dot: Item): void {
    for (const node of nodes) {
      this.charge(1);
      this.node(node, dot);
    }
  }

  private node(node: TemplateNode, dot: Item): void {
    switch (node.kind) {
      case 'text':
        this.out += node.text;
        break;
      case 'action': {
        const value = this.pipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) this.out += show(value);
        break;
      }
      case 'break':
        throw new Break();
      case 'continue':
        throw new Continue();
      case 'template':
        this.call(node.name, node.pipeline === undefined ? undefined : this.pipeline(node.pipeline, dot));
        break;
      default:
        this.control(node, dot);
    }
  }

  private call(name: string, dot: Item): void {
    const nodes = this.template.named.get(name);
    if (nodes === undefined) throw failure(`template "${name}" not defined`);
    this.calls++;
    if (this.calls > MAX_CALLS) throw failure('exceeded maximum template depth');
    const outer = this.variables;
    this.variables = [{ name: '$', value: dot }];
    this.run(nodes, dot);
    this.variables = outer;
    this.calls--;
  }

  private control(node: Extract<TemplateNode, { kind: 'if' | 'with' | 'range' }>, dot: Item): void {
    const scope = this.variables.length;
    if (node.kind === 'range') this.range(node, dot);
    else {
      const value = this.pipeline(node.pipeline, dot);
      const inner = node.kind === 'with' ? value : dot;
      if (isTrue(value)) this.run(node.body, inner);
      else this.run(node.otherwise, dot);
    }
    this.variables.length = scope;
  }

  private range(node: Extract<TemplateNode, { kind: 'if' | 'with' | 'range' }>, dot: Item): void {
    const { pipeline } = node;
    const value = this.pipeline({ ...pipeline, variables: [] }, dot);
    const pairs = this.pairs(value);
    if (pairs.length === 0) {
      this.run(node.otherwise, dot);
      return;
    }
    const scope = this.variables.length;
    for (const [key, item] of pairs) {
      this.charge(1);
      const names = pipeline.variables;
      if (names.length === 1) this.bind(names[0] as string, item, pipeline.isAssignment);
      if (names.length > 1) {
        this.bind(names[0] as string, key, pipeline.isAssignment);
        this.bind(names[1] as string, item, pipeline.isAssignment);
      }
      try {
        this.run(node.body, item);
      } catch (error) {
        if (error instanceof Break) break;
        if (!(error instanceof Continue)) throw error;
      } finally {
        this.variables.length = scope;
      }
    }
  }

  private pairs(value: Item): readonly (readonly [Item, Item])[] {
    if (value === undefined || value === null) return [];
    if (isArray(value)) return value.map((item, i) => [i, item]);
    if (isObject(value)) return [...entriesOf(value)];
    if (typeof value === 'number' && Number.isInteger(value)) return Array.from({ length: value }, (_, i) => [i, i]);
    throw failure(`range can't iterate over ${show(value)}`);
  }

  private bind(name: string, value: Item, isAssignment: boolean): void {
    if (!isAssignment) {
      this.variables.push({ name, value });
      return;
    }
    const variable = this.variables.findLast((known) => known.name === name);
    if (variable !== undefined) variable.value = value;
  }

  private pipeline(pipeline: Pipeline, dot: Item): Item {
    let value: Item;
    for (const [i, command] of pipeline.commands.entries()) value = this.command(command, dot, i === 0 ? [] : [value]);
    for (const name of pipeline.variables) this.bind(name, value, pipeline.isAssignment);
    return value;
  }

  private command(command: Command, dot: Item, last: readonly Item[]): Item {
    const [first, ...rest] = command as [Term, ...Term[]];
    if (first.operand.kind === 'function') return this.invoke(first.operand.name, { terms: rest, dot, last });
    if (rest.length > 0 || last.length > 0) throw failure("can't give argument to non-function");
    return this.term(first, dot);
  }

  private invoke(
    name: string,
    { terms, dot, last }: { terms: readonly Term[]; dot: Item; last: readonly Item[] },
  ): Item {
    if (name === 'and' || name === 'or') {
      let value: Item = last[0];
      for (const term of terms) {
        value = this.term(term, dot);
        if (isTrue(value) === (name === 'or')) return value;
      }
      return last.length > 0 ? last[0] : value;
    }
    const implementation = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (implementation === undefined) throw failure(`error calling ${name}: not a function`);
    return implementation([...terms.map((term) => this.term(term, dot)), ...last]);
  }

  private term({ operand, fields }: Term, dot: Item): Item {
    let value = this.operand(operand, dot);
    for (const field of fields) {
      if (value === undefined) return undefined;
      if (value === null) throw failure(`nil pointer evaluating interface {}.${field}`);
      if (!isObject(value)) throw failure(`can't evaluate field ${field} in type ${typeOf(value)}`);
      value = get(value, field);
    }
    return value;
  }

  private operand(operand: Operand, dot: Item): Item {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        throw failure('nil is not a command');
      case 'literal':
        return operand.value;
      case 'variable':
        return this.variables.findLast((known) => known.name === operand.name)?.value;
      case 'function':
        return this.invoke(operand.name, { terms: [], dot, last: [] });
      case 'pipeline':
        return this.pipeline(operand.pipeline, dot);
    }
  }
}

/** OPA hands numbers over as Go's json.Number, which templates take for non-empty strings. */
function withNumbersAsText(value: Value): Value {
  if (isNumber(value)) return numberText(value);
  if (isArray(value)) return value.map(withNumbersAsText);
  if (!isObject(value)) return value;
  return makeObject([...entriesOf(value)].map(([key, member]): Entry => [key, withNumbersAsText(member)]));
}

/** Errors: `TemplateError`. */
export function executeTemplate(template: ParsedTemplate, data: Value, charge: (steps: number) => void): string {
  const prepared = withNumbersAsText(data);
  const executor = new Executor(template, prepared, charge);
  executor.run(template.root, prepared);
  return executor.out;
}
