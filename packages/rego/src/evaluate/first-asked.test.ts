/** Rules become code when something first reaches them: whatever was asked before, the answers are the same. */
import { describe, expect, it } from 'vitest';
import { makeProgram, type Program } from '../../fuzz/generate.js';
import { answerOf } from '../../fuzz/outcome.js';
import { rulePaths } from '../../fuzz/peer.js';
import { Random } from '../../fuzz/random.js';
import { isRegoErrors, isRegoEvaluationError } from '../errors.js';
import { compile, type Policy } from '../policy.js';
import { toJsonValue, type Value } from '../values/index.js';

const LIMITS = { maxSteps: 200_000 };
const PROGRAMS = 150;

function answer(policy: Policy, path: string, input?: Value): string {
  try {
    const value = policy.evaluate(path, input, { limits: LIMITS });
    return answerOf(value === undefined ? undefined : toJsonValue(value));
  } catch (error) {
    if (isRegoEvaluationError(error)) return `error ${error.code}`;
    throw error;
  }
}

describe.each(['generated', 'closures'] as const)('what was asked first, with %s', (backend) => {
  const compiled = (program: Program): Policy | undefined => {
    const modules = program.modules.map((text, index) => ({ name: `m${index}`, text, version: program.version }));
    try {
      return compile({ modules, data: program.data as Value, backend });
    } catch (error) {
      if (isRegoErrors(error)) return undefined;
      throw error;
    }
  };

  it('changes no answer of random programs', () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new Random(seed);
    let compared = 0;
    for (let index = 0; index < PROGRAMS; index += 1) {
      const program = makeProgram(seed + index);
      const asked = compiled(program);
      if (asked === undefined) continue;
      const later = asked.withData({});
      for (const path of random.shuffled(rulePaths(program))) {
        const alone = compiled(program) as Policy;
        for (const input of program.inputs) {
          expect(answer(asked, path, input as Value), `seed ${seed + index}, ${path}`).toBe(
            answer(alone, path, input as Value),
          );
          answer(later, path, input as Value);
          compared += 1;
        }
      }
    }
    expect(compared).toBeGreaterThan(PROGRAMS / 2);
  });

  it('hides no document that is read later, not from other data either', () => {
    const text = `package t
first := data.a.x
second := data.b.y
third := value if { value := second with data.b as {"y": "replaced"} }
members contains name if some name in data.c.names
is_member if input.name in members
nobody if { count(members) == 0 with data.c as {"names": []} }
mocked if { is_member with data.t.members as {"zoe"} }
whole := data.t.package_of
package_of := {"first": first, "second": second}
twice(value) := value + data.d
doubled := twice(data.d)
`;
    const data = { a: { x: 1 }, b: { y: 2 }, c: { names: ['ada'] }, d: 4 };
    const policy = compile({ modules: [{ name: 't.rego', text }], data, backend });
    expect(policy.evaluate('t/first')).toBe(1);
    const other = policy.withData({ ...data, b: { y: 20 }, c: { names: ['bob'] }, d: 5 });
    expect(other.evaluate('t/third')).toBe('replaced');
    expect(policy.evaluate('t/second')).toBe(2);
    expect(policy.evaluate('t/is_member', { name: 'ada' })).toBe(true);
    expect(other.evaluate('t/is_member', { name: 'ada' })).toBeUndefined();
    expect(policy.evaluate('t/mocked', { name: 'zoe' })).toBe(true);
    expect(policy.evaluate('t/mocked', { name: 'ada' })).toBeUndefined();
    expect(policy.evaluate('t/doubled')).toBe(8);
    policy.setData('d', 7);
    expect(policy.evaluate('t/doubled')).toBe(14);
    expect(other.evaluate('t/doubled')).toBe(10);
    expect(other.evaluate('t/nobody')).toBe(true);
    expect(policy.evaluate('t/whole')).toEqual({ first: 1, second: 2 });
    expect(policy.query('x := data.t.second; data.t.members[name]')).toEqual([{ x: 2, name: 'ada' }]);
  });

  const nested = (loops: number): Policy => {
    const body = Array.from({ length: loops }, (_unused, index) => `some x${index} in input.xs`).join('\n');
    const text = `package t
early := 1
deep if {\n${body}\n}
more(x) := x + 1 if {\n${body}\n}
has contains name if { name := input.name; deep }
used if { deep; more(1) == 2; has[input.name] }
`;
    return compile({ modules: [{ name: 't.rego', text }], backend });
  };

  it('may be loops that no parser of JavaScript takes; what calls them later does not mind', () => {
    const policy = nested(3000);
    const input = { xs: [1], name: 'ada' };
    expect(policy.evaluate('t/deep', input)).toBe(true);
    expect(policy.evaluate('t/used', input)).toBe(true);
  });

  it('may be more than the stack takes: an error each time, and the others answer', () => {
    const policy = nested(12_000);
    const limit = expect.objectContaining({ code: 'eval_limit_error' }) as Error;
    for (let time = 0; time < 2; time += 1) {
      expect(() => policy.evaluate('t/deep', { xs: [1] })).toThrow(limit);
      expect(() => policy.evaluate('t/used', { xs: [1], name: 'ada' })).toThrow(limit);
      expect(policy.evaluate('t/early')).toBe(1);
    }
  });
});
