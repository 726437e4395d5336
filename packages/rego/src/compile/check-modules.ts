/** Stages on modules as written: duplicate imports, shadowed roots, deprecated built-ins. */
import type { Expression, Import } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import { allRules, type CompileContext, reportLater, type WorkModule, type WorkRule } from './model.js';
import { walkBody, walkTerm } from './walk.js';

function importName(statement: Import): string {
  return statement.alias ?? statement.path.at(-1) ?? '';
}

function isStrict(context: CompileContext, module: WorkModule): boolean {
  return context.strict || module.source.strictV1;
}

export function checkImports(context: CompileContext): void {
  for (const module of context.modules) {
    if (!isStrict(context, module)) continue;
    const seen = new Map<string, Import>();
    for (const statement of module.source.imports) {
      const name = importName(statement);
      const before = seen.get(name);
      if (before === undefined) {
        seen.set(name, statement);
        continue;
      }
      const shown = `import ${before.path.join('.')}${before.alias === undefined ? '' : ` as ${before.alias}`}`;
      reportLater(context, 'rego_compile_error', statement.location, `import must not shadow ${shown}`);
    }
  }
}

/** What an assignment to `input` or `data` looks like, in any layout; no other text has one. */
const ROOT_ASSIGNMENT = /\b(?:input|data)(?:[\s)]|#.*)*:=/;

function shadowsRoot(expression: Expression): string | undefined {
  if (expression.kind !== 'call' || expression.infix !== ':=') return undefined;
  const [left] = expression.args;
  const head = left?.kind === 'ref' && left.terms.length === 1 ? left.terms[0] : left;
  return head?.kind === 'var' && (head.name === 'input' || head.name === 'data') ? head.name : undefined;
}

export function checkRootOverrides(context: CompileContext): void {
  const visitor = {
    expression: (expression: Expression): undefined => {
      const name = shadowsRoot(expression);
      if (name === undefined) return;
      const message = `variables must not shadow ${name} (use a different variable name)`;
      reportLater(context, 'rego_compile_error', expression.location, message);
    },
  };
  for (const module of context.modules) {
    if (!isStrict(context, module)) continue;
    for (const rule of module.rules) checkRuleName(context, rule);
    if (!ROOT_ASSIGNMENT.test(module.source.source)) continue;
    for (const rule of allRules({ modules: [module] })) {
      walkBody(rule.body, visitor);
      for (const term of [rule.key, rule.value]) if (term !== undefined) walkTerm(term, visitor);
    }
  }
}

function checkRuleName(context: CompileContext, rule: WorkRule): void {
  const [head] = rule.source.head.ref;
  if (head?.kind !== 'var' || (head.name !== 'input' && head.name !== 'data')) return;
  const message = `rules must not shadow ${head.name} (use a different rule name)`;
  reportLater(context, 'rego_compile_error', rule.location, message);
}

/** As in OPA, what stands directly in the body of an `every` is not looked at; closures in it are. */
export function checkDeprecated(context: CompileContext): void {
  const names = [...context.builtins.values()].filter(({ deprecated }) => deprecated === true);
  const words = new RegExp(`\\b(?:${names.map(({ name }) => name.split('.').at(-1)).join('|')})\\b`);
  const modules = context.modules.filter((module) => isStrict(context, module) && words.test(module.source.source));
  for (const rule of allRules({ modules })) {
    const overlooked = new Set<Expression>();
    walkBody(rule.body, {
      expression: (expression) => {
        if (expression.kind === 'every') for (const inner of expression.body) overlooked.add(inner);
        if (expression.kind !== 'call' || overlooked.has(expression)) return undefined;
        const name = operatorName(expression.operator) ?? '';
        if (context.builtins.get(name)?.deprecated !== true) return undefined;
        const message = `deprecated built-in function calls in expression: ${name}`;
        reportLater(context, 'rego_type_error', expression.location, message);
        return undefined;
      },
    });
  }
}
