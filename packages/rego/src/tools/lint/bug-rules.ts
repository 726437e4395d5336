/** Lint rules for what is most likely wrong. */
import { builtins } from '../../builtins/index.js';
import { varsOf, walkBody } from '../../compile/walk.js';
import { isComprehension, isWildcard, type Rule, type Term } from '../../syntax/ast.js';
import { printModule } from '../../syntax/printer.js';
import {
  assignedName,
  callName,
  callOf,
  countNames,
  declaredNames,
  isConstant,
  isTestName,
  type LintFile,
  type LintRule,
  loopsOver,
  type Report,
  ruleName,
  termText,
  walkRule,
} from './lint-rule.js';

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
/** First names of built-ins: `http` of `http.send`, `count`. */
const BUILTIN_NAMES: ReadonlySet<string> = new Set([...builtins.keys()].map((name) => name.split('.')[0] ?? name));

function checkSprintf(file: LintFile, report: Report): void {
  file.calls((call) => {
    const [format, args] = call.args;
    if (callName(call) !== 'sprintf' || format?.kind !== 'scalar' || typeof format.value !== 'string') return;
    if (args?.kind !== 'array') return;
    const verbs = [...format.value.matchAll(/%(?:%|[-+# 0]*(?:\*|\d+)?(?:\.(?:\*|\d+)?)?(\[\d+\])?[a-zA-Z])/g)];
    if (verbs.some((verb) => verb[1] !== undefined)) return;
    const wanted = verbs.reduce((sum, [verb]) => sum + (verb === '%%' ? 0 : 1 + verb.split('*').length - 1), 0);
    if (wanted !== args.items.length) report(call.location, `${wanted} wanted, ${args.items.length} given`);
  });
}

function checkUnusedVariables(file: LintFile, report: Report): void {
  for (const rule of file.module.rules) {
    const counts = countNames(rule);
    for (const branch of [rule, ...rule.otherwise]) {
      walkRule(branch, {
        expression: (expression) => {
          const assigned = assignedName(expression);
          for (const name of assigned === undefined ? declaredNames(expression) : [assigned]) {
            if (counts.get(name) === 1 && !isWildcard(name)) report(expression.location, name);
          }
          return undefined;
        },
      });
    }
  }
}

function checkUnusedImports(file: LintFile, report: Report): void {
  const used = new Set<string>();
  file.walk({
    term: (term) => {
      if (term.kind === 'var') used.add(term.name);
      return undefined;
    },
  });
  for (const statement of file.module.imports) {
    if (statement.path[0] === 'rego' || statement.path[0] === 'future') continue;
    const name = statement.alias ?? statement.path.at(-1) ?? '';
    if (!used.has(name)) report(statement.location, name);
  }
}

/** A branch that always has a value makes what comes after it unreachable. */
const alwaysHolds = (rule: Rule): boolean =>
  rule.generatedBody ||
  rule.body.every(
    (expression) =>
      expression.kind === 'term' &&
      !expression.negated &&
      expression.with.length === 0 &&
      expression.term.kind === 'scalar' &&
      expression.term.value !== false,
  );

function checkUnreachableElse(file: LintFile, report: Report): void {
  for (const rule of file.module.rules) {
    const branches = [rule, ...rule.otherwise];
    const last = branches.findIndex((branch) => !branch.default && alwaysHolds(branch) && isConstantValue(branch));
    const next = branches[last + 1];
    if (last >= 0 && next !== undefined) report(next.head.location);
  }
}

const isConstantValue = ({ head }: Rule): boolean => head.value === undefined || isConstant(head.value);

function checkDuplicates(file: LintFile, report: Report): void {
  const seen = new Set<string>();
  for (const rule of file.module.rules) {
    const nowhere = { ...rule.location, row: 0 };
    const text = printModule({ ...file.module, imports: [], comments: [], rules: [{ ...rule, location: nowhere }] });
    if (seen.has(text)) report(rule.head.location, ruleName(rule));
    seen.add(text);
  }
}

function checkSelfComparison(file: LintFile, report: Report): void {
  file.calls(({ infix, args: [left, right], location }) => {
    if (!COMPARISONS.has(infix ?? '') || left === undefined || right === undefined || isConstant(left)) return;
    const hasWildcard = [...varsOf(left), ...varsOf(right)].some(isWildcard);
    if (!hasWildcard && termText(left) === termText(right)) report(location, termText(left));
  });
}

function checkConstantCondition(file: LintFile, report: Report): void {
  file.bodies((body) => {
    for (const expression of body) {
      const { location } = expression;
      const call = callOf(expression);
      if (expression.generated === true) continue;
      if (expression.kind === 'term' && isConstant(expression.term)) report(location);
      else if (call !== undefined && COMPARISONS.has(call.infix ?? '') && call.args.every(isConstant)) report(location);
    }
  });
}

function checkInconsistentArguments(file: LintFile, report: Report): void {
  const names = new Map<string, readonly (string | undefined)[]>();
  const nameOf = (term: Term): string | undefined =>
    term.kind === 'var' && !isWildcard(term.name) ? term.name : undefined;
  for (const rule of file.module.rules) {
    if (rule.head.args === undefined) continue;
    const args = rule.head.args.map(nameOf);
    const before = names.get(ruleName(rule));
    const differs = before?.some((name, i) => name !== undefined && args[i] !== undefined && name !== args[i]);
    if (differs === true) report(rule.head.location, ruleName(rule));
    names.set(
      ruleName(rule),
      args.map((name, i) => name ?? before?.[i]),
    );
  }
}

function checkUnusedArguments(file: LintFile, report: Report): void {
  const byName = new Map<string, Rule[]>();
  for (const rule of file.module.rules) {
    if (rule.head.args !== undefined) byName.set(ruleName(rule), [...(byName.get(ruleName(rule)) ?? []), rule]);
  }
  for (const [name, rules] of byName) {
    const [first] = rules;
    first?.head.args?.forEach((argument, index) => {
      const isUnread = rules.every(({ head }) => {
        const term = head.args?.[index];
        return term?.kind === 'var' && isWildcard(term.name);
      });
      if (isUnread && !name.startsWith('mock_')) report(argument.location, name);
    });
  }
}

function checkTestNames(file: LintFile, report: Report): void {
  if (!file.isTest) return;
  const used = new Set<string>();
  for (const rule of file.branches) {
    walkRule(rule, {
      term: (term) => {
        if (term.kind === 'var') used.add(term.name);
        return undefined;
      },
    });
  }
  for (const rule of file.module.rules) {
    const name = ruleName(rule);
    const isOwn = rule.head.args === undefined && !rule.default && rule.head.ref.length === 1;
    if (isOwn && rule.head.generatedValue && !isTestName(name) && !used.has(name)) report(rule.head.location, name);
  }
}

function checkSameTests(file: LintFile, report: Report): void {
  const seen = new Set<string>();
  for (const rule of file.module.rules) {
    const name = ruleName(rule);
    if (!isTestName(name) || rule.head.ref.length > 1) continue;
    if (seen.has(name)) report(rule.head.location, name);
    seen.add(name);
  }
}

function checkNegatedLoops(file: LintFile, report: Report): void {
  file.walk({
    expression: (expression) => {
      if (!expression.negated && !(expression.kind === 'not' && !expression.explicit)) return undefined;
      const body = expression.kind === 'not' ? expression.body : [expression];
      let found = false;
      walkBody(body, {
        term: (term) => {
          if (isComprehension(term)) return false;
          if (term.kind === 'ref') {
            found ||= term.terms.slice(1).some((step) => step.kind === 'var' && isWildcard(step.name));
          }
          return undefined;
        },
      });
      if (found) report(expression.location);
      return undefined;
    },
  });
}

function checkInternalReferences(file: LintFile, report: Report): void {
  if (file.isTest) return;
  const own = ['data', ...file.module.package.path];
  file.walk({
    term: (term) => {
      if (term.kind !== 'ref' || term.terms[0]?.kind !== 'var' || term.terms[0].name !== 'data') return undefined;
      const path = term.terms.map((step) => (step.kind === 'scalar' ? String(step.value) : 'data'));
      const isOwn = own.every((step, index) => path[index] === step);
      if (!isOwn && path.slice(1).some((step) => step.startsWith('_'))) report(term.location, termText(term));
      return undefined;
    },
  });
}

export const BUG_RULES: readonly LintRule[] = [
  {
    name: 'rule-shadows-builtin',
    category: 'bugs',
    text: 'A rule has the name of a built-in function, which cannot be called any more; rename the rule.',
    check(file, report) {
      for (const rule of file.module.rules) {
        if (BUILTIN_NAMES.has(ruleName(rule))) report(rule.head.location, ruleName(rule));
      }
    },
  },
  {
    name: 'var-shadows-builtin',
    category: 'bugs',
    text: 'A variable has the name of a built-in function; rename the variable.',
    check(file, report) {
      file.walk({
        expression: (expression) => {
          const assigned = assignedName(expression);
          for (const name of assigned === undefined ? declaredNames(expression) : [assigned]) {
            if (BUILTIN_NAMES.has(name)) report(expression.location, name);
          }
          return undefined;
        },
      });
    },
  },
  {
    name: 'unused-variable',
    category: 'bugs',
    text: 'A variable is given a value and never read; use it, or `_`.',
    check: checkUnusedVariables,
  },
  {
    name: 'unused-import',
    category: 'bugs',
    text: 'An import is never used; remove it.',
    check: checkUnusedImports,
  },
  {
    name: 'constant-condition',
    category: 'bugs',
    text: 'A condition always gives the same; compare with something that varies, or remove it.',
    check: checkConstantCondition,
  },
  {
    name: 'self-comparison',
    category: 'bugs',
    text: 'Something is compared with itself.',
    check: checkSelfComparison,
  },
  {
    name: 'not-with-wildcard',
    category: 'bugs',
    text: '`not` over a loop with `_` means “no element at all”; use `every`, or a helper rule that names what is meant.',
    check: checkNegatedLoops,
  },
  {
    name: 'deprecated-builtin',
    category: 'bugs',
    text: 'A built-in function is deprecated.',
    check(file, report) {
      file.calls((call) => {
        const name = callName(call);
        if (builtins.get(name)?.deprecated === true) report(call.location, name);
      });
    },
  },
  {
    name: 'sprintf-arguments-mismatch',
    category: 'bugs',
    text: 'The number of `sprintf` arguments is not the number of its verbs.',
    check: checkSprintf,
  },
  {
    name: 'unreachable-else',
    category: 'bugs',
    text: 'An `else` comes after a branch that always holds.',
    check: checkUnreachableElse,
  },
  {
    name: 'duplicate-rule',
    category: 'bugs',
    text: 'A rule is written twice; remove one.',
    check: checkDuplicates,
  },
  {
    name: 'inconsistent-args',
    category: 'bugs',
    text: 'A function’s definitions name its arguments differently, or in another order.',
    check: checkInconsistentArguments,
  },
  {
    name: 'argument-always-wildcard',
    category: 'bugs',
    text: 'A function never reads an argument; remove it.',
    check: checkUnusedArguments,
  },
  {
    name: 'top-level-iteration',
    category: 'bugs',
    text: 'A rule’s value loops, so that two elements are a conflict; make it a set with `contains`, or loop in a body.',
    check(file, report) {
      for (const rule of file.module.rules) {
        const { value, args } = rule.head;
        if (!rule.generatedBody || value === undefined) continue;
        const known = new Set([
          ...(args ?? []).flatMap((arg) => [...varsOf(arg)]),
          ...file.module.rules.map(ruleName),
          ...file.module.imports.map((statement) => statement.alias ?? statement.path.at(-1) ?? ''),
        ]);
        if (value.kind === 'ref' && loopsOver(value, known)) report(rule.head.location, ruleName(rule));
      }
    },
  },
  {
    name: 'leaked-internal-reference',
    category: 'bugs',
    text: 'A name that begins with `_` is another package’s own; use what that package means to share.',
    check: checkInternalReferences,
  },
  {
    name: 'test-without-prefix',
    category: 'bugs',
    text: 'A rule of a test package is never run nor used; name it `test_…`.',
    check: checkTestNames,
  },
  {
    name: 'identically-named-tests',
    category: 'bugs',
    text: 'Two tests have the same name; give each its own.',
    check: checkSameTests,
  },
];
