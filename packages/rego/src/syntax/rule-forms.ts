/**
 * Statements without a body read as rules (`p := 1`, `p["x"]`, `f(x) = y`), and what v1 demands of
 * every rule: the forms of heads, apart from the grammar.
 */
import type { RegoError } from '../errors.js';
import type { Body, Expression, Head, Import, Location, Package, Rule, Term } from './ast.js';
import { operatorName } from './ast.js';
import { BASE_KEYWORDS } from './lexer.js';
import { termKindName } from './parse-terms.js';
import { FUTURE_KEYWORDS_V0 } from './parser-state.js';

export type Statement =
  | Package
  | Import
  | Rule
  | { readonly kind: 'body'; readonly body: Body; readonly location: Location };

/** A statement that cannot be a rule. */
export class HeadError extends Error {}

export function trueTerm(location: Location): Term {
  return { kind: 'scalar', value: true, location };
}

export function trueBody(location: Location): Body {
  return [{ kind: 'term', term: trueTerm(location), negated: false, with: [], generated: true, location }];
}

function plainHead(ref: readonly Term[], location: Location, extra: Partial<Head>): Head {
  return {
    ref,
    args: undefined,
    key: undefined,
    value: undefined,
    assign: false,
    generatedValue: false,
    keywords: [],
    location,
    ...extra,
  };
}

function checkedRef(ref: readonly Term[]): readonly Term[] {
  if (ref[0]?.kind !== 'var') throw new HeadError('invalid rule head');
  return ref;
}

/** Reads a statement without body (`p := 1`, `p["x"]`, `f(x) = y`) as a rule. */
export function ruleFromBody(body: Body): Rule {
  const [expression] = body;
  if (expression === undefined || body.length !== 1)
    throw new HeadError('multiple expressions cannot be used for rule head');
  if (expression.with.length > 0) throw new HeadError('expressions using with keyword cannot be used for rule head');
  if (expression.negated) throw new HeadError('negated expressions cannot be used for rule head');
  if (expression.kind === 'some') throw new HeadError("'some' declarations cannot be used for rule head");
  const head = headFromExpression(expression);
  const { location } = expression;
  return { kind: 'rule', default: false, head, body: trueBody(location), generatedBody: true, otherwise: [], location };
}

function headFromExpression(expression: Expression): Head {
  const { location } = expression;
  if (expression.kind === 'term') {
    const { term } = expression;
    if (term.kind !== 'ref') throw new HeadError(`${termKindName(term)} cannot be used for rule name`);
    if (term.terms.length === 1) throw new HeadError('refs cannot be used for rule head');
    const ref = checkedRef(term.terms);
    if (ref.length > 2) return plainHead(ref, location, { value: trueTerm(location), generatedValue: true });
    const [, key] = ref;
    return plainHead(ref.slice(0, 1), location, { key });
  }
  if (expression.kind !== 'call') throw new HeadError('expression cannot be used for rule head');
  const { operator, args, infix } = expression;
  const [left, right] = args;
  if ((infix === '=' || infix === ':=') && left !== undefined && right !== undefined) {
    return headFromEquality(left, right, infix === ':=', location);
  }
  const name = operatorName(operator);
  if (infix !== undefined || name === undefined) throw new HeadError('rule name conflicts with built-in function');
  if (args.length === 0) throw new HeadError('rule argument list must take at least one argument');
  const ref = checkedRef(operator.kind === 'ref' ? operator.terms : [operator]);
  // Not marked as generated: OPA accepts `f(x)` without a body here.
  return plainHead(ref, location, { args, value: trueTerm(location), generatedValue: false });
}

function headFromEquality(left: Term, value: Term, assign: boolean, location: Location): Head {
  if (left.kind === 'call') {
    const ref = left.operator.kind === 'ref' ? left.operator.terms : [left.operator];
    return plainHead(checkedRef(ref), location, { args: left.args, value, assign });
  }
  if (left.kind === 'ref') return plainHead(checkedRef(left.terms), location, { value, assign });
  if (left.kind === 'var') return plainHead([left], location, { value, assign });
  throw new HeadError(`${termKindName(left)} cannot be used for rule name`);
}

/** The checks v1 adds to a rule (and to every branch of it). */
export function checkRuleV1(rule: Rule): RegoError[] {
  const errors: RegoError[] = [];
  const kind = rule.head.args === undefined ? 'rule' : 'function';
  const refuse = (message: string): void => {
    const { file, row, col } = rule.location;
    errors.push({ code: 'rego_parse_error', message, location: { file, row, col } });
  };
  const [name] = rule.head.ref;
  const keywords: readonly string[] = [...BASE_KEYWORDS, ...FUTURE_KEYWORDS_V0];
  if (rule.head.ref.length < 2 && name?.kind === 'var' && keywords.includes(name.name)) {
    refuse(`${name.name} keyword cannot be used for rule name`);
  }
  if (rule.generatedBody && rule.head.generatedValue)
    refuse(`${kind} must have value assignment and/or body declaration`);
  if (!rule.generatedBody && !rule.head.keywords.includes('if') && !rule.default) {
    refuse(`\`if\` keyword is required before ${kind} body`);
  }
  if (rule.head.key !== undefined && rule.head.value === undefined && !rule.head.keywords.includes('contains')) {
    refuse('`contains` keyword is required for partial set rules');
  }
  return [...errors, ...rule.otherwise.flatMap(checkRuleV1)];
}

export function errorAt(location: Location, message: string): RegoError {
  const { file, row, col } = location;
  return { code: 'rego_parse_error', message, location: { file, row, col } };
}

/** v0 without the import: `p if { … }` reads as the statement `p` and a rule `if`. */
export function missingKeywordHint(statement: Statement, next: Statement | undefined): string {
  const nameOf = (s: Statement | undefined): string | undefined => {
    if (s?.kind === 'rule') return s.head.ref[0]?.kind === 'var' ? s.head.ref[0].name : undefined;
    const only = s?.kind === 'body' && s.body.length === 1 ? s.body[0] : undefined;
    return only?.kind === 'term' && only.term.kind === 'var' ? only.term.name : undefined;
  };
  const names = [nameOf(statement), next?.location.row === statement.location.row ? nameOf(next) : undefined];
  const keyword = names.find((name) => name === 'if' || name === 'contains');
  if (keyword === undefined) return '';
  const form = keyword === 'if' ? 'p if { ... }' : 'p contains x';
  return ` (hint: \`import future.keywords.${keyword}\` for \`${form}\` rules)`;
}
