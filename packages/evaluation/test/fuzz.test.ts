/** Whatever is given, nothing throws: definitions are refused with faults, evaluations answer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ConfigEntry,
  compileConfig,
  compileFlags,
  compileUnleash,
  createRollout,
  type EvaluationContext,
  type FlagSet,
  importUnleash,
  type RolloutDefinition,
  validateFlagSet,
  validateRollout,
} from '../src/index.js';
import { OPERATORS } from '../src/logic/operators.js';

const junk = fc.jsonValue({ maxDepth: 4 });
const either = (...known: readonly unknown[]): fc.Arbitrary<unknown> => fc.oneof(fc.constantFrom(...known), junk);

/** Rules of known operators with operands of any kind. */
const rule = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom<unknown>('on', 'off', null, true, 0, 'a', [], {}, { var: 'a' }, { var: '' }, { $ref: 'e' }),
    fc
      .tuple(fc.constantFrom(...Object.keys(OPERATORS)), fc.array(tie('node'), { maxLength: 4 }))
      .map(([name, operands]) => ({ [name]: operands })),
    fc
      .tuple(fc.constantFrom(...Object.keys(OPERATORS), '$ref', 'nope'), tie('node'))
      .map(([name, operand]) => ({ [name]: operand })),
    junk,
  ),
})).node;

const flag = fc.record(
  {
    state: either('ENABLED', 'ENABLED', 'DISABLED'),
    variants: either({ on: true, off: false }, { on: 1, off: 2 }),
    defaultVariant: either('on', null, 'none'),
    targeting: rule,
    prerequisites: either([], [{ flag: 'g', variant: 'on' }], [null]),
    metadata: either({}),
  },
  { requiredKeys: [] },
);
const flagSet = fc.record(
  { flags: fc.record({ f: fc.oneof(flag, junk), g: flag }), $evaluators: fc.record({ e: rule }) },
  { requiredKeys: ['flags'] },
);
const context = fc.oneof(fc.record({ a: junk, targetingKey: either('me') }), fc.constant({}));

describe('flags', () => {
  it('are validated, compiled and evaluated without throwing', () => {
    fc.assert(
      fc.property(flagSet, context, (set, who) => {
        const faults = validateFlagSet(set);
        const flags = compileFlags(set as unknown as FlagSet);
        for (const key of ['f', 'g', '__proto__']) {
          const answer = flags.evaluate(key, who as EvaluationContext, 0);
          // What validation passes is never a flag that makes no sense.
          if (faults.length === 0) expect(answer.errorCode).not.toBe('PARSE_ERROR');
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('of any other shape are faults', () => {
    fc.assert(
      fc.property(junk, (set) => {
        expect(validateFlagSet(set).length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('everything else that is read', () => {
  it('is refused or used, without throwing', () => {
    const feature = fc.record(
      {
        name: either('a'),
        enabled: either(true),
        strategies: either(
          [{ name: 'flexibleRollout', parameters: { rollout: '50' } }],
          [{ name: 'default', constraints: [{}] }],
          [{ name: 'default', parameters: null, constraints: null, variants: null }],
        ),
        variants: either([{ name: 'v', weight: 1, overrides: null }], null),
        dependencies: either([{ feature: 'a' }], null),
      },
      { requiredKeys: ['name', 'enabled'] },
    );
    fc.assert(
      fc.property(
        fc.oneof(fc.record({ features: fc.array(feature) }), fc.record({ events: fc.array(junk) }), junk),
        context,
        (answer, who) => {
          const features = compileUnleash(importUnleash(answer).state);
          for (const name of features.keys()) features.evaluate(name, who as EvaluationContext, 0);
        },
      ),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('a', 'b', 'c', '__proto__'),
          fc.oneof(junk, fc.constantFrom('${a}', 'x${b}', '${c:${a}}', '${', '$${')),
        ),
        (values) => {
          const entries = Object.entries(values).map(([key, value]) => ({ key, value }) as ConfigEntry);
          const snapshot = compileConfig(entries);
          const faulty = snapshot.effective().filter(({ fault }) => fault !== undefined);
          expect(
            snapshot.keys().every((key) => snapshot.get(key) !== undefined || faulty.some((one) => one.key === key)),
          ).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
    const definition = fc.record({
      id: either('r'),
      strategy: fc.oneof(
        fc.record(
          {
            kind: either('immediate', 'percentage', 'canary', 'flag', 'time_window', 'targeting'),
            steps: junk,
            growth: junk,
            percent: either(5),
            audience: junk,
          },
          { requiredKeys: ['kind'] },
        ),
        junk,
      ),
    });
    fc.assert(
      fc.property(definition, (one) => {
        expect('error' in createRollout(one as RolloutDefinition, 0)).toBe(validateRollout(one).length > 0);
      }),
      { numRuns: 2_000 },
    );
  });
});
