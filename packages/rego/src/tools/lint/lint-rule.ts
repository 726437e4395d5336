/** What a lint rule is, the file it looks at, and the questions most rules ask of the tree. */
import { type Visitor, varsOf, walkBody, walkTerm } from '../../compile/walk.js';
import {
  type Body,
  type CallTerm,
  type Expression,
  isComprehension,
  isWildcard,
  type Location,
  type Module,
  operatorName,
  type Rule,
  type Term,
} from '../../syntax/ast.js';
import { printTerm } from '../../syntax/printer.js';

export type LintCategory = 'bugs' | 'performance' | 'idiomatic' | 'style';

export type Report = (location: Location, detail?: string) => void;

export interface LintRule {
  readonly name: string;
  readonly category: LintCategory;
  /** One sentence: what is wrong and what to write instead. */
  readonly text: string;
  check(file: LintFile, report: Report): void;
}

/** A module and what rules want to know of it. */
export class LintFile {
  readonly module: Module;
  /** Its package or file is named for tests. */
  readonly isTest: boolean;
  /** Rules with their `else` branches. */
  readonly branches: readonly Rule[];

  constructor(module: Module) {
    this.module = module;
    this.isTest = /_test\.rego$/.test(module.file) || (module.package.path.at(-1) ?? '').endsWith('_test');
    this.branches = module.rules.flatMap((rule) => [rule, ...rule.otherwise]);
  }

  /** Every term and expression of every rule. */
  walk(visitor: Visitor): void {
    for (const branch of this.branches) walkRule(branch, visitor);
  }

  /** Every body: of rules, comprehensions, `every`, `not`. */
  bodies(visit: (body: Body, rule: Rule) => void): void {
    for (const branch of this.branches) {
      if (!branch.generatedBody && !branch.default) visit(branch.body, branch);
      walkRule(branch, {
        term: (term) => {
          if ('body' in term) visit(term.body, branch);
          return undefined;
        },
        expression: (expression) => {
          if (expression.kind === 'every' || expression.kind === 'not') visit(expression.body, branch);
          return undefined;
        },
      });
    }
  }

  /** Every call, as a term or an expression of its own. */
  calls(visit: (call: Call) => void): void {
    this.walk({
      term: (term) => {
        if (term.kind === 'call') visit(term);
        return undefined;
      },
      expression: (expression) => {
        if (expression.kind === 'call') visit(expression);
        return undefined;
      },
    });
  }
}

export type Call = Pick<CallTerm, 'operator' | 'args' | 'infix' | 'location'>;

export const callName = (call: Call): string => operatorName(call.operator) ?? '';

export function walkRule(rule: Rule, visitor: Visitor): void {
  const { head } = rule;
  for (const term of [...head.ref.slice(1), ...(head.args ?? []), head.key, head.value]) {
    if (term !== undefined) walkTerm(term, visitor);
  }
  if (!rule.default && !rule.generatedBody) walkBody(rule.body, visitor);
}

/** The name a rule is defined by: the last constant step of its reference. */
export function ruleName(rule: Rule): string {
  const [first] = rule.head.ref;
  return first?.kind === 'var' ? first.name : '';
}

export const isTestName = (name: string): boolean => name.startsWith('test_') || name.startsWith('todo_test_');

export const isScalar = (term: Term | undefined): boolean => term?.kind === 'scalar';
export const isConstant = (term: Term): boolean =>
  term.kind === 'scalar' ||
  ((term.kind === 'array' || term.kind === 'set') && term.items.every(isConstant)) ||
  (term.kind === 'object' && term.entries.every(([key, value]) => isConstant(key) && isConstant(value)));

/** The text of a term, with wildcards told apart. */
export function termText(term: Term): string {
  return printTerm(term);
}

/** The comparison, call or the like an expression consists of. */
export function callOf(expression: Expression): Call | undefined {
  if (expression.kind === 'call') return expression;
  return expression.kind === 'term' && expression.term.kind === 'call' ? expression.term : undefined;
}

export const isAssignment = (expression: Expression): boolean =>
  expression.kind === 'call' && expression.infix === ':=';

/** The variable an assignment gives a value, when it is one. */
export function assignedName(expression: Expression): string | undefined {
  const [left] = expression.kind === 'call' && expression.infix === ':=' ? expression.args : [];
  return left?.kind === 'var' ? left.name : undefined;
}

/** `x in xs` or `k, v in xs` of a `some`. */
export function memberOf(expression: Expression): CallTerm | undefined {
  if (expression.kind !== 'some') return undefined;
  const [symbol] = expression.symbols;
  return symbol?.kind === 'call' ? symbol : undefined;
}

export function declaredNames(expression: Expression): readonly string[] {
  if (expression.kind !== 'some') return [];
  const member = memberOf(expression);
  const terms = member === undefined ? expression.symbols : member.args.slice(0, -1);
  return terms.flatMap((term) => [...varsOf(term)]).filter((name) => !isWildcard(name));
}

/** How often each variable is written in a rule and its branches. */
export function countNames(rule: Rule): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const visitor: Visitor = {
    term: (term) => {
      if (term.kind === 'var') counts.set(term.name, (counts.get(term.name) ?? 0) + 1);
      return undefined;
    },
    expression: (expression) => {
      if (expression.kind !== 'every') return undefined;
      for (const each of [expression.key, expression.value]) {
        if (each !== undefined) counts.set(each.name, (counts.get(each.name) ?? 0) + 1);
      }
      return undefined;
    },
  };
  for (const branch of [rule, ...rule.otherwise]) walkRule(branch, visitor);
  return counts;
}

/** Whether a term reads something by a variable or wildcard not in `known`: a loop. */
export function loopsOver(term: Term, known: ReadonlySet<string>): boolean {
  let found = false;
  walkTerm(term, {
    term: (child) => {
      if (isComprehension(child)) return false;
      if (child.kind === 'ref') {
        found ||= child.terms.slice(1).some((step) => step.kind === 'var' && !known.has(step.name));
      }
      return !found;
    },
  });
  return found;
}
