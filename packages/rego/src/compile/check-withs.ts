/** Stage "with": what a `with` may replace (OPA's RewriteWithModifiers checks). */
import type { Body, Expression, Term, With } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import { allRules, type CompileContext, report } from './model.js';
import { walkBody, walkTerm } from './walk.js';

type Context = Pick<CompileContext, 'errors' | 'tree' | 'builtins' | 'isAllowed'>;

const IRREPLACEABLE = new Set(['eq', 'rego.metadata.chain', 'rego.metadata.rule']);

function rootOf(term: Term): string | undefined {
  const head = term.kind === 'ref' ? term.terms[0] : undefined;
  return head?.kind === 'var' ? head.name : undefined;
}

function checkBuiltinTarget(context: Context, name: string, target: Term): void {
  const builtin = context.builtins.get(name);
  const refuse = (reason: string): void => {
    report(context, 'rego_compile_error', target.location, `with keyword replacing built-in function: ${reason}`);
  };
  if (IRREPLACEABLE.has(name)) refuse(`replacement of "${name}" invalid`);
  else if (name.startsWith('internal.')) refuse(`replacement of internal function "${name}" invalid`);
  else if (builtin?.relation === true) refuse('target must not be a relation');
  else if (builtin !== undefined && builtin.result === undefined) refuse('target must not be a void function');
}

function checkModifier(context: Context, modifier: With): void {
  const { target } = modifier;
  const root = rootOf(target);
  if (root === 'input') return;
  if (root === 'data' && target.kind === 'ref') {
    let node = context.tree.root;
    for (const term of target.terms.slice(1, -1)) {
      const child = term.kind === 'scalar' ? node.child(term.value) : undefined;
      if (child === undefined) return;
      if (child.rules.length > 0) {
        report(
          context,
          'rego_compile_error',
          target.location,
          'with keyword cannot partially replace virtual document(s)',
        );
        return;
      }
      node = child;
    }
    return;
  }
  const name = operatorName(target) ?? '';
  if (context.builtins.has(name) || name === 'eq') {
    checkBuiltinTarget(context, name, target);
    return;
  }
  report(
    context,
    'rego_type_error',
    target.location,
    'with keyword target must reference existing input, data, or a function',
  );
}

export function checkBodyWiths(context: Context, body: Body): void {
  walkBody(body, visitor(context));
}

function visitor(context: Context): { expression: (expression: Expression) => undefined } {
  return {
    expression: (expression) => {
      for (const modifier of expression.with) checkModifier(context, modifier);
    },
  };
}

export function checkWiths(context: CompileContext): void {
  for (const rule of allRules(context)) {
    walkBody(rule.body, visitor(context));
    for (const term of [rule.key, rule.value]) if (term !== undefined) walkTerm(term, visitor(context));
  }
}
