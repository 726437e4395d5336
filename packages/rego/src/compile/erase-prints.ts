/**
 * Stage "print": calls of `print` become `internal.print` of sets, or are dropped when printing is off.
 * What is printed must be bound by what stands before it (OPA's RewritePrintCalls).
 */
import type { Body, Expression, Term } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import { makeArityOf } from './check-calls.js';
import { allRules, type CompileContext, equality, report, text, variable, writtenName } from './model.js';
import { SafetyChecker } from './safety.js';
import { mapExpression, mapTerm, SAFETY_VARS, termVars, varsOf } from './walk.js';

type Names = ReadonlySet<string>;
type Context = Pick<CompileContext, 'names' | 'prints' | 'errors' | 'builtins' | 'tree' | 'isAllowed'>;

const ROOTS: Names = new Set(['data', 'input']);

function replacement(context: Context, expression: Expression): Expression {
  const { location } = expression;
  const base = { negated: false, with: [], location } as const;
  if (!context.prints || expression.kind !== 'call') {
    return { kind: 'term', term: { kind: 'scalar', value: true, location }, ...base };
  }
  const items = expression.args.map((arg): Term => {
    const local = variable(context.names.fresh(), arg.location);
    return {
      kind: 'set-comprehension',
      term: local,
      body: [equality(local, arg, undefined, arg.location)],
      location: arg.location,
    };
  });
  const operator: Term = { kind: 'ref', terms: [variable('internal', location), text('print', location)], location };
  return { ...base, kind: 'call', operator, args: [{ kind: 'array', items, location }], with: expression.with };
}

class PrintRewriter {
  private readonly context: Context;
  private readonly safety: SafetyChecker;

  constructor(context: Context) {
    this.context = context;
    this.safety = new SafetyChecker(makeArityOf(context));
  }

  body(body: Body, outer: () => Names): Body {
    return body.map((expression, index) => {
      // Only bodies with a call of print have to know what is bound.
      const bound = (): Names => this.safety.outputsOfBody(body.slice(0, index), outer());
      if (expression.kind === 'call' && operatorName(expression.operator) === 'print') {
        if (this.context.prints) this.check(expression.args, bound(), body.slice(0, index));
        return replacement(this.context, expression);
      }
      const declared = expression.kind === 'every' ? [expression.key?.name, expression.value.name] : [];
      const inside = (): Names => new Set([...bound(), ...declared.filter((name) => name !== undefined)]);
      return mapExpression(expression, this.mapper(inside));
    });
  }

  mapper(safe: () => Names): Parameters<typeof mapExpression>[1] {
    return { term: () => undefined, body: (inner) => this.body(inner, safe) };
  }

  private check(args: readonly Term[], safe: Names, before: Body): void {
    // As in OPA, what was declared before counts even where it is not bound yet.
    const declared = new Set(
      before.flatMap((expression) => [...varsOf(expression)].filter((name) => name.includes('~'))),
    );
    for (const arg of args) {
      const names = new Set<string>();
      termVars(arg, SAFETY_VARS, names);
      for (const name of [...names].sort()) {
        if (safe.has(name) || declared.has(name)) continue;
        report(this.context, 'rego_compile_error', arg.location, `var ${writtenName(name)} is undeclared`);
      }
    }
  }
}

export const rewritePrintsInBody = (context: Context, body: Body): Body =>
  new PrintRewriter(context).body(body, () => ROOTS);

export function rewritePrints(context: CompileContext): void {
  const rewriter = new PrintRewriter(context);
  for (const rule of allRules(context)) {
    const safe = (): Names => new Set([...ROOTS, ...(rule.args ?? []).flatMap((arg) => [...varsOf(arg)])]);
    rule.key = rule.key && mapTerm(rule.key, rewriter.mapper(safe));
    rule.value = rule.value && mapTerm(rule.value, rewriter.mapper(safe));
    rule.body = rewriter.body(rule.body, safe);
  }
}
