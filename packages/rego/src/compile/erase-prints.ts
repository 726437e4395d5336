/** Stage "print": calls of `print` become `internal.print` of sets, or are dropped when printing is off. */
import type { Body, Expression, Term } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import { allRules, type CompileContext, equality, text, variable } from './model.js';
import { mapExpression, mapTerm } from './walk.js';

function replacement(context: Pick<CompileContext, 'names'>, expression: Expression, isOn: boolean): Expression {
  const { location } = expression;
  const base = { negated: false, with: [], location } as const;
  if (!isOn || expression.kind !== 'call') {
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

export function rewritePrintsInBody(context: Pick<CompileContext, 'names'>, body: Body, isOn: boolean): Body {
  const mapper = {
    term: (): undefined => undefined,
    body: (inner: Body): Body => rewritePrintsInBody(context, inner, isOn),
  };
  return body.map((expression) => {
    if (expression.kind === 'call' && operatorName(expression.operator) === 'print')
      return replacement(context, expression, isOn);
    return mapExpression(expression, mapper);
  });
}

export function rewritePrints(context: CompileContext, isOn: boolean): void {
  const mapper = {
    term: (): undefined => undefined,
    body: (inner: Body): Body => rewritePrintsInBody(context, inner, isOn),
  };
  for (const rule of allRules(context)) {
    rule.body = rewritePrintsInBody(context, rule.body, isOn);
    rule.key = rule.key && mapTerm(rule.key, mapper);
    rule.value = rule.value && mapTerm(rule.value, mapper);
  }
}
