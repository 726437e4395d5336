/**
 * What the stages work on: modules and rules whose names, bodies and heads the stages replace one
 * after the other. The tree's nodes stay immutable; only these records change.
 */
import type { Builtin } from '../builtins/builtin.js';
import type { RegoError, RegoErrorCode } from '../errors.js';
import type { Body, Expression, Location, Module, Rule, Term } from '../syntax/ast.js';
import type { RuleMetadata } from './annotations.js';
import type { SchemaTypes } from './rule-schemas.js';
import type { RuleTree } from './rule-tree.js';
import type { TypeChecker } from './type-check.js';

export interface WorkModule {
  readonly source: Module;
  rules: WorkRule[];
}

/** `multi`: a set (`contains`); `single`: one value a reference. */
export type RuleKind = 'single' | 'multi';

export interface WorkRule {
  readonly source: Rule;
  readonly module: WorkModule;
  readonly isDefault: boolean;
  readonly kind: RuleKind;
  /** The whole reference, from `data` on. */
  ref: readonly Term[];
  args: readonly Term[] | undefined;
  key: Term | undefined;
  value: Term | undefined;
  body: Body;
  readonly otherwise: WorkRule[];
  readonly location: Location;
}

export interface CompileContext {
  readonly modules: WorkModule[];
  readonly strict: boolean;
  readonly prints: boolean;
  readonly builtins: ReadonlyMap<string, Builtin>;
  readonly isAllowed: (builtin: Builtin) => boolean;
  readonly errors: RegoError[];
  readonly warnings: RegoError[];
  /** Problems after which the stages go on, so that more are found; they are errors in the end. */
  readonly recoverable: RegoError[];
  readonly names: NameSource;
  tree: RuleTree;
  /** Which rules a rule reads: set after names are resolved and calls expanded. */
  graph: Map<WorkRule, Set<WorkRule>>;
  /** The metadata of a rule, from its annotations. */
  readonly metadata: (rule: WorkRule) => RuleMetadata;
  /** What JSON Schemas say of documents, when asked for. */
  readonly schemas: SchemaTypes | undefined;
  /** Set by the type checker, for queries. */
  types: TypeChecker | undefined;
}

/** Makes variable names no source can contain: `x~1` stands for a declared `x`, `~2` for a temporary. */
export class NameSource {
  private count = 0;

  fresh(original = ''): string {
    this.count += 1;
    return `${original}~${this.count}`;
  }
}

/** The name as the author wrote it; empty for a temporary. */
export function writtenName(name: string): string {
  const at = name.indexOf('~');
  return at < 0 ? name : name.slice(0, at);
}

/** True for names the author did not write. */
export function isGenerated(name: string): boolean {
  return name.startsWith('~') || name.startsWith('$');
}

export function report(
  context: { readonly errors: RegoError[] },
  code: RegoErrorCode,
  location: Location,
  message: string,
): void {
  const { file, row, col } = location;
  context.errors.push({ code, message, location: { file, row, col } });
}

/** Reports what does not end the compilation. */
export function reportLater(
  context: { readonly recoverable: RegoError[] },
  code: RegoErrorCode,
  location: Location,
  message: string,
): void {
  report({ errors: context.recoverable }, code, location, message);
}

export function variable(name: string, location: Location): Term {
  return { kind: 'var', name, location };
}

export function text(value: string, location: Location): Term {
  return { kind: 'scalar', value, location };
}

/** `left = right`, made by a stage. */
export function equality(left: Term, right: Term, from: Expression | undefined, location: Location): Expression {
  return {
    kind: 'call',
    operator: { kind: 'ref', terms: [variable('eq', location)], location },
    args: [left, right],
    infix: '=',
    negated: false,
    with: from?.with ?? [],
    generated: true,
    location,
  };
}

export function isEquality(expression: Expression): boolean {
  if (expression.kind !== 'call' || expression.args.length !== 2) return false;
  const { operator } = expression;
  const head = operator.kind === 'ref' && operator.terms.length === 1 ? operator.terms[0] : operator;
  return head?.kind === 'var' && head.name === 'eq';
}

/** An implicit body: the one expression `true`. */
export function isTrueBody(body: Body): boolean {
  const [only] = body;
  return body.length === 1 && only?.kind === 'term' && only.term.kind === 'scalar' && only.term.value === true;
}

/** Appends to a body, replacing an implicit `true`. */
export function appendToBody(body: Body, added: readonly Expression[]): Body {
  if (added.length === 0) return body;
  return isTrueBody(body) ? added : [...body, ...added];
}

/** Every rule of the modules, `else` branches included. */
export function* allRules(context: { readonly modules: readonly WorkModule[] }): Generator<WorkRule> {
  for (const module of context.modules) {
    for (const rule of module.rules) {
      yield rule;
      yield* rule.otherwise;
    }
  }
}
