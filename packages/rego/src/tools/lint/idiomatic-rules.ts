/** Lint rules for what Rego says more clearly. */
import { isWildcard, type Term } from '../../syntax/ast.js';
import {
  callName,
  callOf,
  isAssignment,
  isConstant,
  type LintFile,
  type LintRule,
  memberOf,
  type Report,
  ruleName,
  termText,
} from './lint-rule.js';

/** The argument that is a pattern, by function. */
const PATTERN_ARGUMENTS: ReadonlyMap<string, number> = new Map([
  ['regex.match', 0],
  ['regex.is_valid', 0],
  ['regex.split', 0],
  ['regex.find_n', 0],
  ['regex.find_all_string_submatch_n', 0],
  ['regex.replace', 1],
  ['regex.template_match', 0],
]);

const YODA: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);

/** `xs[_]`: the collection. */
function eachOf(term: Term | undefined): Term | undefined {
  if (term?.kind !== 'ref' || term.terms.length < 2) return undefined;
  const last = term.terms.at(-1);
  if (last?.kind !== 'var' || !isWildcard(last.name)) return undefined;
  return { ...term, terms: term.terms.slice(0, -1) };
}

function checkMembership(file: LintFile, report: Report): void {
  file.walk({
    expression: (expression) => {
      const call = expression.negated ? undefined : callOf(expression);
      if (call?.infix !== '==' && call?.infix !== '=') return undefined;
      const [left, right] = call.args;
      const [of, value] = eachOf(left) === undefined ? [eachOf(right), left] : [eachOf(left), right];
      const isPlain = value !== undefined && (isConstant(value) || value.kind === 'ref') && eachOf(value) === undefined;
      if (of !== undefined && isPlain) report(expression.location, `${termText(value)} in ${termText(of)}`);
      return undefined;
    },
  });
}

/** A reference asked for on its own, and read again by the next expression. */
function checkExistence(file: LintFile, report: Report): void {
  file.bodies((body) => {
    for (const [index, expression] of body.entries()) {
      if (expression.kind !== 'term' || expression.negated || expression.term.kind !== 'ref') continue;
      if (expression.with.length > 0 || expression.generated === true) continue;
      const text = termText(expression.term);
      const next = body[index + 1];
      const call = next === undefined || next.negated || next.with.length > 0 ? undefined : callOf(next);
      // A call with `!= false` and the like also holds for what this one refuses.
      const reads = call?.args.some((arg) => termText(arg) === text || termText(arg).startsWith(`${text}.`));
      const isBoolean = call?.args.some((arg) => arg.kind === 'scalar' && typeof arg.value === 'boolean');
      if (reads === true && isBoolean !== true && !text.includes('[_]')) report(expression.location, text);
    }
  });
}

function checkSingleItems(file: LintFile, report: Report): void {
  file.calls((call) => {
    const of = call.infix === 'in' && call.args.length === 2 ? call.args[1] : undefined;
    if ((of?.kind !== 'set' && of?.kind !== 'array') || of.items.length !== 1) return;
    report(call.location, `${termText(call.args[0] as Term)} == ${termText(of.items[0] as Term)}`);
  });
}

export const IDIOMATIC_RULES: readonly LintRule[] = [
  {
    name: 'use-in-operator',
    category: 'idiomatic',
    text: 'Looking for an element with `[_] ==` is membership; use `in`.',
    check: checkMembership,
  },
  {
    name: 'single-item-in',
    category: 'idiomatic',
    text: 'Membership of a collection with one element is equality; use `==`.',
    check: checkSingleItems,
  },
  {
    name: 'redundant-existence-check',
    category: 'idiomatic',
    text: 'A reference is asked for before an expression that reads it; the second alone is enough.',
    check: checkExistence,
  },
  {
    name: 'non-raw-regex-pattern',
    category: 'idiomatic',
    text: 'A pattern with escapes is easier to read as a raw string between backquotes.',
    check(file, report) {
      file.calls((call) => {
        const pattern = call.args[PATTERN_ARGUMENTS.get(callName(call)) ?? -1];
        if (pattern?.kind !== 'scalar' || typeof pattern.value !== 'string' || pattern.raw === true) return;
        if (pattern.value.includes('\\')) report(pattern.location);
      });
    },
  },
  {
    name: 'in-wildcard-key',
    category: 'idiomatic',
    text: '`some _, x in xs` is `some x in xs`.',
    check(file, report) {
      file.walk({
        expression: (expression) => {
          const member = memberOf(expression);
          const [key] = member?.args.length === 3 ? member.args : [];
          if (key?.kind === 'var' && isWildcard(key.name)) report(expression.location);
          return undefined;
        },
      });
    },
  },
  {
    name: 'boolean-assignment',
    category: 'idiomatic',
    text: 'A rule is given the value of a comparison; write the comparison after `if`.',
    check(file, report) {
      for (const rule of file.module.rules) {
        const { value } = rule.head;
        const isCondition = value?.kind === 'call' && (YODA.has(value.infix ?? '') || value.infix === 'in');
        if (rule.generatedBody && isCondition) report(rule.head.location, ruleName(rule));
      }
    },
  },
  {
    name: 'equals-over-unification',
    category: 'idiomatic',
    text: 'Two known values are unified; compare them with `==`.',
    check(file, report) {
      file.walk({
        expression: (expression) => {
          if (expression.kind !== 'call' || expression.infix !== '=' || isAssignment(expression)) return undefined;
          const [left, right] = expression.args;
          const isKnown = (term: Term | undefined): boolean =>
            term !== undefined &&
            (isConstant(term) || (term.kind === 'ref' && term.terms.slice(1).every((step) => step.kind === 'scalar')));
          if (isKnown(left) && isKnown(right)) report(expression.location);
          return undefined;
        },
      });
    },
  },
];

export { YODA };
