/** Lint rules for what costs time at every evaluation. */
import { varsOf } from '../../compile/walk.js';
import { type Body, type Expression, isWildcard, type Term } from '../../syntax/ast.js';
import {
  assignedName,
  callName,
  callOf,
  countNames,
  isAssignment,
  type LintFile,
  type LintRule,
  loopsOver,
  memberOf,
  type Report,
  termText,
  walkRule,
} from './lint-rule.js';

/** The names bound before a body runs: arguments of the function. */
const argumentNames = (args: readonly Term[] | undefined): Set<string> =>
  new Set((args ?? []).flatMap((arg) => [...varsOf(arg)]));

function startsLoop(expression: Expression, known: ReadonlySet<string>): boolean {
  if (expression.negated || expression.kind === 'every') return false;
  if (memberOf(expression) !== undefined) return true;
  if (expression.kind === 'call')
    return expression.args.slice(isAssignment(expression) ? 1 : 0).some((arg) => loopsOver(arg, known));
  return expression.kind === 'term' && loopsOver(expression.term, known);
}

/** What is read when evaluating, which is not worth moving for constants and prints. */
const isWork = (expression: Expression): boolean =>
  (expression.kind === 'term' && expression.term.kind !== 'scalar') ||
  (expression.kind === 'call' && callName(expression) !== 'print');

const localNames = (expression: Expression): readonly string[] =>
  [...varsOf(expression, { skipCallHead: true })].filter(
    (name) => !isWildcard(name) && name !== 'input' && name !== 'data',
  );

function checkLoopInvariants(file: LintFile, report: Report): void {
  const rules = new Set(
    file.module.rules.flatMap((rule) => (rule.head.ref[0]?.kind === 'var' ? [rule.head.ref[0].name] : [])),
  );
  file.bodies((body, rule) => {
    const known = new Set([...rules, ...argumentNames(rule.head.args)]);
    for (const statement of file.module.imports) known.add(statement.alias ?? statement.path.at(-1) ?? '');
    const varying = new Set<string>();
    let isInLoop = false;
    for (const expression of body) {
      const names = localNames(expression);
      const loops = startsLoop(expression, known);
      const isInvariant = isInLoop && !loops && isWork(expression) && !names.some((name) => varying.has(name));
      if (isInvariant && !names.some((name) => !known.has(name) && assignedName(expression) !== name)) {
        report(expression.location);
      }
      const depends = loops || names.some((name) => varying.has(name));
      for (const name of names) {
        if (depends && !known.has(name)) varying.add(name);
        known.add(name);
      }
      if (loops) isInLoop = true;
    }
  });
}

function checkWalk(file: LintFile, report: Report): void {
  for (const rule of file.module.rules) {
    const counts = countNames(rule);
    for (const branch of [rule, ...rule.otherwise]) {
      walkRule(branch, {
        expression: (expression) => {
          const call = callOf(expression);
          const output = call !== undefined && callName(call) === 'walk' ? call.args[1] : undefined;
          const [path] = output?.kind === 'array' ? output.items : [];
          if (path?.kind === 'var' && !isWildcard(path.name) && counts.get(path.name) === 1) {
            report(expression.location, path.name);
          }
          return undefined;
        },
      });
    }
  }
}

/** `some k, v in xs` with `k == …` later, or `xs[k]` likewise: the key is known. */
function checkLookups(file: LintFile, report: Report): void {
  file.bodies((body) => {
    for (const [index, expression] of body.entries()) {
      const member = memberOf(expression);
      const [key, , of] = member?.args.length === 3 ? member.args : [];
      if (key?.kind !== 'var' || isWildcard(key.name) || of === undefined) continue;
      const loopVars = new Set(localNames(expression));
      for (const later of body.slice(index + 1)) {
        const other = comparedWith(later, key.name);
        if (other === undefined || [...varsOf(other)].some((name) => loopVars.has(name))) continue;
        report(expression.location, `${termText(of)}[${termText(other)}]`);
      }
    }
  });
}

/** What a variable is compared with for equality. */
function comparedWith(expression: Expression, name: string): Term | undefined {
  const call = expression.negated ? undefined : callOf(expression);
  if (call === undefined || call.infix !== '==') return undefined;
  const [left, right] = call.args;
  if (left?.kind === 'var' && left.name === name) return right;
  return right?.kind === 'var' && right.name === name ? left : undefined;
}

function checkDeferrable(file: LintFile, report: Report): void {
  file.bodies((body: Body) => {
    for (const [index, expression] of body.entries()) {
      const name = assignedName(expression);
      const next = body[index + 1];
      if (name === undefined || next === undefined || isAssignment(next) || next.kind === 'some') continue;
      if (expression.kind !== 'call' || expression.args[1]?.kind === 'scalar') continue;
      const isLoop =
        startsLoop(expression, new Set(localNames(expression))) || startsLoop(next, new Set(localNames(next)));
      const call = callOf(next);
      const isPrint = call !== undefined && callName(call) === 'print';
      if (!isLoop && !isPrint && isWork(next) && !varsOf(next).has(name)) report(expression.location, name);
    }
  });
}

export const PERFORMANCE_RULES: readonly LintRule[] = [
  {
    name: 'non-loop-expression',
    category: 'performance',
    text: 'An expression inside a loop does not depend on it; put it before the loop.',
    check: checkLoopInvariants,
  },
  {
    name: 'walk-no-path',
    category: 'performance',
    text: 'The path of `walk` is not used; write `_`, which is quicker.',
    check: checkWalk,
  },
  {
    name: 'loop-instead-of-lookup',
    category: 'performance',
    text: 'A loop looks for a key that is known; look it up.',
    check: checkLookups,
  },
  {
    name: 'defer-assignment',
    category: 'performance',
    text: 'A value is computed before a condition that does not need it; put the condition first.',
    check: checkDeferrable,
  },
  {
    name: 'with-outside-test-context',
    category: 'performance',
    text: '`with` outside of tests makes the engine forget what it has computed.',
    check(file, report) {
      if (file.isTest) return;
      for (const branch of file.branches) {
        const [name] = branch.head.ref;
        if (name?.kind === 'var' && name.name.startsWith('test_')) continue;
        walkRule(branch, {
          expression: (expression) => {
            if (expression.with.length > 0) report(expression.location);
            return undefined;
          },
        });
      }
    },
  },
  {
    name: 'print-or-trace-call',
    category: 'performance',
    text: '`print` and `trace` are for debugging; remove the call.',
    check(file, report) {
      file.calls((call) => {
        const name = callName(call);
        if (name === 'print' || name === 'trace') report(call.location, name);
      });
    },
  },
];
