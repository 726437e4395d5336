import { describe, expect, it, vi } from 'vitest';
import { compile, type Policy } from '../index.js';
import type { Definitions } from './plan.js';
import { PlanBuilder } from './plan-builder.js';

/** A chain of functions and sets, wide and deep, all of which `allow` reaches. */
function largeText(rules: number): string {
  const lines = ['package p', 'import rego.v1', 'allow if { every i in [1, 2] { f0(i) }; count(s1) == 1; 1 in s2 }'];
  for (let i = 0; i < rules; i += 1) {
    const next = i + 1 < rules ? `f${i + 1}(x)` : 'x < 10';
    lines.push(`f${i}(x) if { x != ${i + 100}; ${next} } else := false if x == ${i + 100}`);
  }
  lines.push(
    's1 contains x if { some x in s2; x == 1 }',
    's2 contains x if some x in [1, 2, 3]',
    'unused if data.p.s1',
  );
  return lines.join('\n');
}

const stepsOf = (policy: Policy, path: string): number => [...policy.prepareInSteps(path)].length;

describe.each(['generated', 'closures'] as const)('what a path reaches, compiled in steps (%s)', (backend) => {
  it('is compiled a few rules at a time, and answers the same', () => {
    const modules = [{ name: 'p.rego', text: largeText(400) }];
    const policy = compile({ modules, backend, limits: { maxDepth: 2000 } });
    const whole = compile({ modules, backend, limits: { maxDepth: 2000 } });
    const sizes: number[] = [];
    const demand = vi.spyOn(PlanBuilder.prototype, 'demand');
    const made = (): number => {
      const { type, value } = demand.mock.results.at(-1) ?? {};
      expect(type).toBe('return');
      return (value as Definitions).sets.length + (value as Definitions).lookups.length;
    };
    for (const _ of policy.prepareInSteps('p/allow')) sizes.push(made());
    expect(sizes.length).toBeGreaterThan(400 / 16);
    expect(Math.max(...sizes)).toBeLessThan(40);
    expect(policy.evaluate('p/allow')).toBe(true);
    expect(made()).toBe(0);
    expect(whole.evaluate('p/allow')).toBe(true);
    expect(made()).toBeGreaterThan(400);
    demand.mockRestore();
  });

  it('may be asked something else in between, and again', () => {
    const policy = compile({
      modules: [{ name: 'p.rego', text: largeText(100) }],
      backend,
      limits: { maxDepth: 2000 },
    });
    const steps = policy.prepareInSteps('p');
    steps.next();
    expect(policy.evaluate('p/s1')).toBeDefined();
    expect(policy.evaluate('p/f50')).toBeUndefined();
    expect(policy.query('data.p.f90(5)')).toHaveLength(1);
    for (const _ of steps);
    expect(policy.evaluate('p/allow')).toBe(true);
    expect(stepsOf(policy, 'p/allow')).toBeGreaterThan(0);
    expect(policy.evaluate('p/unused')).toBe(true);
  });

  it('takes rules that stand in for others', () => {
    const text = 'package p\nallow if g(1) with g as h with data.d as 1\ng(x) if x == 2\nh(x) if x == data.d';
    const policy = compile({ modules: [{ name: 'p.rego', text }], backend });
    for (const _ of policy.prepareInSteps('p/allow'));
    expect(policy.evaluate('p/allow')).toBe(true);
  });
});
