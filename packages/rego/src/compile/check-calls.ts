/** Stage "calls": every call is of a known function, with as many arguments as it takes. */
import type { Builtin } from '../builtins/builtin.js';
import type { Body, Expression, Location, Term } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import { allRules, type CompileContext, report, type WorkRule, writtenName } from './model.js';
import { builtinArity } from './plan-builder.js';
import { TypeEnvironment } from './type-environment.js';
import { argumentMessage } from './type-messages.js';
import { fromDeclaration } from './types.js';
import { walkBody, walkTerm } from './walk.js';

/** The arity of what an operator names: a built-in or a function of the modules. */
export function makeArityOf(
  context: Pick<CompileContext, 'builtins' | 'tree' | 'isAllowed'>,
): (operator: Term) => number | undefined {
  return (operator) => {
    if (operator.kind === 'ref' && operator.terms[0]?.kind === 'var' && operator.terms[0].name === 'data') {
      const path = operator.terms.slice(1);
      if (!path.every((term) => term.kind === 'scalar')) return undefined;
      const node = context.tree.find(path.map((term) => (term.kind === 'scalar' ? term.value : '')));
      const [first] = node?.rules ?? [];
      return first?.args?.length;
    }
    const name = operatorName(operator) ?? '';
    const builtin = context.builtins.get(name);
    if (builtin !== undefined && !context.isAllowed(builtin)) return undefined;
    return builtinArity(context.builtins, name);
  };
}

function displayName(operator: Term): string {
  const name = operatorName(operator) ?? '';
  return name.split('.').map(writtenName).join('.');
}

/** The types of variables are not known yet. */
function arityMessage(builtin: Builtin, args: readonly Term[]): string {
  const environment = new TypeEnvironment(() => undefined);
  return argumentMessage({
    operator: builtin.name,
    problem: 'arity mismatch',
    have: args.map((arg) => environment.of(arg)),
    want: builtin.args.map(fromDeclaration),
    builtin,
  });
}

export function checkCall(
  context: Pick<CompileContext, 'errors' | 'builtins'>,
  arityOf: (operator: Term) => number | undefined,
  call: {
    readonly operator: Term;
    readonly args: readonly Term[];
    readonly location: Location;
    /** The last argument is where the value goes. */
    readonly generated?: boolean;
  },
): void {
  const { operator, args, location } = call;
  const arity = arityOf(operator);
  if (arity === undefined) {
    report(context, 'rego_type_error', location, `undefined function ${displayName(operator)}`);
    return;
  }
  if (args.length === arity && call.generated !== true) return;
  const name = displayName(operator);
  if (context.builtins.get(name)?.variadic !== undefined) return;
  const isGenerated = call.generated === true && name !== 'eq';
  if ((args.length === arity && !isGenerated) || args.length === arity + 1) return;
  const count = isGenerated ? args.length - 1 : args.length;
  const builtin = context.builtins.get(name);
  const message =
    builtin === undefined
      ? `function ${name} has arity ${arity}, got ${count} argument${count === 1 ? '' : 's'}`
      : arityMessage(builtin, args);
  report(context, 'rego_type_error', location, message);
}

/** Checks the calls of a body whose nested calls have been expanded. */
export function checkBodyCalls(
  context: Pick<CompileContext, 'errors' | 'builtins'>,
  arityOf: (operator: Term) => number | undefined,
  body: Body,
): void {
  walkBody(body, {
    expression: (expression: Expression) => {
      if (expression.kind === 'call') checkCall(context, arityOf, expression);
      return undefined;
    },
  });
}

export function checkCalls(context: CompileContext): void {
  const arityOf = makeArityOf(context);
  const visit = (rule: WorkRule): void => {
    checkBodyCalls(context, arityOf, rule.body);
    const inside = {
      expression: (expression: Expression): undefined => {
        if (expression.kind === 'call') checkCall(context, arityOf, expression);
      },
    };
    for (const term of [rule.key, rule.value, ...(rule.args ?? [])]) if (term !== undefined) walkTerm(term, inside);
  };
  for (const rule of allRules(context)) visit(rule);
}
