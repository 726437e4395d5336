import { expect, test } from 'vitest';
import { parseModuleSource } from '../syntax/parser.js';
import { LINT_RULES, lintModules } from './linter.js';

interface Example {
  readonly fails: string;
  readonly passes: string;
  readonly file?: string;
  readonly version?: 'v0' | 'v1';
  readonly package?: string;
}

/** By rule: the body of a module that breaks it, and of one that does not. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  'rule-shadows-builtin': { fails: 'count := 1', passes: 'counted := 1' },
  'var-shadows-builtin': { fails: 'p if { max := input.a; max > 1 }', passes: 'p if { most := input.a; most > 1 }' },
  'unused-variable': { fails: 'p if { x := input.a; input.b }', passes: 'p if { x := input.a; x > 1 }' },
  'unused-import': { fails: 'import data.roles\np := 1', passes: 'import data.roles\np := roles.x' },
  'constant-condition': { fails: 'p if { 1 == 1 }', passes: 'p if { input.x == 1 }' },
  'self-comparison': { fails: 'p if input.a == input.a', passes: 'p if input.a == input.b' },
  'not-with-wildcard': {
    fails: 'p if { not input.roles[_] == "admin" }',
    passes: 'p if { not "admin" in input.roles }',
  },
  'deprecated-builtin': {
    version: 'v0',
    fails: 'p { any([input.a, input.b]) }',
    passes: 'p { input.a }',
  },
  'sprintf-arguments-mismatch': {
    fails: 'p := sprintf("%s and %d%%", [input.a])',
    passes: 'p := sprintf("%s and %5.1f%%", [input.a, input.b])',
  },
  'unreachable-else': {
    fails: 'p := 1 if { true } else := 2 if { input.x }',
    passes: 'p := 1 if { input.y } else := 2 if { input.x }',
  },
  'duplicate-rule': { fails: 'p if input.x\n\np if input.x', passes: 'p if input.x\n\np if input.y' },
  'inconsistent-args': {
    fails: 'f(a, b) := a if b\n\nf(b, a) := a if not b',
    passes: 'f(a, b) := a if b\n\nf(a, _) := a if a > 1',
  },
  'argument-always-wildcard': { fails: 'f(_) := 1', passes: 'f(x) := x' },
  'top-level-iteration': { fails: 'p := input.users[_]', passes: 'p contains input.users[_]' },
  'leaked-internal-reference': { fails: 'p := data.other._hidden', passes: 'p := data.other.shown' },
  'test-without-prefix': {
    file: 'a_test.rego',
    fails: 'allows if { input.x }',
    passes: 'test_allows if { helper }\n\nhelper if { input.x }',
  },
  'identically-named-tests': {
    file: 'a_test.rego',
    fails: 'test_a if input.x\n\ntest_a if input.y',
    passes: 'test_a if input.x\n\ntest_b if input.y',
  },
  'non-loop-expression': {
    fails: 'p if { some x in input.xs; input.method == "GET"; x == input.y }',
    passes: 'p if { input.method == "GET"; some x in input.xs; x == input.y }',
  },
  'walk-no-path': {
    fails: 'p contains v if { walk(input, [path, v]) }',
    passes: 'p contains v if { walk(input, [_, v]) }',
  },
  'loop-instead-of-lookup': {
    fails: 'p := v if { some k, v in input.users; k == input.id }',
    passes: 'p := input.users[input.id]',
  },
  'defer-assignment': {
    fails: 'p if { xs := lower(input.a); input.b == 1; xs == "x" }',
    passes: 'p if { input.b == 1; xs := lower(input.a); xs == "x" }',
  },
  'with-outside-test-context': {
    fails: 'p if q with input.x as 1\n\nq if input.x',
    passes: 'p if q\n\nq if input.x',
  },
  'print-or-trace-call': { fails: 'p if { print("x"); input.x }', passes: 'p if { input.x }' },
  'use-in-operator': { fails: 'p if { input.roles[_] == "admin" }', passes: 'p if { "admin" in input.roles }' },
  'single-item-in': { fails: 'p if { input.x in {"a"} }', passes: 'p if { input.x in {"a", "b"} }' },
  'redundant-existence-check': {
    fails: 'p if { input.user; startswith(input.user.name, "a") }',
    passes: 'p if { input.user; startswith(input.name, "a") }',
  },
  'non-raw-regex-pattern': {
    fails: String.raw`p if regex.match("\\d+", input.x)`,
    passes: 'p if regex.match(`\\d+`, input.x)',
  },
  'in-wildcard-key': {
    fails: 'p if { some _, x in input.xs; x > 1 }',
    passes: 'p if { some x in input.xs; x > 1 }',
  },
  'boolean-assignment': { fails: 'p := input.a == 1', passes: 'p if input.a == 1' },
  'equals-over-unification': { fails: 'p if { input.a = 1 }', passes: 'p if { input.a == 1 }' },
  'prefer-snake-case': { fails: 'isAdmin if input.x', passes: 'is_admin if input.x' },
  'use-assignment-operator': { fails: 'p = 1', passes: 'p := 1' },
  'yoda-condition': { fails: 'p if { "a" == input.x }', passes: 'p if { input.x == "a" }' },
  'trailing-default-rule': {
    fails: 'p if input.x\n\ndefault p := false',
    passes: 'default p := false\n\np if input.x',
  },
  'messy-rule': {
    fails: 'p if input.x\n\nq if input.y\n\np if input.z',
    passes: 'p if input.x\n\np if input.z\n\nq if input.y',
  },
  'rule-name-repeats-package': { fails: 'app_allow if input.x', passes: 'allow if input.x' },
  'todo-test': { fails: 'todo_test_x if input.x', passes: 'test_x if input.x' },
  'todo-comment': { fails: '# TODO: more\np := 1', passes: '# Nothing more.\np := 1' },
  'no-whitespace-comment': { fails: '#close\np := 1', passes: '# apart\np := 1' },
  'line-length': { fails: `p := "${'x'.repeat(130)}"`, passes: 'p := 1' },
  'opa-fmt': { fails: 'p   :=   1', passes: 'p := 1' },
};

function violated(text: string, rule: string, { file = 'a.rego', version = 'v1' }: Example): readonly string[] {
  const module = parseModuleSource(file, `package app\n\n${text}\n`, { version });
  return lintModules([module], { enabled: [rule] }).map(({ rule: name }) => name);
}

test('every rule has an example', () => {
  expect(Object.keys(EXAMPLES).sort()).toEqual(LINT_RULES.map(({ name }) => name).sort());
});

for (const [rule, example] of Object.entries(EXAMPLES)) {
  test(`${rule} finds its example and leaves the other alone`, () => {
    expect(violated(example.fails, rule, example)).not.toEqual([]);
    expect(violated(example.passes, rule, example)).toEqual([]);
  });
}

test('a comment silences a rule on its line and the next', () => {
  const text =
    'package a\n\n# regal ignore:use-assignment-operator\np = 1\nq = 1 # lint ignore: use-assignment-operator\n\nr = 1\n';
  const found = lintModules([parseModuleSource('a.rego', text)], { enabled: ['use-assignment-operator'] });
  expect(found.map(({ row }) => row)).toEqual([7]);
});

test('a violation tells where it is and what it is about', () => {
  const [found] = lintModules([parseModuleSource('a.rego', 'package a\n\np if {\n\tinput.x in {"y"}\n}\n')]);
  expect(found).toEqual({
    rule: 'single-item-in',
    category: 'idiomatic',
    text: 'Membership of a collection with one element is equality; use `==`.',
    detail: 'input.x == "y"',
    file: 'a.rego',
    row: 4,
    col: 2,
    line: 'input.x in {"y"}',
  });
});
