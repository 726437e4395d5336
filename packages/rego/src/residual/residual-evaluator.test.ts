/** What is left of a query means what the query meant: asked with the input that was unknown, both have the same answers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromJson, isRegoErrors, parseModule, type syntax, toJson, type Value } from '../index.js';
import { evaluateQuery, PARTIAL_FORMATS, type PartialResult, partiallyEvaluate } from '../tools/index.js';

const DATA = fromJson({
  roles: { x: 'admin', y: 'user' },
  grants: [
    { s: 'a', a: 'r' },
    { s: 'b', a: 'w' },
  ],
  limits: [1, 2],
});

const POLICY = parseModule(
  'q.rego',
  `package q

import data.roles

default granted := false

granted if {
	some grant in data.grants
	grant.s == input.s
	grant.a == input.a
}

granted if input.admin

allow if {
	some g in data.grants
	g.s == input.s
	g.a == input.a
}

allow if input.admin

deny contains msg if {
	not granted
	msg := sprintf("no %v", [input.s])
}

default level := 1

level := input.level if input.level > 1

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

o.fixed := 1 if input.k

h(x) if x == "a"

h(x) if startswith(x, "b")

both(x, y) := z if {
	x > 1
	z := x + y
}

chain(x) := "big" if {
	x > 2
} else := "small"

with_it if allow with input.admin as true

with_whole if allow with input as {"s": "a", "a": "r"}

with_not if not granted with input.admin as false

with_level := x if x := level + input.y with input.level as 5

with_set if count(s) == 2 with input.xs as [2, 3]

with_none if not none with input.k as false

with_else if else_it == 2 with input.k as false

none if {
	not input.k
	not s["k"]
	not e == 1
}

nested if {
	not granted
	not h(input.a)
}

list if {
	x := [y | some y in input.xs; y > 2]
	count(x) > 1
}

else_it := 1 if {
	input.k
} else := 2

d := {"a": input.a, "b": [input.s]}

in_d if d.a == "r"

role if {
	some i
	roles[input.list[i].role] == "admin"
	input.list[i].n > 1
}

every_role if every each in input.list { roles[each.role] == "admin" }

every_limit if every limit in data.limits { input.x > limit }

sums if both(input.x, input.y) == 5

pair if [input.x, input.y] == [2, 3]

set_of contains [k, v] if some k, v in input.o

wide if {
	input.s in {"a", "c"}
	not input.a in {"w"}
}

closed if count({x | some x in input.xs; not x in s}) == 0
`,
);

const QUERIES = [
  ...['granted', 'allow', 'deny', 'level', 'e', 's', 'o', 'with_it', 'none', 'nested', 'list', 'else_it', 'd', 'in_d'],
  ...['with_whole', 'with_not', 'with_level', 'with_set', 'with_none', 'with_else'],
  ...['role', 'every_role', 'every_limit', 'sums', 'pair', 'set_of', 'wide', 'closed', 's[x]', 'o[k] = v', 'deny[x]'],
  ...['set_of[[k, v]]', 'e == 2', 'granted == false', 'granted == true', 'o.fixed', 's["k"]', 'd.b[i] = z'],
  ...['h(input.a)', 'both(input.x, input.y) = z', 'chain(input.x) = z'],
].map((rule) => `data.q.${rule}`);

const ALL = [
  ...QUERIES,
  ...['not data.q.granted', 'not data.q.e == 1', 'count(data.q.deny) > 0', 'x = data.q.level; x > 1'],
  ...[
    'some _, x1 in input.o; 1 == x1',
    'every x in [1, 2] { x < input.x }',
    '1 == input.x',
    'data.q.s & {2, 3} == {3}',
  ],
  ...['input.x = y; y > 1', '1 == 1', '1 == 2', 'x = [y | y = input.xs[_]]', 'not input.x > 2'],
];

const small = fc.constantFrom(0, 1, 2, 3, 5);
const INPUTS = fc.record(
  {
    s: fc.constantFrom('a', 'b', 'c'),
    a: fc.constantFrom('r', 'w', 'a', 'bc'),
    admin: fc.boolean(),
    k: fc.boolean(),
    level: small,
    x: small,
    y: small,
    xs: fc.array(small, { maxLength: 4 }),
    o: fc.dictionary(fc.constantFrom('p', 'q', 'fixed'), fc.constantFrom(1, 2, 'z')),
    list: fc.array(fc.record({ role: fc.constantFrom('x', 'y', 'w'), n: small }), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

/** The texts of the queries and modules, as printed. */
function textsOf(result: PartialResult): { queries: readonly string[]; modules: readonly syntax.Module[] } {
  const text = PARTIAL_FORMATS.source(result);
  const parts = text.split(/^# (Query|Module) \d+\n/m).slice(1);
  const queries: string[] = [];
  const modules: syntax.Module[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const body = parts[at + 1] ?? '';
    if (parts[at] === 'Query') queries.push(body.trim());
    else modules.push(parseModule(`support${at}.rego`, body));
  }
  return { queries, modules };
}

/** Every answer once: the variables of the query, or that it holds. */
function answers(query: string, input: Value | undefined, modules: readonly syntax.Module[]): readonly string[] {
  try {
    const results = evaluateQuery(query === '' ? 'true' : query, { modules, data: DATA, input });
    const rows = results.flatMap(({ bindings, expressions }) => {
      if (bindings.size === 0 && expressions.some(({ value }) => value === false)) return [];
      const named = [...bindings].filter(([name]) => /^[ikvxyz]$/.test(name));
      return [JSON.stringify(named.map(([name, value]) => [name, toJson(value)]))];
    });
    return [...new Set(rows)].sort();
  } catch (error) {
    if (isRegoErrors(error)) throw new Error(`${query}: ${error.message}`, { cause: error });
    return ['error'];
  }
}

describe.each([
  ['all of the input unknown', { unknowns: ['input'] }],
  ['nothing written out', { shallowInlining: true }],
  ['one rule kept', { disableInlining: ['data.q.allow', 'data.q.s'] }],
] as const)('with %s', (_name, options) => {
  it.each(ALL)('what is left of %s means the same', (query) => {
    const { queries, modules } = textsOf(partiallyEvaluate(query, { modules: [POLICY], data: DATA, ...options }));
    fc.assert(
      fc.property(INPUTS, (json) => {
        const input = fromJson(json);
        const before = answers(query, input, [POLICY]);
        // Rules in conflict go unseen once they are written out, as in OPA.
        if (before.includes('error')) return;
        const after = queries.flatMap((each) => answers(each, input, [POLICY, ...modules]));
        expect([...new Set(after)].sort()).toEqual(before);
      }),
      { numRuns: 10 },
    );
  });
});

it('what is known of the input is put in, and what is unknown of data stays', () => {
  const input = fromJson({ s: 'a' });
  const known = partiallyEvaluate('data.q.allow == true', {
    modules: [POLICY],
    data: DATA,
    input,
    unknowns: ['input.a'],
  });
  expect(PARTIAL_FORMATS.source(known)).toBe('# Query 1\n"r" = input.a\n\n');
  const grants = partiallyEvaluate('data.q.allow == true', {
    modules: [POLICY],
    input,
    unknowns: ['data.grants', 'input.a'],
  });
  expect(PARTIAL_FORMATS.source(grants)).toContain('= data.grants[');
});

it('a path that is no reference is an error', () => {
  expect(() => partiallyEvaluate('true', { unknowns: ['1 + 1'] })).toThrow(/unknowns: 1 \+ 1 is no reference/);
  expect(() => partiallyEvaluate('true', { unknowns: ['foo.bar'] })).toThrow(/no reference into input or data/);
});
