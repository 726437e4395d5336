/** Lint rules for how policies look. */
import type { Location, Rule } from '../../syntax/ast.js';
import { printModule } from '../../syntax/printer.js';
import { YODA } from './idiomatic-rules.js';
import {
  assignedName,
  declaredNames,
  isScalar,
  type LintFile,
  type LintRule,
  type Report,
  ruleName,
} from './lint-rule.js';

const SNAKE_CASE = /^_*[a-z0-9]+(_[a-z0-9]+)*_*$/;
const MAX_LINE = 120;

function checkNames(file: LintFile, report: Report): void {
  for (const rule of file.module.rules) {
    if (!SNAKE_CASE.test(ruleName(rule))) report(rule.head.location, ruleName(rule));
    for (const arg of rule.head.args ?? []) {
      if (arg.kind === 'var' && !arg.name.startsWith('$') && !SNAKE_CASE.test(arg.name)) report(arg.location, arg.name);
    }
  }
  file.walk({
    expression: (expression) => {
      const assigned = assignedName(expression);
      for (const name of assigned === undefined ? declaredNames(expression) : [assigned]) {
        if (!name.startsWith('$') && !SNAKE_CASE.test(name)) report(expression.location, name);
      }
      return undefined;
    },
  });
}

function checkOrder(file: LintFile, report: Report): void {
  const closed = new Set<string>();
  let current = '';
  for (const rule of file.module.rules) {
    const name = refText(rule);
    // Defaults may all stand at the top.
    if (rule.default || name === current) continue;
    if (closed.has(name)) report(rule.head.location, name);
    closed.add(current);
    current = name;
  }
}

const refText = (rule: Rule): string =>
  rule.head.ref
    .map((term) => (term.kind === 'var' ? term.name : term.kind === 'scalar' ? String(term.value) : ''))
    .join('.');

/** The place of a whole line, rows counted from 1. */
function lineLocation(file: LintFile, row: number): Location {
  let offset = 0;
  for (let current = 1; current < row; current++) offset = file.module.source.indexOf('\n', offset) + 1;
  const end = file.module.source.indexOf('\n', offset);
  return { file: file.module.file, row, col: 1, offset, end: end < 0 ? file.module.source.length : end };
}

export const STYLE_RULES: readonly LintRule[] = [
  {
    name: 'prefer-snake-case',
    category: 'style',
    text: 'Names are written in snake_case.',
    check: checkNames,
  },
  {
    name: 'use-assignment-operator',
    category: 'style',
    text: 'A rule’s value is given with `:=`, not `=`.',
    check(file, report) {
      for (const { head } of file.branches) {
        if (head.value !== undefined && !head.assign && !head.generatedValue) report(head.location);
      }
    },
  },
  {
    name: 'yoda-condition',
    category: 'style',
    text: 'What varies stands left of what it is compared with.',
    check(file, report) {
      file.calls(({ infix, args: [left, right], location }) => {
        if (YODA.has(infix ?? '') && isScalar(left) && right !== undefined && !isScalar(right)) report(location);
      });
    },
  },
  {
    name: 'trailing-default-rule',
    category: 'style',
    text: 'A default stands before the rule it is for.',
    check(file, report) {
      const seen = new Set<string>();
      for (const rule of file.module.rules) {
        if (rule.default && seen.has(refText(rule))) report(rule.head.location, refText(rule));
        seen.add(refText(rule));
      }
    },
  },
  {
    name: 'messy-rule',
    category: 'style',
    text: 'The definitions of a rule stand together.',
    check: checkOrder,
  },
  {
    name: 'rule-name-repeats-package',
    category: 'style',
    text: 'A rule repeats the name of its package, which is always said with it.',
    check(file, report) {
      const last = file.module.package.path.at(-1) ?? '';
      for (const rule of file.module.rules) {
        if (last !== '' && ruleName(rule).startsWith(`${last}_`)) report(rule.head.location, ruleName(rule));
      }
    },
  },
  {
    name: 'todo-test',
    category: 'style',
    text: 'A test is skipped: finish it, or remove it.',
    check(file, report) {
      for (const rule of file.module.rules) {
        if (ruleName(rule).startsWith('todo_test_')) report(rule.head.location, ruleName(rule));
      }
    },
  },
  {
    name: 'todo-comment',
    category: 'style',
    text: 'A comment says that something is still to do.',
    check(file, report) {
      for (const { text, location } of file.module.comments) if (/^\s*(todo|fixme)\b/i.test(text)) report(location);
    },
  },
  {
    name: 'no-whitespace-comment',
    category: 'style',
    text: 'A comment begins with a space after `#`.',
    check(file, report) {
      for (const { text, location } of file.module.comments) if (/^[^\s#!]/.test(text)) report(location);
    },
  },
  {
    name: 'line-length',
    category: 'style',
    text: `A line is longer than ${MAX_LINE} characters.`,
    check(file, report) {
      for (const [index, line] of file.module.source.split('\n').entries()) {
        if ([...line].length > MAX_LINE) report(lineLocation(file, index + 1), `${[...line].length}`);
      }
    },
  },
  {
    name: 'opa-fmt',
    category: 'style',
    text: 'The file is not formatted; run `rego fmt --write`.',
    check(file, report) {
      if (printModule(file.module) !== file.module.source) report(lineLocation(file, 1));
    },
  },
];
