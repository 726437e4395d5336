/** Stage "templates": what a template string reads must be bound by the body around it (OPA's RewriteTemplateStrings). */
import type { Body, Expression, Term } from '../syntax/ast.js';
import { isComprehension } from '../syntax/ast.js';
import { makeArityOf } from './check-calls.js';
import { allRules, type CompileContext, report, type WorkRule, writtenName } from './model.js';
import { isGroundRef, type RuleTree } from './rule-tree.js';
import { SafetyChecker } from './safety.js';
import { isConstant } from './type-environment.js';
import { SAFETY_VARS, termVars, type Visitor, varsOf, walkBody, walkTerm } from './walk.js';

type Names = ReadonlySet<string>;
type Context = Pick<CompileContext, 'errors' | 'builtins' | 'tree' | 'isAllowed'>;

/** Whether a reference to a rule has a value for sure. */
function isDefined(tree: RuleTree, term: Term): boolean {
  if (term.kind !== 'ref' || !isGroundRef(term.terms)) return false;
  const [head, ...steps] = term.terms;
  if (head?.kind !== 'var' || head.name !== 'data') return false;
  const rules = tree.find(steps.map((step) => (step.kind === 'scalar' ? step.value : '')))?.rules ?? [];
  const [first] = rules;
  if (first === undefined || (first.args?.length ?? 0) > 0) return false;
  if (first.kind === 'multi' || rules.some((rule) => rule.isDefault)) return true;
  return rules.length === 1 && first.source.generatedBody && first.value !== undefined && isConstant(first.value);
}

class TemplateChecker {
  private readonly context: Context;
  private readonly safety: SafetyChecker;

  constructor(context: Context) {
    this.context = context;
    this.safety = new SafetyChecker(makeArityOf(context));
  }

  /** Checks a body and returns what is bound after it. */
  body(body: Body, outer: Names): Names {
    const safe = new Set([...outer, ...this.safety.outputsOfBody(body, outer)]);
    walkBody(body, this.visitor(safe));
    return safe;
  }

  visitor(safe: Names): Visitor {
    return {
      term: (term) => {
        if (term.kind === 'template') {
          for (const part of term.parts) if ('negated' in part) this.part(part, safe);
          return true;
        }
        if (!isComprehension(term)) return true;
        const { body } = term as Term & { kind: 'array-comprehension' };
        const inner = this.visitor(this.body(body, safe));
        if (term.kind === 'object-comprehension') for (const each of [term.key, term.value]) walkTerm(each, inner);
        else walkTerm((term as Term & { kind: 'array-comprehension' }).term, inner);
        return false;
      },
      expression: (expression) => {
        if (expression.kind !== 'every') return undefined;
        walkTerm(expression.domain, this.visitor(safe));
        const names = [expression.key, expression.value].flatMap((each) => (each === undefined ? [] : [each.name]));
        this.body(expression.body, new Set([...safe, ...names]));
        for (const { value } of expression.with) walkTerm(value, this.visitor(safe));
        return false;
      },
    };
  }

  private part(part: Expression, safe: Names): void {
    const names = new Set<string>();
    if (part.kind === 'term') {
      if (part.term.kind === 'var' || isDefined(this.context.tree, part.term)) return;
      termVars(part.term, SAFETY_VARS, names);
    } else if (part.kind === 'call') {
      for (const name of varsOf({ ...part, with: [] }, SAFETY_VARS)) names.add(name);
    }
    for (const name of names) {
      if (safe.has(name)) continue;
      const shown = name.startsWith('$') ? '_' : writtenName(name);
      report(this.context, 'rego_compile_error', part.location, `var ${shown} is undeclared`);
    }
  }
}

function checkRule(checker: TemplateChecker, rule: WorkRule): void {
  const names = new Set(['data', 'input']);
  for (const arg of rule.args ?? []) termVars(arg, {}, names);
  const visitor = checker.visitor(checker.body(rule.body, names));
  for (const term of [...rule.ref.slice(1), ...(rule.args ?? []), rule.key, rule.value])
    if (term !== undefined) walkTerm(term, visitor);
}

export function checkTemplates(context: CompileContext): void {
  const checker = new TemplateChecker(context);
  for (const rule of allRules(context)) checkRule(checker, rule);
}

/** Checks a query's body. */
export function checkBodyTemplates(context: Context, body: Body): void {
  new TemplateChecker(context).body(body, new Set(['data', 'input']));
}
