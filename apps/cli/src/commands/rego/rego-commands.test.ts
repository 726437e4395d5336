/** The commands beside the real OPA: the same arguments give the same output and exit code. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { opa, runOpa, runOurs } from './beside-opa.js';
import { watchTests } from './test.js';

const FILES: Readonly<Record<string, string>> = {
  'p/policy.rego': `package a.b

import data.roles

default allow := false

allow if {
	input.user == "bob"
	some r in input.roles
	roles[r] == "admin"
}

deny contains msg if {
	not allow
	msg := sprintf("no %v", [input.user])
}

f(x) := y if {
	x > 3
	y := x + 1
} else := 0
`,
  'p/policy_test.rego': `package a.b_test

import data.a.b

test_allow if {
	b.allow with input as {"user": "bob", "roles": ["x"]} with data.roles as {"x": "admin"}
}

test_f if {
	b.f(4) == 5
}
`,
  'doubled.rego': `package d

x := {"op": 1, "b": 2, "op": 3}

s := {"b", 1, count([1]), "b", count([1])}

t := [$"{42} {"a{b"} {null}{input.x}", $\`{1}{"c"}\`]
`,
  'p/data.json': '{"roles": {"x": "admin"}, "big": 12345678901234567890}',
  'p/sub/more.yaml': 'k: [1, two]\n',
  'failing/fail_test.rego': `package fail_test

test_fails if {
	print("hello", 1)
	1 + 1 == 3
}

test_cases[name] if {
	some name, n in {"one": 1, "two": 2}
	n == 1
}

todo_test_later if {
	false
}
`,
  'input.json': '{"user": "bob", "roles": ["x"]}',
  'unformatted.rego': 'package x\n\np if {x := 1; x == 1}\n',
  'unsafe.rego': 'package x\n\np if { y == 1 }\n\nq if { not z }\n',
  'unparsable.rego': 'package x\n\np if { y = }\n',
  'unused.rego': 'package x\n\np if { x := 1; input.y }\n',
  'old.rego': 'package x\n\np[x] { x := input.xs[_] }\n',
};

let folder = '';
const before = process.cwd();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rego-commands-'));
  for (const name of ['p/sub', 'failing']) mkdirSync(join(folder, name), { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  process.chdir(folder);
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

/** Times differ from run to run. */
const withoutTimes = (text: string): string =>
  text.replace(/\([\d.]+(?:ns|µs|ms|s)\)/g, '(time)').replace(/"duration": \d+/g, '"duration": 0');

const QUERIES = [
  'data.a.b',
  'x := data.a.b.allow; y = {"a": 1, "b": [1, 2]}; x',
  'data.nothing',
  'input.roles[_]',
  'count(input.roles)',
  '1 == 2',
  'data.big',
  'some i; input.roles[i]',
  'every x in [1] { x > 0 }; not false',
  'undefined_function(1)',
];

/** Arguments whose whole outcome is OPA's. */
const SAME: readonly (readonly string[])[] = [
  ...['json', 'bindings', 'pretty', 'raw', 'values'].flatMap((format) =>
    QUERIES.map((query) => ['eval', '-d', 'p', '-i', 'input.json', '-f', format, query]),
  ),
  ['eval', '-d', 'p', '--fail', 'data.nothing'],
  ['eval', '-d', 'p', '--fail-defined', 'data.a.b.allow'],
  ['eval', '-d', 'p', '--package', 'a.b', '--import', 'data.roles', '[allow, roles.x, f(4)]'],
  ['eval', '-d', 'p', '--import', 'data.roles as r', 'r.x'],
  ['eval', '-b', 'p', 'data'],
  ['eval', '-d', 'absent', 'data'],
  ['eval', '-d', 'x.y:p/data.json', 'data'],
  ['eval', '-d', 'p/sub/more.yaml', 'data'],
  ['check', 'p'],
  ['check', 'unsafe.rego'],
  ['check', 'unparsable.rego'],
  ['check', 'unparsable.rego', '--format', 'json'],
  ['check', 'unused.rego'],
  ['check', '--strict', 'unused.rego'],
  ['check', 'old.rego', '--v0-compatible'],
  ['check', 'absent'],
  ['test', 'p'],
  ['test', 'p', '-r', 'no_such_test'],
  ['test', 'p', '-r', 'test_allow', '--coverage', '--coverage-runs', ''],
  ['test', 'p', '--coverage', '--coverage-runs', ''],
  ['test', 'p', '-r', 'test_f$', '--threshold', '90', '-v', '--coverage-runs', ''],
  ['test', 'failing', '-r', 'test_fails'],
  ['test', 'failing', '-r', 'test_fails', '--format', 'json'],
  ['test', 'failing', '-r', 'test_cases'],
  ['test', 'failing', '-r', 'test_cases', '--format', 'json'],
  ['test', 'failing', '-r', 'later'],
  ['test', 'failing', '-r', 'later', '-z'],
  ['test', 'unparsable.rego'],
  ['fmt', 'unformatted.rego'],
  ['fmt', 'doubled.rego'],
  ['eval', 'null'],
  ['eval', '-f', 'raw', 'yaml.unmarshal("")'],
  ['parse', '--format', 'json', 'doubled.rego'],
  ['fmt', '--list', 'unformatted.rego', 'p'],
  ['fmt', '--fail', 'unformatted.rego'],
  ['fmt', '--fail', '--list', 'unformatted.rego'],
  ['fmt', 'unparsable.rego'],
  ['parse', 'p/policy_test.rego'],
  ['parse', 'p/policy.rego', '--format', 'json', '--json-include', '-comments'],
  ['parse', 'p/policy.rego', '--format', 'json'],
  ['parse', 'p/policy_test.rego', '--format', 'json'],
  ['parse', 'failing/fail_test.rego', '--format', 'json'],
  ['parse', 'old.rego', '--v0-compatible', '--format', 'json'],
  ['deps', '-d', 'p', 'data.a.b.deny'],
  ['deps', '-d', 'p', 'data.a', '--format', 'json'],
  ['deps', '-d', 'p', 'x := data.a.b.deny; x[_]'],
  ['deps', '-d', 'p', 'input.foo = x; data.roles[x]', '--format', 'json'],
];

describe.skipIf(opa === undefined)('as opa does (skipped when it is not installed)', () => {
  test.each(SAME.map((args) => [args.join(' '), args] as const))('%s', async (_name, args) => {
    const { status, stdout, stderr } = runOpa(args);
    // The passes OPA makes on top are not ours.
    const ours = await runOurs(args.filter((arg) => arg !== '--coverage-runs' && arg !== ''));
    expect({
      ...ours,
      stdout: withoutTimes(ours.stdout),
      stderr: withoutTimes(ours.stderr),
    }).toEqual({
      status,
      stdout: withoutTimes(stdout),
      stderr: withoutTimes(stderr),
    });
  });
});

test('a failing test ends with 2 and says where it failed', async () => {
  const { status, stdout } = await runOurs(['test', 'failing', '-v']);
  expect(status).toBe(2);
  expect(stdout).toContain('failing/fail_test.rego:5: data.fail_test.test_fails\n    1 + 1 == 3');
  expect(stdout).toContain('PASS: 1/4\nFAIL: 2/4\nSKIPPED: 1/4\n');
});

test('fmt writes a file once and then leaves it alone', async () => {
  writeFileSync('again.rego', FILES['unformatted.rego'] ?? '');
  expect((await runOurs(['fmt', '--diff', 'again.rego'])).stdout).toContain('+\tx == 1');
  await runOurs(['fmt', '--write', 'again.rego']);
  expect(readFileSync('again.rego', 'utf8')).toBe('package x\n\np if {\n\tx := 1\n\tx == 1\n}\n');
  expect((await runOurs(['fmt', '--fail', '--list', 'again.rego'])).status).toBe(0);
});

test('explain names the rules that were tried and the expressions that decided', async () => {
  const { stdout } = await runOurs(['explain', '-d', 'p', '-i', 'p/data.json', 'data.a.b.allow']);
  expect(stdout).toBe(`data.a.b.allow is false

✗ data.a.b.allow  (p/policy.rego:7)
    ✗ 8: input.user == "bob"

✓ default data.a.b.allow  (p/policy.rego:5)
`);
  const json = await runOurs(['explain', '-d', 'p', '-i', 'input.json', '-f', 'json', 'data.a.b.allow']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    values: [true],
    rules: [{ rule: 'data.a.b.allow', location: { file: 'p/policy.rego', row: 7 }, held: true }],
  });
});

test('bench gives the times of a query and refuses one without an answer', async () => {
  const { stdout } = await runOurs(['bench', '-d', 'p', '-f', 'json', '--seconds', '0.05', 'data.a.b.allow']);
  const result = JSON.parse(stdout) as { N: number; T: number };
  expect(result.T / result.N).toBeGreaterThan(0);
  const undefinedQuery = await runOurs(['bench', '-d', 'p', 'data.nothing']);
  expect(undefinedQuery).toEqual({ status: 1, stdout: '', stderr: '1 error occurred: undefined result\n' });
});

test('lint ends with 1 and one line for each violation', async () => {
  const { status, stdout } = await runOurs(['lint', '--enable', 'bugs', 'unused.rego']);
  expect(status).toBe(1);
  expect(stdout).toBe(
    'unused.rego:3:8: bugs/unused-variable: A variable is given a value and never read; use it, or `_`. (x)\n\n1 file linted. 1 violation found.\n',
  );
  expect((await runOurs(['lint', 'p', '--disable', 'opa-fmt'])).status).toBe(0);
});

test('test --bench gives the time of each test that passes', async () => {
  const { status, stdout } = await runOurs(['test', 'p', '--bench', '-r', 'test_f$']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^data\.a\.b_test\.test_f\t +\d+\t +[\d.]+ ns\/op\n-{80}\nPASS: 1\/1\n$/);
  const go = await runOurs(['test', 'p', '--bench', '-r', 'test_f$', '-f', 'gobench']);
  expect(go.stdout).toMatch(/^BenchmarkDataABTestTestF\t/);
  const json = await runOurs(['test', 'p', '--bench', '-r', 'test_f$', '-f', 'json']);
  const [first] = JSON.parse(json.stdout) as readonly { name: string; benchmark_result: { N: number; T: number } }[];
  expect(first?.name).toBe('test_f');
  expect(first?.benchmark_result.N).toBeGreaterThan(0);
  expect(await runOurs(['test', 'p', '-f', 'gobench'])).toMatchObject({ status: 2 });
});

test('test --count runs all tests so often', async () => {
  const { stdout } = await runOurs(['test', 'p', '--count', '3', '-r', 'test_f$']);
  expect(stdout).toBe('PASS: 1/1\n'.repeat(3));
});

test('test --watch runs the tests again after a change, also when one fails or nothing compiles', async () => {
  mkdirSync('watched', { recursive: true });
  const write = (body: string): void => writeFileSync('watched/w_test.rego', `package w_test\n\ntest_w if ${body}\n`);
  write('1 == 1');
  const ending = new AbortController();
  let printed = '';
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  const until = (text: string, times = 1): Promise<void> =>
    vi.waitUntil(() => printed.split(text).length > times, { timeout: 10_000, interval: 20 }).then(() => undefined);
  try {
    const options = { format: 'pretty', timeout: 5000, count: 1, ignore: [] };
    const watching = watchTests(['watched'], options, { signal: ending.signal });
    await until('Watching for changes ...');
    expect(printed).toContain('PASS: 1/1\n');
    write('1 == 2');
    await until('FAIL: 1/1');
    write('{');
    await until('rego_parse_error');
    write('2 == 2');
    await until('PASS: 1/1', 2);
    ending.abort();
    await watching;
  } finally {
    out.mockRestore();
  }
});

test('test --watch of a path that is not there is an error', async () => {
  const { signal } = new AbortController();
  const options = { format: 'pretty', timeout: 5000, count: 1, ignore: [] };
  await expect(watchTests(['nowhere'], options, { signal })).rejects.toThrow('ENOENT');
});
