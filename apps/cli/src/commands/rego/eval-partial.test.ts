/** `eval --partial` beside the real OPA: the same text but for the names of generated variables, and the same JSON. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opa, runOpa, runOurs } from './beside-opa.js';

const POLICY = `package q

import data.roles

default granted := false

granted if {
	input.user == "bob"
	some r in input.roles
	roles[r] == "admin"
}

deny contains msg if {
	not granted
	msg := sprintf("no %v", [input.user])
}

allow if {
	some g in data.grants
	g.s == input.s
	g.a == input.a
}

allow if input.admin

e := 1 if input.x > 1

e := 2 if input.y > 1

s contains x if {
	some x in input.xs
	x > 1
}

s contains "k" if input.k

o[k] := v if {
	some k, v in input.o
	v != "z"
}

h(x) if x == "a"

h(x) if startswith(x, "b")

f(x) := y if {
	x > 3
	y := x + 1
} else := 0

list if {
	x := [y | some y in input.ys; y > 2]
	count(x) > 1
}

role if {
	some i
	input.list[i].name == "x"
	data.roles[input.list[i].role] == "admin"
}

joined := concat(",", [input.a, "x"])

sums if {
	input.n + 1 > 3
	input.n * 2 == 8
}

never if {
	input.x
	1 == 2
}

modified if allow with input.admin as true

not_modified if not allow with input.s as "a"

put_in := x if x := input.x + 1 with input.x as 2

otherwise := 1 if {
	input.k
} else := 2

listed if every each in input.list { roles[each.role] == "admin" }

nested if every each in input.list { every e in each.xs { e > input.min } }

keyed if every k, v in input.o { v == k }

among if every each in input.list { each in s }

of_rule if every each in s { each > 3 }

beside if every each in input.list { each.x; allow }

over_known if every limit in data.limits { input.x > limit }

level := input.n if input.n > 2
`;

const DATA =
  '{"limits": [1, 2], "roles": {"x": "admin", "y": "user"}, "grants": [{"s": "a", "a": "r"}, {"s": "b", "a": "w"}]}';

let folder = '';
const before = process.cwd();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rego-partial-'));
  process.chdir(folder);
  writeFileSync('q.rego', POLICY);
  writeFileSync('data.json', DATA);
  writeFileSync('input.json', '{"s": "a"}');
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

const QUERIES = [
  ...['granted', 'granted == true', 'granted == false', 'deny', 'deny[x]', 'allow', 'e', 'e == 1', 's', 's[x]'],
  ...['s["a"]', 'o[k] = v', 'o.a', 'list', 'role', 'joined', 'sums', 'never', 'h(input.a)', 'h("bc")', 'h("c")'],
  ...['f(input.x)', 'f(input.x, y)', 'f(5)', 'modified', 'not_modified', 'put_in', 'otherwise', 'otherwise == 1'],
  ...['listed', 'nested', 'keyed', 'among', 'of_rule', 'beside', 'over_known', 'modified == true'],
  ...['granted with input.user as "x"', 'deny with input.n as 1', 'allow with input as {"s": "a"}'],
  ...['level > 1 with input.n as 3', 'level == input.y with input.n as 3', 'allow with input.zz as data.roles'],
  ...['s[x] with input.xs as [1, 2]', 'otherwise with input.k as true', 'f(input.n) with input.n as 7'],
  ...['beside with input.n as 1', 'never with input.n as 1', 's with input.n as 1'],
].map((rule) => `data.q.${rule}`);

const FREE = [
  ...['not data.q.granted', 'count(data.q.deny) > 0', 'input.x = y; y > 3', 'x = [y | y = input.z[_]]', '1 == 2'],
  ...['1 == 1', 'x := 1; input.y == x', 'input.x > 3; not input.y', 'x = data.roles', '[a, b] = [input.x, 1]'],
  ...['x := data.q.allow with input.admin as true', 'not data.q.granted with input.user as "x"'],
  ...['count(data.q.deny) > 0 with input.user as "x"', 'input.x > 1 with input.x as 3', 'data.q with input.n as 1'],
  ...['x := 1; data.q.allow with input.n as x', 'y = input.q; data.q.allow with input.n as y'],
  ...['every x in data.q.s { x > input.z }', 'not data.q.never with input.n as 1', 'x := data.q.s with input.n as 1'],
  ...['not input.x > 3', 'lower(input.a) == upper(input.b)', 'every x in [1, 2] { x > input.y }'],
];

const PARTIAL = ['eval', '-d', 'q.rego', '-d', 'data.json', '-p'];

/** In JSON the key OPA gives them shows. */
const KEYLESS = /listed|nested|among|of_rule|beside|every x in data/;

const SAME: readonly (readonly string[])[] = [
  ...[...QUERIES, ...FREE].map((query) => [...PARTIAL, '-f', 'source', query]),
  ...[...QUERIES, ...FREE].filter((query) => !KEYLESS.test(query)).map((query) => [...PARTIAL, '-f', 'json', query]),
  ...['data.q.granted', 'data.q.deny', 'data.q.never', '1 == 1'].map((query) => [...PARTIAL, '-f', 'pretty', query]),
  [...PARTIAL, '-f', 'source', '-u', 'data.grants', 'data.q.allow'],
  [...PARTIAL, '-f', 'source', '-u', 'input.s', 'data.q.allow'],
  [...PARTIAL, '-f', 'source', '-i', 'input.json', '-u', 'input.a', '-u', 'input.admin', 'data.q.allow'],
  [...PARTIAL, '-f', 'source', '--disable-inlining', 'data.q.allow', 'data.q.allow == true'],
  [...PARTIAL, '-f', 'source', '--fail', 'data.q.never'],
  [...PARTIAL, '-f', 'source', '--fail-defined', 'data.q.allow'],
];

/** Generated variables have names of their own, which the widths of tables hang on. */
const withoutNames = (text: string): string =>
  text
    .replace(/__local[a-z]*\d+__\d*|\$?\b_term_\w+/g, 'v')
    // OPA gives every `every` a key, which its compiler then refuses as unused.
    .replaceAll('every v, v in ', 'every v in ')
    .replace(/ +│/g, ' │')
    .replace(/─+/g, '─');

describe.skipIf(opa === undefined)('as opa does (skipped when it is not installed)', () => {
  test.each(SAME.map((args) => [args.slice(6).join(' '), args] as const))('%s', async (_name, args) => {
    const [ours, theirs] = [await runOurs(args), runOpa(args)];
    expect({ ...ours, stdout: withoutNames(ours.stdout) }).toEqual({ ...theirs, stdout: withoutNames(theirs.stdout) });
  });
});

test.each([
  [['eval', '-p', '-f', 'raw', 'input.x'], 'invalid output format for partial evaluation'],
  [['eval', '-f', 'source', 'input.x'], 'invalid output format for evaluation'],
  [['eval', '-p', '-u', '1 + 1', '-f', 'pretty', 'input.x'], 'unknowns: 1 + 1 is no reference into input or data'],
])('%j is an error', async (args, message) => {
  const { status, stderr } = await runOurs(args);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});
