/**
 * Random terms of a wanted type, as text. What they may read (variables in scope, rules made before,
 * `input`, `data`) is in the scope; one in a hundred is of another type or reads an unknown variable,
 * so that unsafe and ill-typed programs are met too.
 */
import { anyCall } from './calls.js';
import type { Random } from './random.js';

export type Kind = 'number' | 'string' | 'boolean' | 'array' | 'set' | 'object' | 'any';
export const KINDS: readonly Kind[] = ['number', 'string', 'boolean', 'array', 'set', 'object', 'any'];

/** A rule that others may read. */
export interface KnownRule {
  readonly name: string;
  readonly form: 'complete' | 'set' | 'object' | 'function';
  readonly kind: Kind;
  readonly args: readonly Kind[];
}

export interface Variable {
  readonly name: string;
  readonly kind: Kind;
}

/** Makes bodies for comprehensions; given by the writer of bodies, which needs terms itself. */
export type BodyMaker = (scope: Scope, size: number) => string;

export interface Scope {
  readonly random: Random;
  readonly variables: readonly Variable[];
  readonly rules: readonly KnownRule[];
  readonly isV1: boolean;
  readonly names: { next: number };
  readonly body: BodyMaker;
  /** In heads and negations nothing binds: no wildcards, most of the time. */
  readonly isClosed: boolean;
}

export function closed(scope: Scope): Scope {
  return scope.random.chance(0.97) ? { ...scope, isClosed: true } : scope;
}

export function extend(scope: Scope, ...variables: readonly Variable[]): Scope {
  return { ...scope, variables: [...scope.variables, ...variables] };
}

const READS: Readonly<Record<Kind, readonly string[]>> = {
  number: [
    'input.a',
    'input.list[0]',
    'input.list[_]',
    'data.base.nums[1]',
    'data.base.users.alice.age',
    'input.obj.n',
  ],
  string: [
    'input.b',
    'input.user',
    'data.base.names[0]',
    'data.base.names[_]',
    'input.obj.s',
    'data.base.users.bob.roles[_]',
  ],
  boolean: ['input.flag', 'data.base.flag', 'input.obj.t'],
  array: ['input.list', 'data.base.nums', 'data.base.names', 'data.base.users.alice.roles', 'input.deep[0]'],
  set: ['{x | x := input.list[_]}', '{x | x = data.base.names[_]}'],
  object: [
    'input.obj',
    'data.base.users',
    'data.base.users.alice',
    'data.base.users[input.user]',
    'input',
    'data.base.nested',
  ],
  any: [
    'input.none',
    'input.nul',
    'data.base.nested.a.b.c',
    'input.deep[0][_]',
    'data.test.extra',
    'data.base.nested[_]',
  ],
};

const LITERALS: Readonly<Record<Kind, readonly string[]>> = {
  number: ['0', '1', '2', '3', '-1', '1.5', '10', '0.1', '100000000000000000000', '9007199254740993', '-0.5'],
  string: ['"a"', '"b"', '"x"', '"alice"', '""', '"é"', '`raw`', '"a b"', '"11"', '"admin"'],
  boolean: ['true', 'false'],
  array: ['[]', '[1, 2, 3]', '["a", "b"]', '[[1], [2, "x"]]', '[null, 1, "a"]'],
  set: ['set()', '{1, 2, 3}', '{"a", "b"}', '{[1], {"k": 1}}', '{1, 1, 2}'],
  object: ['{}', '{"a": 1, "b": 2}', '{"k": {"z": [1]}}', '{1: "one", "a": null}', '{"alice": true}'],
  any: ['null', '1', '"a"', '[]', '{}', 'true'],
};

export function literal(kind: Kind, random: Random): string {
  return random.pick(LITERALS[kind]);
}

type Call = readonly [name: string, ...args: Kind[]];

const CALLS: Readonly<Record<Kind, readonly Call[]>> = {
  number: [
    ['count', 'array'],
    ['count', 'set'],
    ['count', 'object'],
    ['count', 'string'],
    ['abs', 'number'],
    ['round', 'number'],
    ['ceil', 'number'],
    ['floor', 'number'],
    ['sum', 'array'],
    ['product', 'array'],
    ['to_number', 'any'],
    ['indexof', 'string', 'string'],
    ['strings.count', 'string', 'string'],
    ['bits.and', 'number', 'number'],
    ['bits.or', 'number', 'number'],
    ['bits.lsh', 'number', 'number'],
    ['units.parse_bytes', 'string'],
    ['semver.compare', 'string', 'string'],
  ],
  string: [
    ['concat', 'string', 'array'],
    ['sprintf', 'string', 'array'],
    ['upper', 'string'],
    ['lower', 'string'],
    ['trim', 'string', 'string'],
    ['trim_left', 'string', 'string'],
    ['trim_prefix', 'string', 'string'],
    ['trim_space', 'string'],
    ['substring', 'string', 'number', 'number'],
    ['replace', 'string', 'string', 'string'],
    ['format_int', 'number', 'number'],
    ['json.marshal', 'any'],
    ['type_name', 'any'],
    ['base64.encode', 'string'],
    ['base64.decode', 'string'],
    ['hex.encode', 'string'],
    ['urlquery.encode', 'string'],
    ['crypto.md5', 'string'],
    ['strings.reverse', 'string'],
    ['regex.replace', 'string', 'string', 'string'],
    ['yaml.marshal', 'any'],
  ],
  boolean: [
    ['contains', 'string', 'string'],
    ['startswith', 'string', 'string'],
    ['endswith', 'string', 'string'],
    ['is_number', 'any'],
    ['is_string', 'any'],
    ['is_array', 'any'],
    ['is_object', 'any'],
    ['is_set', 'any'],
    ['is_null', 'any'],
    ['is_boolean', 'any'],
    ['regex.match', 'string', 'string'],
    ['glob.match', 'string', 'array', 'string'],
    ['json.is_valid', 'string'],
    ['object.subset', 'object', 'object'],
    ['strings.any_prefix_match', 'string', 'array'],
    ['net.cidr_contains', 'string', 'string'],
    ['regex.is_valid', 'string'],
    ['yaml.is_valid', 'string'],
  ],
  array: [
    ['array.concat', 'array', 'array'],
    ['array.slice', 'array', 'number', 'number'],
    ['array.reverse', 'array'],
    ['split', 'string', 'string'],
    ['sort', 'array'],
    ['sort', 'set'],
    ['numbers.range', 'number', 'number'],
    ['regex.split', 'string', 'string'],
    ['regex.find_n', 'string', 'string', 'number'],
    ['indexof_n', 'string', 'string'],
    ['array.flatten', 'array'],
  ],
  set: [
    ['object.keys', 'object'],
    ['intersection', 'set'],
    ['union', 'set'],
    ['graph.reachable', 'object', 'array'],
  ],
  object: [
    ['object.union', 'object', 'object'],
    ['object.remove', 'object', 'array'],
    ['object.filter', 'object', 'array'],
    ['json.filter', 'object', 'array'],
    ['json.remove', 'object', 'array'],
    ['object.union_n', 'array'],
  ],
  any: [
    ['max', 'array'],
    ['min', 'set'],
    ['object.get', 'object', 'string', 'any'],
    ['json.unmarshal', 'string'],
    ['yaml.unmarshal', 'string'],
    ['max', 'object'],
    ['object.get', 'object', 'array', 'any'],
  ],
};

const OPERATORS: Readonly<Partial<Record<Kind, readonly (readonly [string, Kind])[]>>> = {
  number: [
    ['+', 'number'],
    ['-', 'number'],
    ['*', 'number'],
    ['/', 'number'],
    ['%', 'number'],
  ],
  set: [
    ['|', 'set'],
    ['&', 'set'],
    ['-', 'set'],
  ],
};

export const COMPARISONS: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];

export function freshName(scope: Scope): string {
  scope.names.next += 1;
  return `${scope.random.pick(['x', 'y', 'z', 'k', 'v'])}${scope.names.next}`;
}

function variableOf(kind: Kind, scope: Scope): string | undefined {
  const { random, variables } = scope;
  if (random.chance(scope.isClosed ? 0.002 : 0.004)) return random.pick(['u1', 'u2', 'x1', 'y2', '_']);
  const fitting = variables.filter(
    (each) => kind === 'any' || each.kind === kind || each.kind === 'any' || random.chance(0.03),
  );
  return fitting.length === 0 ? undefined : random.pick(fitting).name;
}

/** An index for a collection: known, open or a wildcard. */
export function index(scope: Scope, depth: number): string {
  const { random, isClosed } = scope;
  const wildcard = (): string => (isClosed ? '0' : '_');
  return random.weighted([
    [3, wildcard],
    [3, () => variableOf('any', scope) ?? wildcard()],
    [2, () => random.pick(['0', '1', '"a"', '"k"', '"alice"', '"z"'])],
    [1, () => (depth > 0 ? term(random.pick<Kind>(['string', 'number']), scope, depth - 1) : '0')],
  ]);
}

function ruleOf(kind: Kind, scope: Scope, depth: number): string | undefined {
  const { random, rules } = scope;
  const fitting = rules.filter((rule) => {
    if (kind === 'any' || random.chance(0.04)) return true;
    if (rule.form === 'set' && kind === 'set') return true;
    if (rule.form === 'object' && kind === 'object') return true;
    return rule.kind === kind || rule.kind === 'any';
  });
  if (fitting.length === 0) return undefined;
  const rule = random.pick(fitting);
  if (rule.form === 'function') {
    const args = rule.args.map((arg) => term(arg, scope, depth - 1));
    return random.chance(0.99) ? `${rule.name}(${args.join(', ')})` : rule.name;
  }
  if (rule.form === 'complete') return random.chance(0.9) ? rule.name : `${rule.name}[${index(scope, depth - 1)}]`;
  const isWhole = (rule.form === 'set' && kind === 'set') || (rule.form === 'object' && kind === 'object');
  return isWhole && random.chance(0.9) ? rule.name : `${rule.name}[${index(scope, depth - 1)}]`;
}

function composite(kind: Kind, scope: Scope, depth: number): string {
  const { random } = scope;
  const some = (): string[] => Array.from({ length: random.below(3) }, () => term(anyKind(scope), scope, depth - 1));
  if (kind === 'array') return `[${some().join(', ')}]`;
  if (kind === 'set') {
    const items = some();
    return items.length === 0 ? 'set()' : `{${items.join(', ')}}`;
  }
  const entries = some().map(
    (value) =>
      `${random.chance(0.8) ? random.pick(['"a"', '"b"', '"c"', '1']) : term('string', scope, depth - 1)}: ${value}`,
  );
  return `{${entries.join(', ')}}`;
}

/**
 * A term to go through. A set written out with several references in it is made a value first: OPA goes through those in the order of the
 * names it gives them (`docs/reference/rego-differences.md`).
 */
export function walkable(kind: Kind, scope: Scope, depth: number): string {
  const text = term(kind, scope, depth);
  const references =
    kind === 'set' && text.startsWith('{') ? [...text.matchAll(/\b(?:data|input|lib|[a-z]+\d+)\b/g)] : [];
  return references.length > 1 ? `(${text} | set())` : text;
}

function comprehension(kind: Kind, scope: Scope, depth: number): string {
  const { random } = scope;
  const name = freshName(scope);
  const wanted = anyKind(scope);
  const inner = extend({ ...scope, isClosed: false }, { name, kind: wanted });
  const bind = random.weighted([
    [3, () => `some ${name} in ${walkable(random.pick<Kind>(['array', 'set', 'object']), scope, depth - 1)}`],
    [2, () => `${name} := ${term(wanted, scope, depth - 1)}`],
    [
      2,
      () =>
        `${name} = ${random.pick(['input.list', 'data.base.nums', 'data.base.names', 'input.deep[_]', 'data.base.users'])}[_]`,
    ],
  ]);
  const rest = random.chance(0.5) ? `; ${scope.body(inner, 1)}` : '';
  const head = random.chance(0.6) ? name : term(wanted, closed(inner), depth - 1);
  if (kind === 'array') return `[${head} | ${bind}${rest}]`;
  if (kind === 'set') return `{${head} | ${bind}${rest}}`;
  const key = random.chance(0.8) ? term('string', closed(inner), depth - 1) : name;
  return `{${key}: ${head} | ${bind}${rest}}`;
}

function call(kind: Kind, scope: Scope, depth: number): string {
  const { random } = scope;
  if (random.chance(0.6)) return anyCall(kind, random, (wanted) => term(wanted, scope, depth - 1));
  const [name, ...args] = random.pick(CALLS[kind]);
  if (name === 'sprintf') {
    const count = random.below(3);
    const format = Array.from({ length: count }, () => random.pick(['%v', '%d', '%s', '%5v'])).join('-');
    return `sprintf("${format}", [${Array.from({ length: count }, () => term(anyKind(scope), scope, depth - 1)).join(', ')}])`;
  }
  // Neither engine is at its best with ranges of 10^20 numbers.
  const isRange = name === 'numbers.range' || name === 'bits.lsh';
  const small = (): string => random.pick(['0', '1', '3', '-2', '5', 'count(input.list)', '1.5', '"a"']);
  return `${name}(${args.map((arg) => (isRange ? small() : term(arg, scope, depth - 1))).join(', ')})`;
}

function anyKind(scope: Scope): Kind {
  return scope.random.pick(KINDS);
}

function infix(kind: Kind, scope: Scope, depth: number): string {
  const { random } = scope;
  if (kind === 'boolean') {
    const of = anyKind(scope);
    if (random.chance(0.3))
      return `(${term(of, scope, depth - 1)} in ${term(random.pick<Kind>(['array', 'set', 'object']), scope, depth - 1)})`;
    return `(${term(of, scope, depth - 1)} ${random.pick(COMPARISONS)} ${term(of, scope, depth - 1)})`;
  }
  const operators = OPERATORS[kind];
  if (operators === undefined) return call(kind, scope, depth);
  const [operator, of] = random.pick(operators);
  return `(${term(of, scope, depth - 1)} ${operator} ${term(of, scope, depth - 1)})`;
}

function template(scope: Scope, depth: number): string {
  return `$"t {${term(anyKind(scope), closed(scope), depth - 1)}} e"`;
}

/** A term that is, most of the time, of the wanted kind. */
export function term(wanted: Kind, scope: Scope, depth: number): string {
  const { random } = scope;
  const kind = random.chance(0.015) ? anyKind(scope) : wanted;
  const constant = (): string => literal(kind, random);
  const read = (): string => random.pick(READS[kind].filter((text) => !scope.isClosed || !text.endsWith('[_]')));
  const variable = (): string => variableOf(kind, scope) ?? (random.chance(0.5) ? constant() : read());
  if (depth <= 0) {
    return random.weighted([
      [3, constant],
      [3, read],
      [5, variable],
    ]);
  }
  const isCollection = kind === 'array' || kind === 'set' || kind === 'object';
  return random.weighted([
    [2, constant],
    [3, read],
    [6, variable],
    [3, () => ruleOf(kind, scope, depth) ?? variable()],
    [2, () => call(kind, scope, depth)],
    [kind === 'any' ? 0 : 1.5, () => infix(kind, scope, depth)],
    [isCollection ? 2 : 0, () => composite(kind, scope, depth)],
    [isCollection ? 2 : 0, () => comprehension(kind, scope, depth)],
    [kind === 'any' ? 3 : 0, () => term(anyKind(scope), scope, depth - 1)],
    [kind === 'string' && scope.isV1 ? 0.7 : 0, () => template(scope, depth)],
  ]);
}
