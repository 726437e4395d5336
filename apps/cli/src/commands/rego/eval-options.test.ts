/** Options of `eval`, `check` and bundles beside the real OPA: schemas, capabilities, profiles, coverage, versions of files. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { capabilities } from '@bailiwick/rego';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opa, runOpa, runOurs } from './beside-opa.js';

const LISTED = ['eq', 'equal', 'gt', 'internal.member_2', 'internal.print', 'plus', 'sprintf', 'assign'];
const BUILTINS = capabilities().builtins.filter(({ name }) => LISTED.includes(name));

const FILES: Readonly<Record<string, string>> = {
  'p.rego': `package a.b

allow if {
	input.user == "bob"
	some r in input.roles
	data.roles[r] == "admin"
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
  'noted.rego': 'package a.b\n\nnoted if {\n\tinput.user == "bob"\n\ttrace("half way")\n\tinput.roles[_] == "x"\n}\n',
  'data.json': '{"roles": {"x": "admin"}}',
  'input.json': '{"user": "bob", "roles": ["y", "x"]}',
  'typed.rego': `package s

p if input.usr == "x"

q if input.user == 3

r if input.roles[_].x

s if count(input.n) > 1

t if input.user.first

u if {
	input[x] == 1
	x := 3
}

v if data.roles.x
`,
  'unparsable.rego': 'package x\n\np if { y = }\n',
  'named.rego': `# METADATA
# schemas:
#   - input: schema.input
#   - data.roles: schema.sub.roles
package s2

p if input.usr == "x"

q if data.roles.x == 3

r if data.roles.y
`,
  'unknown-name.rego':
    'package s3\n\n# METADATA\n# schemas:\n#   - input: schema.nothing\np if input.usr == "x"\n\nq if input.a\n',
  'inline.rego': 'package s4\n\n# METADATA\n# schemas:\n#   - input: {type: string}\np if input.usr == "x"\n',
  'nested.rego': `package s5

# METADATA
# scope: document
# schemas:
#   - input: schema.input
#   - input.more: schema.sub.roles
p if input.more.y

p if input.nothing

p if input.user
`,
  'schemas/input.json': JSON.stringify({
    type: 'object',
    properties: {
      user: { type: 'string' },
      roles: { type: 'array', items: { type: 'string' } },
      n: { type: 'integer' },
      tree: { $ref: '#/definitions/node' },
      either: { anyOf: [{ type: 'object', properties: { a: { type: 'string' } } }, { type: 'number' }] },
      both: {
        allOf: [
          { type: 'object', properties: { a: { type: 'string' } } },
          { type: 'object', properties: { b: { type: 'number' } } },
        ],
      },
    },
    definitions: { node: { type: 'object', properties: { left: { type: 'string' } } } },
  }),
  'schemas/sub/roles.json': '{"type": "object", "properties": {"x": {"type": "string"}}}',
  'deep.rego': `package s6

p if input.tree.right

q if input.either.b

r if input.both.c

s if input.both.a == 1
`,
  'no-schema.json': '{"type": "nothing"}',
  'clash.json': '{"allOf": [{"type": "object"}, {"type": "string"}]}',
  'few.json': JSON.stringify({ builtins: BUILTINS, features: ['rego_v1', 'keywords_in_refs'] }),
  'no-v1.json': JSON.stringify({ builtins: BUILTINS }),
  'versions/.manifest': JSON.stringify({
    rego_version: 1,
    file_rego_versions: { '/old/p.rego': 0, '*/older/*': 0 },
  }),
  'versions/old/p.rego': 'package old\n\np { input.x }\n',
  'versions/much/older/still/p.rego': 'package older\n\np { input.x }\n',
  'versions/new/p.rego': 'package new\n\np if input.x\n',
  'wrong-version/.manifest': '{"file_rego_versions": {"/p.rego": 7}}',
  'wrong-version/p.rego': 'package p\n',
  'whole-wrong/.manifest': '{"rego_version": 7}',
  'whole-wrong/p.rego': 'package p\n',
  'unlisted/.manifest': '{"rego_version": 0, "file_rego_versions": {"/new/*": 1}}',
  'unlisted/old.rego': 'package old\n\np { true }\n',
  'unlisted/new/p.rego': 'package new\n\np { true }\n',
};

let folder = '';
const before = process.cwd();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rego-options-'));
  process.chdir(folder);
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(name), { recursive: true });
    writeFileSync(name, text);
  }
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

const SCHEMA = ['-s', 'schemas/input.json'];
const POLICY = ['eval', '-d', 'p.rego', '-d', 'data.json', '-i', 'input.json'];

const SAME: readonly (readonly string[])[] = [
  ...['typed.rego', 'named.rego', 'unknown-name.rego', 'inline.rego', 'nested.rego', 'deep.rego'].flatMap((file) => [
    ['check', file],
    ['check', ...SCHEMA, file],
    ['check', '-s', 'schemas', file],
  ]),
  ['check', ...SCHEMA, 'named.rego', '-f', 'json'],
  ['check', ...SCHEMA, 'deep.rego', '-f', 'json'],
  ['check', '-s', 'absent', 'p.rego'],
  ['check', '-s', 'clash.json', 'p.rego'],
  ['eval', ...SCHEMA, 'input.usr'],
  ['eval', ...SCHEMA, '-d', 'deep.rego', '-f', 'pretty', 'data.s6.p'],
  ['eval', '-s', 'absent', '-f', 'pretty', '1'],
  ['test', ...SCHEMA, 'typed.rego'],
  ['test', '-s', 'absent', 'typed.rego'],
  ['check', '--capabilities', 'few.json', 'p.rego'],
  ['check', '--capabilities', 'few.json', 'typed.rego'],
  ['check', '--capabilities', 'no-v1.json', 'p.rego'],
  ['eval', '--capabilities', 'few.json', '-f', 'pretty', 'x := {"a": lower("A")}; y := count(x)'],
  ['eval', '--capabilities', 'few.json', '-f', 'pretty', '-d', 'typed.rego', 'data.s'],
  ['test', '--capabilities', 'few.json', 'typed.rego'],
  ...['versions', 'wrong-version', 'whole-wrong', 'unlisted'].flatMap((bundle) => [
    ['check', '-b', bundle],
    ['eval', '-b', bundle, '-f', 'pretty', 'data'],
  ]),
  [...POLICY, '-f', 'pretty', 'x := numbers.range(1, 60)'],
  ['eval', '-d', 'unparsable.rego', '-f', 'pretty', '1'],
  ['eval', '-d', 'unparsable.rego', '1'],
  [...POLICY, '--coverage', '--coverage-runs', '', 'data.a.b.allow'],
  [...POLICY, '--coverage', '--coverage-runs', '', '-f', 'pretty', 'data.a.b.deny'],
  [...POLICY, '--coverage', '--coverage-runs', '', '-f', 'raw', 'data.a.b.deny'],
];

describe.skipIf(opa === undefined)('as opa does (skipped when it is not installed)', () => {
  test.each(SAME.map((args) => [args.join(' '), args] as const))('%s', async (_name, args) => {
    // The passes OPA makes on top are not ours.
    const ours = await runOurs(args.filter((arg) => arg !== '--coverage-runs' && arg !== ''));
    expect(ours).toEqual(runOpa(args));
  });

  interface Profiled {
    readonly metrics: object;
    readonly profile: readonly {
      readonly total_time_ns: number;
      readonly location: { readonly file: string; readonly row: number };
    }[];
  }

  /** All but the times. */
  const shapeOf = ({ stdout }: { readonly stdout: string }): unknown => {
    const { metrics, profile } = JSON.parse(stdout) as Profiled;
    const names = Object.keys(metrics).filter((name) => name !== 'timer_rego_external_resolve_ns');
    // How OPA rewrites the query is its own.
    const lines = profile.filter(({ location }) => location.file !== '');
    return { names, profile: lines.map(({ total_time_ns: time, ...rest }) => ({ isTimed: time > 0, ...rest })) };
  };

  test.each([
    ['data.a.b.allow', ['--profile-sort', 'file', '--profile-sort', 'line']],
    ['x := data.a.b.f(5)', ['--profile-sort', 'line']],
    ['input.roles[_]', ['--profile']],
  ])('the profile of %s counts what opa counts', async (query, options) => {
    const args = [...POLICY, ...options, query];
    expect(shapeOf(await runOurs(args))).toEqual(shapeOf(runOpa(args)));
  });
});

/** The steps in policies: place, depth, and what was done; OPA shows its rewritten expressions, and its index. */
const stepsOf = ({ stdout }: { readonly stdout: string }): readonly string[] =>
  stdout
    .split('\n')
    .filter((line) => /^[\w.]+\.rego:\d+ /.test(line) && !line.includes('| Index'))
    .map((line) => /^\S+ +(?:\| )*\w+/.exec(line)?.[0] ?? line);

const TRACED: readonly (readonly string[])[] = [
  ['full', 'data.a.b.allow'],
  ['fails', 'data.a.b.allow'],
  ['notes', 'data.a.b.noted'],
  ['full', 'data.a.b.f(5)'],
  ['fails', 'data.a.b.noted; data.a.b.f(1)'],
];

test.skipIf(opa === undefined).each(TRACED)('--explain %s of %s takes the steps opa takes', async (level, query) => {
  const args = [...POLICY, '-d', 'noted.rego', '-f', 'pretty', `--explain=${level}`, query ?? ''];
  const ours = await runOurs(args);
  expect(stepsOf(ours)).toEqual(stepsOf(runOpa(args)));
});

test('a trace shows what was entered, said and left, as JSON, too', async () => {
  const args = [...POLICY, '-d', 'noted.rego', '--explain', 'notes', 'data.a.b.noted'];
  const pretty = await runOurs([...args, '-f', 'pretty']);
  expect(pretty.stdout).toBe(`query:1          Enter data.a.b.noted
noted.rego:3     | Enter data.a.b.noted
noted.rego:5     | | Note "half way"
true
`);
  const { explanation } = JSON.parse((await runOurs(args)).stdout) as {
    explanation: readonly { Op: string; QueryID: number; ParentID: number; Message: string; Location: object }[];
  };
  expect(explanation.map(({ Op, QueryID, ParentID }) => [Op, QueryID, ParentID])).toEqual([
    ['Enter', 0, 0],
    ['Enter', 1, 0],
    ['Note', 1, 0],
  ]);
  expect(explanation.at(-1)).toMatchObject({ Message: 'half way', Location: { file: 'noted.rego', row: 5, col: 2 } });
});

test('metrics and the profile are tables when pretty, and keep to their limit', async () => {
  const { stdout } = await runOurs([...POLICY, '-f', 'pretty', '--profile-limit', '2', 'data.a.b.allow']);
  expect(stdout).toMatch(/^true\n┌─+┬─+┐\n│ +Metric +│ +Value +│\n/);
  expect(stdout).toContain('│ timer_rego_query_eval_ns ');
  expect(stdout.split('│ p.rego:').length - 1).toBeLessThanOrEqual(2);
});

test.each([
  ['a schema that is none', ['check', '-s', 'no-schema.json', 'p.rego'], 1, /unable to compile the schema/],
  ['a query twice', ['eval', '--stdin', '1'], 2, /specify the query or --stdin, not both/],
  ['no query', ['eval'], 2, /specify the query/],
  ['the input twice', ['eval', '-I', '-i', 'input.json', '1'], 2, /specify input with -i or from standard input/],
  ['an order unknown', ['eval', '--profile-sort', 'size', '1'], 2, /--profile-sort: one of total_time_ns/],
])('%s is an error that says so', async (_name, args, status, message) => {
  const outcome = await runOurs(args);
  expect(outcome.status).toBe(status);
  expect(outcome.stderr).toMatch(message);
});

test('an evaluation beyond its time is an error', async () => {
  const query = 'x := count({x | x := numbers.range(1, 400)[_] * numbers.range(1, 400)[_] * numbers.range(1, 400)[_]})';
  const { status, stdout } = await runOurs(['eval', '--timeout', '50ms', query]);
  expect(status).toBe(2);
  expect(stdout).toContain('"code": "eval_cancel_error"');
});
