/**
 * The syntax tree: what the parser makes, the printer prints, and the compiler reads. Nodes are
 * plain immutable objects discriminated by `kind`; every node knows its position. Nothing here is
 * resolved: names are as written.
 */
import type { Value } from '../values/index.js';

/** Rows and columns count from 1 (columns in code points); `offset`/`end` are UTF-16 indexes into the source. */
export interface Location {
  readonly file: string;
  readonly row: number;
  readonly col: number;
  readonly offset: number;
  readonly end: number;
}

export const NOWHERE: Location = { file: '', row: 0, col: 0, offset: 0, end: 0 };

/** `text` keeps a number as it was written (`1.50`), so that printing loses nothing. */
export interface ScalarTerm {
  readonly kind: 'scalar';
  readonly value: Value;
  readonly text?: string;
  readonly raw?: boolean;
  readonly location: Location;
}
/** Wildcards (`_`) are named `$0`, `$1`, …: no identifier can be. */
export interface VarTerm {
  readonly kind: 'var';
  readonly name: string;
  readonly location: Location;
}
/** `terms[0]` is the head (a variable or, after rewriting, any term); `a.b` is `a["b"]`. */
export interface RefTerm {
  readonly kind: 'ref';
  readonly terms: readonly Term[];
  readonly location: Location;
}
export interface ArrayTerm {
  readonly kind: 'array';
  readonly items: readonly Term[];
  readonly location: Location;
}
export interface ObjectTerm {
  readonly kind: 'object';
  readonly entries: readonly (readonly [Term, Term])[];
  /** Where keys are doubled: the entries as they are written, for the formatter. */
  readonly written?: readonly (readonly [Term, Term])[];
  /** Set by the compiler: a literal at the head of a reference. */
  readonly isHead?: boolean;
  readonly location: Location;
}
export interface SetTerm {
  readonly kind: 'set';
  readonly items: readonly Term[];
  readonly location: Location;
}
export interface ArrayComprehension {
  readonly kind: 'array-comprehension';
  readonly term: Term;
  readonly body: Body;
  readonly location: Location;
}
export interface SetComprehension {
  readonly kind: 'set-comprehension';
  readonly term: Term;
  readonly body: Body;
  readonly location: Location;
}
export interface ObjectComprehension {
  readonly kind: 'object-comprehension';
  readonly key: Term;
  readonly value: Term;
  readonly body: Body;
  readonly location: Location;
}
/** `infix` is the operator as written (`+`, `==`, `in`), absent for `f(x)`. */
export interface CallTerm {
  readonly kind: 'call';
  readonly operator: Term;
  readonly args: readonly Term[];
  readonly infix?: string;
  readonly location: Location;
}
/** Literal parts are string scalars; a part that is an expression is evaluated. */
export interface TemplateTerm {
  readonly kind: 'template';
  readonly raw: boolean;
  readonly parts: readonly (Term | Expression)[];
  readonly location: Location;
}

export type Term =
  | ScalarTerm
  | VarTerm
  | RefTerm
  | ArrayTerm
  | ObjectTerm
  | SetTerm
  | ArrayComprehension
  | SetComprehension
  | ObjectComprehension
  | CallTerm
  | TemplateTerm;

export type Comprehension = ArrayComprehension | SetComprehension | ObjectComprehension;

export function isComprehension(term: Term): term is Comprehension {
  const { kind } = term;
  return kind === 'array-comprehension' || kind === 'set-comprehension' || kind === 'object-comprehension';
}

export interface With {
  readonly target: Term;
  readonly value: Term;
  readonly location: Location;
}

/** What every expression carries. `negated` is the classic `not x`; a `not` body is an expression kind of its own. */
interface ExpressionBase {
  readonly negated: boolean;
  readonly with: readonly With[];
  readonly location: Location;
  readonly generated?: boolean;
}
export interface TermExpression extends ExpressionBase {
  readonly kind: 'term';
  readonly term: Term;
}
/** Includes `=` (operator `eq`) and `:=` (operator `assign`). */
export interface CallExpression extends ExpressionBase {
  readonly kind: 'call';
  readonly operator: Term;
  readonly args: readonly Term[];
  readonly infix?: string;
}
/** `some x, y`: symbols are variables; `some k, v in xs`: one symbol, the membership call. */
export interface SomeExpression extends ExpressionBase {
  readonly kind: 'some';
  readonly symbols: readonly Term[];
}
export interface EveryExpression extends ExpressionBase {
  readonly kind: 'every';
  readonly key: VarTerm | undefined;
  readonly value: VarTerm;
  readonly domain: Term;
  readonly body: Body;
}
export interface NotExpression extends ExpressionBase {
  readonly kind: 'not';
  readonly body: Body;
  readonly explicit: boolean;
}
export interface LogicalExpression extends ExpressionBase {
  readonly kind: 'and' | 'or';
  readonly left: Body;
  readonly right: Body;
  readonly explicitLeft: boolean;
  readonly explicitRight: boolean;
}
export type Expression =
  | TermExpression
  | CallExpression
  | SomeExpression
  | EveryExpression
  | NotExpression
  | LogicalExpression;

export type Body = readonly Expression[];

export type HeadKeyword = 'if' | 'contains';

/**
 * A rule head. `ref` is the whole reference as written (`p.q[x]`), `key` the element of a
 * multi-value rule (`p contains key`, v0 `p[key]`), `args` is present for functions only.
 */
export interface Head {
  readonly ref: readonly Term[];
  readonly args: readonly Term[] | undefined;
  readonly key: Term | undefined;
  readonly value: Term | undefined;
  readonly assign: boolean;
  /** The value was not written: it is `true`. */
  readonly generatedValue: boolean;
  readonly keywords: readonly HeadKeyword[];
  readonly location: Location;
}

export interface Rule {
  readonly kind: 'rule';
  readonly default: boolean;
  readonly head: Head;
  readonly body: Body;
  /** The body was not written: it is `true`. */
  readonly generatedBody: boolean;
  /** `else` branches in order, each a rule without further branches. */
  readonly otherwise: readonly Rule[];
  readonly location: Location;
}

export interface Package {
  readonly kind: 'package';
  /** Without the leading `data`. */
  readonly path: readonly string[];
  readonly location: Location;
}

export interface Import {
  readonly kind: 'import';
  /** `['data', 'a', 'b']`, `['input', …]`, `['future', 'keywords', …]`, `['rego', 'v1']`. */
  readonly path: readonly string[];
  readonly alias: string | undefined;
  readonly location: Location;
  readonly pathLocation: Location;
}

/** A comment; `text` is what follows `#`. */
export interface Comment {
  readonly text: string;
  readonly location: Location;
}

export type RegoVersion = 'v0' | 'v1';

export interface Module {
  readonly file: string;
  readonly source: string;
  /** The version it was read as. */
  readonly version: RegoVersion;
  /** v1 by version or by `import rego.v1`: the stricter checks apply. */
  readonly strictV1: boolean;
  readonly package: Package;
  readonly imports: readonly Import[];
  readonly rules: readonly Rule[];
  readonly comments: readonly Comment[];
}

export function isWildcard(name: string): boolean {
  return name.charCodeAt(0) === 36;
}

/** Operators of infix built-ins, as written, to the built-in's name. */
export const INFIX_OPERATORS: ReadonlyMap<string, string> = new Map([
  [':=', 'assign'],
  ['=', 'eq'],
  ['==', 'equal'],
  ['!=', 'neq'],
  ['<', 'lt'],
  ['>', 'gt'],
  ['<=', 'lte'],
  ['>=', 'gte'],
  ['|', 'or'],
  ['&', 'and'],
  ['+', 'plus'],
  ['-', 'minus'],
  ['*', 'mul'],
  ['/', 'div'],
  ['%', 'rem'],
]);

/** The dotted name of a call's operator, when it is a name (`count`, `io.jwt.decode`, `data.f`). */
export function operatorName(operator: Term): string | undefined {
  if (operator.kind === 'var') return operator.name;
  if (operator.kind !== 'ref') return undefined;
  const { terms } = operator;
  const head = terms[0];
  if (head === undefined || head.kind !== 'var') return undefined;
  let name = head.name;
  for (let i = 1; i < terms.length; i++) {
    const term = terms[i] as Term;
    if (term.kind !== 'scalar' || typeof term.value !== 'string') return undefined;
    name += `.${term.value}`;
  }
  return name;
}
