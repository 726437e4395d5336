import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BackendName,
  compile,
  compileInSteps,
  isRegoErrors,
  isRegoEvaluationError,
  type Policy,
  type RegoError,
  toJson,
  type Value,
} from './index.js';

const BACKENDS: readonly BackendName[] = ['generated', 'closures'];

function policy(text: string, data: Value = {}, backend: BackendName = 'auto', optimize = true): Policy {
  return compile({ modules: [{ name: 'p.rego', text }], data, backend, optimize });
}

function compileErrors(text: string): readonly RegoError[] {
  try {
    policy(text);
  } catch (error) {
    if (isRegoErrors(error)) return error.errors;
    throw error;
  }
  return [];
}

describe.each(BACKENDS)('a policy run with %s', (backend) => {
  it.each([
    ['p := 1', 1],
    ['p if input.x > 1', true],
    ['p := [x | some x in input.xs; x > 1]', [2, 3]],
    ['p := {x: y | some x, y in input.xs}', { 0: 1, 1: 2, 2: 3 }],
    ['p := x if { [x, [_, 3]] = ["a", [2, input.x]] }', 'a'],
    ['p if not input.missing', true],
    ['p if not input.x', undefined],
    ['default p := false\np if input.missing', false],
    ['p := "a" if { input.x == 4 } else := "b" if { input.x == 3 }', 'b'],
    ['p if every x in input.xs { x > 0 }', true],
    ['p := f(2)\nf(x) := x * 10', 20],
    ['p := count(q)\nq contains x if some x in input.xs', 3],
    ['p := q.b\nq[k] := v if some k, v in {"a": 1, "b": 2}', 2],
    ['p := x if { x := input.x with input.x as 9 }', 9],
    ['p := x if { x := count([1, 2]) with count as 7 }', 7],
    ['p := $"x is {input.x} and {input.nope}"', 'x is 3 and <undefined>'],
    ['p := n if { walk({"a": {"b": 5}}, [["a", "b"], n]) }', 5],
    ['p := data.base.k', 'v'],
    ['p := 9007199254740993 + 1', 9007199254740994n],
  ])('evaluates %j', (body, want) => {
    const value = policy(`package t\n${body}`, { base: { k: 'v' } }, backend).evaluate('data.t.p', {
      x: 3,
      xs: [1, 2, 3],
    });
    if (typeof want === 'bigint') expect(String(value)).toBe(String(want));
    else expect(value === undefined ? undefined : toJson(value)).toEqual(want);
  });

  it('reports conflicts with their place', () => {
    const conflicting = policy('package t\np := 1 if input.a\np := 2 if input.b', {}, backend);
    expect(conflicting.evaluate('t/p', { a: true })).toBe(1);
    try {
      conflicting.evaluate('t/p', { a: true, b: true });
      expect.unreachable();
    } catch (error) {
      if (!isRegoEvaluationError(error)) throw error;
      expect(error.code).toBe('eval_conflict_error');
      expect(error.location).toMatchObject({ file: 'p.rego', row: 3 });
    }
  });

  it('makes built-in errors undefined, or fatal when strict', () => {
    const failing = policy('package t\np if to_number(input.x) > 1', {}, backend);
    expect(failing.evaluate('t/p', { x: 'no' })).toBeUndefined();
    expect(() => failing.evaluate('t/p', { x: 'no' }, { strictBuiltinErrors: true })).toThrow('eval_builtin_error');
  });

  it('stops at the step, depth and time limits', () => {
    const slow = policy(
      'package t\np if { some a in numbers.range(1, 1000); some b in numbers.range(1, 1000); a * b == -1 }',
      {},
      backend,
    );
    expect(() => slow.evaluate('t/p', {}, { limits: { maxSteps: 10_000 } })).toThrow('step budget');
    let now = 0;
    const clock = (): number => {
      now += 10;
      return now;
    };
    expect(() => slow.evaluate('t/p', {}, { limits: { deadlineMs: 25, now: clock } })).toThrow('deadline');
    const rules = Array.from({ length: 2000 }, (_, i) => `r${i} := r${i + 1} + 1`).join('\n');
    const deep = policy(`package t\n${rules}\nr2000 := 0`, {}, backend);
    expect(() => deep.evaluate('t/r0')).toThrow('depth budget');
    expect(deep.evaluate('t/r1900')).toBe(100);
  });

  it('replaces data between evaluations without compiling again', () => {
    const before = policy(
      'package t\np := data.limits.max\nq contains x if some x in data.xs',
      { limits: { max: 1 }, xs: [1] },
      backend,
    );
    const ask = before.prepare('data.t.p');
    expect(ask()).toBe(1);
    const other = before.withData({ limits: { max: 5 } });
    before.setData('limits.max', 2);
    expect(ask()).toBe(2);
    expect(other.evaluate('data.t.p')).toBe(5);
    expect(toJson(before.evaluate('data.t.q') as Value)).toEqual([1]);
  });

  it('answers queries with every binding', () => {
    const rows = policy('package t\nq contains x if some x in [1, 2]', {}, backend).query('data.t.q[x]; y := x + 1');
    expect(rows).toEqual([
      { x: 1, y: 2 },
      { x: 2, y: 3 },
    ]);
  });

  it('never reads what objects inherit', () => {
    const probe = policy(
      'package t\np contains k if { some k in ["constructor", "__proto__", "toString", "length", "size"]; input[k] }\nq if input.constructor\nr if input.__proto__',
      {},
      backend,
    );
    expect(toJson(probe.evaluate('t/p', {}) as Value)).toEqual([]);
    expect(probe.evaluate('t/q', {})).toBeUndefined();
    expect(probe.evaluate('t/r', {})).toBeUndefined();
    expect(probe.evaluate('t/q', JSON.parse('{"constructor": 1}') as Value)).toBe(true);
  });
});

describe('a query that replaces rules', () => {
  it('replaces them where their bodies would run in place', () => {
    const text =
      'package t\nroles contains r if some r in input.roles\nadmin if "root" in roles\nnames contains r if some r in roles';
    const [row] = policy(text).query(
      'a := data.t.admin with data.t.roles as {"root"}; n := data.t.names with data.t.roles as {"x"}',
      { roles: [] },
    );
    expect(toJson((row as { n: Value }).n)).toEqual(['x']);
    expect(row?.['a']).toBe(true);
  });

  it.each([
    'x == {n: 1 | some n in data.t.names with data.t.roles as {"x"}}',
    '{n: 1 | some n in data.t.names with data.t.roles as {"x"}} == x',
  ])('replaces them inside of an object comprehension that is compared: %s', (compared) => {
    const text = 'package t\nroles contains r if some r in input.roles\nnames contains r if some r in roles';
    expect(policy(text).query(`x := input.o; ${compared}`, { roles: [], o: { x: 1 } })).toHaveLength(1);
    expect(policy(text).query(`x := input.o; ${compared}`, { roles: ['x'], o: { y: 1 } })).toHaveLength(0);
  });
});

describe('explaining', () => {
  it('lists the expressions that decided, with their place', () => {
    const text =
      'package t\ndefault allow := false\nallow if {\n\tadmin\n\tinput.age > 17\n}\nadmin if "root" in input.roles';
    const { value, trace } = policy(text).explain('t/allow', { roles: ['root'], age: 3 });
    expect(value).toBe(false);
    expect(trace).toContainEqual({
      rule: 'data.t.admin',
      file: 'p.rego',
      row: 7,
      col: 10,
      expression: '"root" in input.roles',
      outcome: 'true',
    });
    expect(trace).toContainEqual({
      rule: 'data.t.allow',
      file: 'p.rego',
      row: 5,
      col: 2,
      expression: 'input.age > 17',
      outcome: 'false',
    });
  });
});

describe('compiling', () => {
  it.each([
    ['p if x > 1', 'rego_unsafe_var_error', 'var x is unsafe'],
    ['p if not input.xs[i]', 'rego_unsafe_var_error', 'var i is unsafe'],
    ['p if q\nq if p', 'rego_recursion_error', 'is recursive'],
    ['p if nope(1)', 'rego_type_error', 'undefined function nope'],
    ['p := 1\np contains 1', 'rego_type_error', 'conflicting rules'],
    ['p if count(1) > 2', 'rego_type_error', 'count: invalid argument(s)'],
    ['p if { x := 1; x == "a" }', 'rego_type_error', 'match error'],
    ['p if { x := 1; x := 2; x > 0 }', 'rego_compile_error', 'var x assigned above'],
    ['p if { some x; input.y }', 'rego_compile_error', 'declared var x unused'],
    ['default p := 1\ndefault p := 2', 'rego_type_error', 'multiple default rules'],
    ['p if http.send({"method": "get", "url": "x"})', 'rego_type_error', 'undefined function http.send'],
  ])('refuses %j with %s', (body, code, message) => {
    const [error] = compileErrors(`package t\n${body}`);
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(message);
    expect(error?.location.row).toBeGreaterThan(0);
  });

  it('reads a module as v0 when it only parses so', () => {
    const auto = compile({ modules: [{ name: 'a', text: 'package t\np { input.x }', version: 'auto' }] });
    expect(auto.evaluate('t/p', { x: 1 })).toBe(true);
  });
});

const grant = fc.record({
  project: fc.constantFrom('a', 'b', 'c'),
  action: fc.constantFrom('read', 'write'),
  on: fc.constantFrom(1, 2, null),
});
const MODULE = `package t
import rego.v1
default allow := false
allow if "root" in roles
allow if { some g in grants; g.project == input.project; g.action == input.action; not denied }
denied if { some d in data.denials; d.project == input.project }
roles contains r if some r in data.users[input.user].roles
grants contains g if { some r in roles; some g in data.roles[r] }
grants contains g if some g in input.extra
names := [g.project | some g in grants]
on contains g.on if { some g in grants; g.action == "read" }`;

describe('the optimiser and the back ends', () => {
  it('change no answer', () => {
    const input = fc.record({
      user: fc.constantFrom('u', 'v', 'nobody'),
      project: fc.constantFrom('a', 'b'),
      action: fc.constantFrom('read', 'write', 'none'),
      extra: fc.array(grant, { maxLength: 3 }),
    });
    const data = fc.record({
      users: fc.constant({ u: { roles: ['r1', 'r2'] }, v: { roles: ['root'] } }),
      roles: fc.record({ r1: fc.array(grant, { maxLength: 20 }), r2: fc.array(grant, { maxLength: 3 }) }),
      denials: fc.array(grant, { maxLength: 2 }),
    });
    const compiled = BACKENDS.flatMap((backend) =>
      [true, false].map((optimize) => policy(MODULE, {}, backend, optimize)),
    );
    fc.assert(
      fc.property(input, data, (given, base) => {
        for (const path of ['t/allow', 't/names', 't/on', 't/grants', 't']) {
          const answers = compiled.map((each) =>
            JSON.stringify(toJson(each.withData(base).evaluate(path, given) as Value)),
          );
          expect(new Set(answers).size).toBe(1);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('compiling in steps', () => {
  const rules = Array.from({ length: 400 }, (_unused, index) => `p${index} := x if { x := input.x + ${index} }\n`);

  it('pauses at every rule of a stage, and gives the same policy', () => {
    const compiling = compileInSteps({ modules: [{ name: 'p.rego', text: `package t\n${rules.join('')}` }] });
    let steps = 0;
    let step = compiling.next();
    for (; step.done !== true; step = compiling.next()) steps += 1;
    expect(steps).toBeGreaterThan(5 * rules.length);
    expect(step.value.evaluate('t/p7', { x: 1 })).toBe(8);
  });

  it('gives the same errors', () => {
    const modules = [{ name: 'p.rego', text: `package t\n${rules.join('')}q if x > y\n` }];
    const run = (): void => {
      for (const _step of compileInSteps({ modules }));
    };
    expect(run).toThrow(/var x is unsafe/);
    expect(() => compile({ modules })).toThrow(/var x is unsafe/);
  });
});

describe('ever new questions', () => {
  const modules = [{ name: 'p.rego', text: 'package t\nu[k] := v if some k, v in data.users\n' }];
  const users = Object.fromEntries(Array.from({ length: 12_000 }, (_unused, id) => [`u${id}`, { id, tags: [id] }]));

  it.each(['generated', 'closures'] as const)('of documents have their values (%s)', (backend) => {
    const policy = compile({ modules, backend, data: { users, list: [10, 11] } });
    for (let round = 0; round < 2; round += 1) {
      for (let id = 0; id < 12_000; id += 1) expect(policy.evaluate(`users.u${id}.id`)).toBe(id);
      expect(policy.evaluate('users.nobody.id')).toBeUndefined();
      expect(policy.query('x := data.users.u11999.tags[0]')).toEqual([{ x: 11_999 }]);
      expect(policy.evaluate('users.u11999.tags')).toEqual([11_999]);
      expect(policy.evaluate('t.u.u11998.id')).toBe(11_998);
      expect(policy.query('data.users.u11997.tags[_] = x')).toEqual([{ x: 11_997 }]);
      expect(policy.query('x := data.users.u7.id; data.users[concat("", ["u", "7"])].id == x')).toEqual([{ x: 7 }]);
    }
    policy.setData('users.u11999.id', 'new');
    expect(policy.evaluate('users.u11999.id')).toBe('new');
    expect(policy.withData({ users: { u11999: { id: 'other' } } }).evaluate('users.u11999.id')).toBe('other');
  });

  it('do not fill the memory', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const usedBytes = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const policy = compile({ modules, backend: 'closures', data: { users: { a: 1 } } });
    const ask = (from: number, to: number): void => {
      for (let id = from; id < to; id += 1) {
        policy.evaluate(`users.v${id}.id`);
        if (id % 4 === 0) policy.query(`data.users[_] == "x${id}"; data.users.w${id}`);
      }
    };
    ask(0, 20_000);
    const before = usedBytes();
    ask(20_000, 60_000);
    // Kept for ever, these took 30 MB.
    expect(usedBytes() - before).toBeLessThan(5e6);
  }, 60_000);
});
