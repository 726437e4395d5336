/** `--ignore`, `--capabilities`, `--count` and `--show-builtin-errors` beside the real OPA. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { capabilities } from '@bailiwick/rego';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CommandFailure } from '../../failure.js';
import { opa, runOpa, runOurs } from './beside-opa.js';
import { nameFilter } from './name-filter.js';

const { builtins, features, future_keywords: keywords } = capabilities();
const without = (name: string): string =>
  JSON.stringify({ builtins, future_keywords: keywords, features: features.filter((each) => each !== name) });

const FILES: Readonly<Record<string, string>> = {
  'tree/a.rego': 'package a\n\np := 1\n',
  'tree/a_test.rego': 'package a\n\ntest_p if p == 2\n',
  'tree/.hidden/b.rego': 'package a\n\np := 2\n',
  'tree/sub/c.rego': 'package c\n\nq := 1 / 0\n\nr contains to_number(x) if some x in ["1", "x", "y"]\n',
  'tree/sub/data.json': '{"k": 1}',
  'tree/sub/[x].yaml': 'z: 1\n',
  'tree/old/data.yaml': 'k: 2\n',
  'loud.rego': 'package loud\n\np := 1 / 0\n\nq := p + 1\n\nr contains to_number(x) if some x in ["1", "x"]\n',
  'held.rego': 'package h\n\nq if {\n\tx := 1\n\tx > 0\n}\n',
  'no-package.rego': 'p := 1\n',
  'two-packages.rego': 'package a\n\npackage b\n\nnot p if 1\n\nx.y with input as 1\n',
  'template.rego': 'package t\n\np := $"{1}"\n',
  'word.rego': 'package w\n\np := input.if\n',
  'not.rego': 'package n\n\nimport future.keywords.not\n\np if not { input.x }\n',
  'or.rego': 'package o\n\nimport future.keywords.or\n\np if input.x or input.y\n',
  'v0.rego': 'package v\n\nimport future.keywords.in\n\np { 1 in [1] }\n',
  'v0-if.rego': 'package v\n\nimport future.keywords\n\np if { 1 in [1] }\n',
  'v0-v1.rego': 'package v\n\nimport rego.v1\n\np if 1 in [1]\n',
  'v2.rego': 'package v\n\nimport rego.v2\n\np if 1 in [1]\n',
  'no-templates.json': without('template_strings'),
  'no-words.json': without('keywords_in_refs'),
  'no-v2.json': without('rego_v2_import'),
  'no-v2-at-all.json': JSON.stringify({ builtins, features: ['rego_v1'] }),
  'only-or.json': JSON.stringify({ builtins, features, future_keywords: ['or'] }),
  'nothing-v0.json': JSON.stringify({ builtins, features: [], future_keywords: ['in'] }),
  'strange.json': JSON.stringify({ builtins, features, future_keywords: ['in', 'when'] }),
};

let folder = '';
const before = process.cwd();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rego-loading-'));
  process.chdir(folder);
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(name), { recursive: true });
    writeFileSync(name, text);
  }
  execFileSync('tar', ['czf', 'tree.tar.gz', '-C', 'tree', 'a.rego', 'a_test.rego', '.hidden', 'sub', 'old']);
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

const IGNORED: readonly (readonly string[])[] = [
  ['.*,*_test.rego', '--ignore', 'old'],
  ['.*', '--ignore', '*_test.rego,old'],
  ['.?*,[n-p]ld,*_test.rego'],
  ['.*,old,[^a-b]*'],
  ['.*,old,\\[x\\].yaml,*_test.rego'],
  ['.*,old,[,a*'],
  ['tree,.*,old,*_test.rego'],
];

const SAME: readonly (readonly string[])[] = [
  ...IGNORED.flatMap(([patterns = '', ...more]) => [
    ['eval', '-d', 'tree', '--ignore', patterns, ...more, '-f', 'pretty', 'data'],
    ['check', 'tree', '--ignore', patterns, ...more],
    ['test', 'tree', '--ignore', patterns, ...more, '-r', 'none'],
    ['deps', '-d', 'tree', '--ignore', patterns, ...more, 'data.a.p'],
  ]),
  ['eval', '-b', 'tree', '--ignore', '.*,old', '-f', 'pretty', 'data'],
  ['eval', '-b', 'tree.tar.gz', '--ignore', '.*', '--ignore', 'old,*.yaml', '-f', 'pretty', 'data'],
  ['check', '-b', 'tree', '--ignore', '.h*,old'],
  ['test', '-b', 'tree', '--ignore', '.h*,old,a*', '-r', 'none'],
  ['eval', '-d', 'tree/a_test.rego', '--ignore', '*_test.rego', '-f', 'pretty', 'data'],
  ...['no-templates.json', 'no-words.json', 'no-v2.json', 'no-v2-at-all.json', 'only-or.json', 'strange.json'].flatMap(
    (file) =>
      ['template.rego', 'word.rego', 'not.rego', 'or.rego', 'v2.rego', 'v0-v1.rego'].map((module) => [
        'check',
        '--capabilities',
        file,
        module,
      ]),
  ),
  ...['nothing-v0.json', 'only-or.json', 'strange.json', 'v1.22.0'].flatMap((file) =>
    ['v0.rego', 'v0-if.rego', 'v0-v1.rego', 'v2.rego', 'or.rego'].map((module) => [
      'check',
      '--v0-compatible',
      '--capabilities',
      file,
      module,
    ]),
  ),
  ['check', '--capabilities', 'v1.22.0', 'tree/a.rego'],
  ['check', 'no-package.rego'],
  ['check', 'two-packages.rego'],
  ['check', '--v0-compatible', 'two-packages.rego'],
  ['eval', '--capabilities', 'v1.22.0', '-f', 'pretty', 'x := $"{1}"'],
  ['eval', '--capabilities', 'no-templates.json', '-f', 'pretty', 'x := $"{1}"'],
  ['eval', '--count', '3', '-f', 'pretty', 'x := [1, 2][_]'],
  ['eval', '--count', '2', 'x := [1, 2][_]'],
  ['eval', '--show-builtin-errors', '-f', 'pretty', 'x := 1'],
  ['eval', '--show-builtin-errors', '-d', 'loud.rego', 'data.loud.q; 1 / 0'],
  ['eval', '--show-builtin-errors', '-d', 'loud.rego', 'data.loud'],
  ['eval', '--show-builtin-errors', '--fail', '-d', 'loud.rego', 'data.loud.p'],
  ['eval', '--show-builtin-errors', '--fail', '-f', 'raw', 'to_number("x")'],
  ['eval', '--show-builtin-errors', '-f', 'discard', 'to_number("x")'],
  ['eval', '--show-builtin-errors', '-f', 'values', '-d', 'loud.rego', 'data.loud'],
  ['eval', '--show-builtin-errors', '-f', 'pretty', '-d', 'loud.rego', 'data.loud'],
];

interface Shown {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** OPA also says by which rules an error was reached, and names the expression of a query. */
function comparable({ status, stdout, stderr }: Shown): unknown {
  const plain = (node: unknown): unknown => {
    if (typeof node !== 'object' || node === null) return node;
    if (Array.isArray(node)) return node.map(plain);
    return Object.fromEntries(Object.entries(node).flatMap(([k, v]) => (k === 'stack_trace' ? [] : [[k, plain(v)]])));
  };
  const text = stderr
    .replace(/\n+Traceback:\n(?: {2}.*(?:\n|$))+/g, '\n')
    .replace(/^(1 error occurred: )?\S+(?=: eval_builtin_error)/gm, '$1PLACE')
    .trimEnd();
  return { status, stdout: stdout.includes('eval_builtin_error') ? plain(JSON.parse(stdout)) : stdout, text };
}

describe.skipIf(opa === undefined)('as opa does (skipped when it is not installed)', () => {
  test.each(SAME.map((args) => [args.join(' '), args] as const))('%s', async (_name, args) => {
    expect(comparable(await runOurs(args))).toEqual(comparable(runOpa(args)));
  });

  test.each([
    ['metrics', ['--metrics', '1']],
    ['a profile', ['--profile-sort', 'file', '--profile-sort', 'line', '-d', 'held.rego', 'data.h.q']],
  ])('the shape of %s of several runs', async (_name, options) => {
    const shapeOf = ({ stdout }: Shown): unknown => {
      const document = JSON.parse(stdout) as Record<string, Record<string, object>>;
      const { aggregated_metrics: metrics = {}, aggregated_profile: profile = [] } = document;
      const names = (each: object): readonly string[] => Object.keys(each);
      const { timer_rego_query_eval_ns: evaluation = {} } = metrics;
      return [Object.keys(document), names(evaluation), Object.values(profile).map((line) => [names(line), line])];
    };
    const withoutTimes = (shape: unknown): unknown =>
      JSON.parse(JSON.stringify(shape, (key, value: unknown) => (key === 'total_time_ns_stats' ? '' : value)));
    const args = ['eval', '--count', '3', ...options];
    expect(withoutTimes(shapeOf(await runOurs(args)))).toEqual(withoutTimes(shapeOf(runOpa(args))));
  });
});

test('the times of several runs are tables when pretty', async () => {
  const { stdout } = await runOurs(['eval', '--count', '3', '--profile', '-f', 'pretty', 'x := 1 + 1']);
  expect(stdout).toMatch(/│ +Metric +│ +Min +│ +Max +│ +Mean +│ +90% +│ +99% +│/);
  expect(stdout).toMatch(/│ +Min +│ +Max +│ +Mean +│ +90% +│ +99% +│ +Num Eval +│/);
});

test.each([
  ['capabilities of another version', ['check', '--capabilities', 'v0.30.0', '.'], /only those of v1\.22\.0 are here/],
  ['capabilities that are none', ['check', '--capabilities', 'tree/a.rego', '.'], /no such file, or no capabilities/],
  ['no run at all', ['eval', '--count', '0', '1'], /not a whole number from 1 on/],
  ['the first error and all', ['eval', '--show-builtin-errors', '--strict-builtin-errors', '1'], /ends with the first/],
])('%s is an error that says so', async (_name, args, message) => {
  const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
    throw new CommandFailure('', 2);
  });
  const { stderr, status } = await runOurs(args);
  exit.mockRestore();
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

test('a class with escapes and ranges is read as Go reads it', () => {
  const matches = (pattern: string, name: string): boolean => nameFilter([pattern])(name);
  expect(matches('[a-c]?', 'b1')).toBe(true);
  expect(matches('[^a-c]', 'b')).toBe(false);
  expect(matches('[\\]]', ']')).toBe(true);
  expect(matches('[c-a]', 'b')).toBe(false);
  expect(matches('[-a]', 'a')).toBe(false);
  expect(matches('a\\', 'a')).toBe(false);
  expect(matches('*/b', 'a/b')).toBe(true);
});
