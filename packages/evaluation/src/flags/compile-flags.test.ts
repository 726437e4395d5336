/** Flags: variant, reason and rule of an answer; prerequisites; and that one bad flag leaves the others alone. */
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../json.js';
import { compileFlags } from './compile-flags.js';
import type { EvaluationContext, FlagDefinition, FlagSet } from './flag-set.js';

const flag = (targeting: JsonValue, more: Partial<FlagDefinition> = {}): FlagDefinition => ({
  state: 'ENABLED',
  variants: { on: true, off: false },
  defaultVariant: 'off',
  targeting,
  ...more,
});

const segments: FlagSet['$evaluators'] = {
  staff: { and: [{ ends_with: [{ var: 'email' }, '@faas.io'] }, { '==': [{ var: 'active' }, true] }] },
  split: {
    fractional: [
      ['on', 50_000],
      ['off', 50_000],
    ],
  },
  loopA: { $ref: 'loopB' },
  loopB: { '!': [{ $ref: 'loopA' }] },
};

function ask(targeting: JsonValue, context: EvaluationContext = {}, nowMs?: number): string {
  const answer = compileFlags({
    flags: { f: flag(targeting) },
    ...(segments ? { $evaluators: segments } : {}),
  }).evaluate('f', context, nowMs);
  return [answer.variant ?? '-', answer.reason, answer.rule ?? answer.errorCode].join(' ');
}

describe('an answer', () => {
  const staff = { email: 'a@faas.io', active: true };
  const cases: readonly (readonly [string, JsonValue, EvaluationContext, string])[] = [
    ['is STATIC without a rule', {}, {}, 'off STATIC /defaultVariant'],
    [
      'names the branch that gave it',
      { if: [{ $ref: 'staff' }, 'on', 'off'] },
      staff,
      'on TARGETING_MATCH /targeting/if/1',
    ],
    ['names the last branch', { if: [{ $ref: 'staff' }, 'on', 'off'] }, {}, 'off TARGETING_MATCH /targeting/if/2'],
    ['is DEFAULT when no branch holds', { if: [{ $ref: 'staff' }, 'on'] }, {}, 'off DEFAULT '],
    [
      'goes into nested branches',
      { if: [true, { if: [false, 'off', 'on'] }] },
      {},
      'on TARGETING_MATCH /targeting/if/1/if/2',
    ],
    ['is SPLIT for a share', { fractional: [['on', 1]] }, { targetingKey: 'a' }, 'on SPLIT /targeting/fractional/0'],
    [
      'is SPLIT through a segment',
      { if: [true, { $ref: 'split' }] },
      { targetingKey: 'user-7' },
      'off SPLIT /targeting/if/1/fractional/1',
    ],
    ['is DEFAULT for a share without a targeting key', { fractional: [['on', 1]] }, {}, 'off DEFAULT /targeting'],
    ['takes true and false for variants of that name', { '==': [1, 1] }, {}, '- ERROR /targeting'],
    ['is an error for a variant that is none', { if: [true, 'other'] }, {}, '- ERROR /targeting/if/1'],
    [
      'is an error for an operand of the wrong type',
      { if: [{ '<': [{ var: 'age' }, 3] }, 'on'] },
      { age: 'old' },
      '- ERROR GENERAL',
    ],
    ['is an error for an unknown operator', { if: [{ nope: [] }, 'on'] }, {}, '- ERROR /targeting/if/0'],
    [
      'is an error for segments that go round',
      { if: [{ $ref: 'loopA' }, 'on'] },
      {},
      '- ERROR /targeting/if/0/$ref/$ref/!',
    ],
    [
      'reads no prototype',
      { if: [{ var: 'constructor.name' }, 'on', 'off'] },
      {},
      'off TARGETING_MATCH /targeting/if/2',
    ],
  ];
  it.each(cases)('%s', (_name, targeting, context, expected) => {
    expect(ask(targeting, context)).toBe(expected);
  });

  it('tells the time it is given, in whole seconds, and is an error without one', () => {
    const rule: JsonValue = { if: [{ '>=': [{ var: '$flagd.timestamp' }, 100] }, 'on', 'off'] };
    expect(ask(rule, {}, 100_000)).toMatch(/^on/);
    expect(ask(rule, {}, 99_999)).toMatch(/^off/);
    expect(ask(rule)).toBe('- ERROR GENERAL');
  });

  it('is frozen, and so is its value', () => {
    const variants = { a: { list: [1] } };
    const flags = compileFlags({ flags: { f: { state: 'ENABLED', variants, defaultVariant: 'a' } } });
    const answer = flags.evaluate('f', {});
    variants.a.list.push(2);
    expect(answer.value).toEqual({ list: [1] });
    expect(Object.isFrozen(answer) && Object.isFrozen((answer.value as { list: number[] }).list)).toBe(true);
  });

  it('says of a flag that is not there or is disabled that the caller decides', () => {
    const flags = compileFlags({
      flags: { f: flag({}, { state: 'DISABLED', metadata: { owner: 'me' } }) },
      metadata: { set: 1 },
    });
    expect(flags.evaluate('g', {})).toMatchObject({ reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' });
    expect(flags.evaluate('f', {})).toEqual({ reason: 'DISABLED', rule: '/state', metadata: { set: 1, owner: 'me' } });
  });

  it('leaves the other flags alone when one cannot be compiled', () => {
    const flags = compileFlags({ flags: { bad: flag({ nope: 1 }), good: flag({ if: [true, 'on'] }) } });
    expect(flags.evaluate('bad', {}).errorCode).toBe('PARSE_ERROR');
    expect(flags.evaluate('good', {}).variant).toBe('on');
  });

  it('refuses a rule whose segments unfold without bound', () => {
    const $evaluators = Object.fromEntries(
      Array.from({ length: 40 }, (_one, index) => [
        `s${index}`,
        { and: [{ $ref: `s${index + 1}` }, { $ref: `s${index + 1}` }] },
      ]),
    );
    const flags = compileFlags({
      flags: { f: flag({ if: [{ $ref: 's0' }, 'on'] }) },
      $evaluators: { ...$evaluators, s40: true },
    });
    expect(flags.evaluate('f', {}).errorCode).toBe('PARSE_ERROR');
  });

  it('does not overflow on a rule nested without bound', () => {
    let rule: JsonValue = true;
    for (let depth = 0; depth < 5_000; depth += 1) rule = { '!': [rule] };
    expect(ask({ if: [rule, 'on'] })).toMatch(/^- ERROR/);
  });
});

describe('prerequisites', () => {
  const set = (parent: JsonValue, more: FlagSet['flags'] = {}): FlagSet => ({
    flags: {
      parent: flag(parent),
      child: flag({ if: [true, 'on'] }, { prerequisites: [{ flag: 'parent', variant: 'on' }] }),
      ...more,
    },
  });

  it('let the flag answer as if it were disabled when they do not hold', () => {
    expect(compileFlags(set({ if: [true, 'on'] })).evaluate('child', {}).variant).toBe('on');
    expect(compileFlags(set({})).evaluate('child', {})).toMatchObject({ reason: 'DISABLED', rule: '/prerequisites/0' });
  });

  it('that go round are an error of those flags, and of those that lead to them, only', () => {
    const needs = (name: string): FlagDefinition => flag({}, { prerequisites: [{ flag: name, variant: 'off' }] });
    const flags = compileFlags(set({}, { a: needs('b'), b: needs('a'), c: needs('a'), d: needs('parent') }));
    expect(flags.evaluate('a', {}).errorMessage).toContain('a → b → a');
    expect(['a', 'b', 'c', 'd'].map((key) => flags.evaluate(key, {}).reason)).toEqual([
      'ERROR',
      'ERROR',
      'ERROR',
      'STATIC',
    ]);
  });

  it('that come to more work than is sane are an error, and a long chain does not overflow', () => {
    const ladder = Object.fromEntries(
      Array.from({ length: 5_000 }, (_one, index) => {
        const next = { flag: `f${index + 1}`, variant: 'off' };
        return [`f${index}`, flag({}, { prerequisites: index < 40 ? [next, next] : [next] })];
      }),
    );
    const flags = compileFlags({ flags: { ...ladder, f5000: flag({}) } });
    expect(flags.evaluate('f0', {}).errorMessage).toMatch(/more than 1000 flags/);
    expect(flags.evaluate('f45', {}).reason).toBe('ERROR');
    expect(flags.evaluate('f4500', {}).reason).toBe('STATIC');
  });

  it('does not overflow on a variant nested without bound', () => {
    let value: JsonValue = 1;
    for (let depth = 0; depth < 50_000; depth += 1) value = [value];
    const flags = compileFlags({ flags: { f: flag({}, { variants: { on: value } }), g: flag({}) } });
    expect(flags.evaluate('f', {}).errorCode).toBe('PARSE_ERROR');
    expect(flags.evaluate('g', {}).reason).toBe('STATIC');
  });
});

describe('an evaluator that several flags name', () => {
  const named = flag({ if: [{ $ref: 'it' }, 'on', 'off'] });
  const answersOf = (it: JsonValue, context: EvaluationContext = {}): unknown[] => {
    const set = compileFlags({ flags: { f: named, g: named, h: named }, $evaluators: { ...segments, it } });
    return ['f', 'g', 'h'].map((key) => set.evaluate(key, context).variant);
  };
  const isF: JsonValue = { '==': [{ var: '$flagd.flagKey' }, 'f'] };

  it('gives each flag its own answer where it looks at the flag', () => {
    const half: JsonValue = {
      fractional: [
        [true, 50],
        [false, 50],
      ],
    };
    expect(answersOf(isF)).toEqual(['on', 'off', 'off']);
    expect(answersOf({ and: [true, { '!': [{ '!': [isF] }] }] })).toEqual(['on', 'off', 'off']);
    expect(answersOf({ '==': [{ var: [{ cat: ['$flagd.', 'flagKey'] }] }, 'g'] })).toEqual(['off', 'on', 'off']);
    const isH: JsonValue = { '==': [{ var: '$flagd.flagKey' }, 'h'] };
    expect(answersOf({ some: [[{ var: '' }], isH] })).toEqual(['off', 'off', 'on']);
    for (const targetingKey of ['ann', 'bob', 'eve', 'joe', 'kim']) {
      const alone = ['f', 'g', 'h'].map((key) => {
        const set = compileFlags({ flags: { [key]: named }, $evaluators: { it: half } });
        return set.evaluate(key, { targetingKey }).variant;
      });
      expect(answersOf(half, { targetingKey })).toEqual(alone);
    }
  });

  it('gives all the same where it does not, also by way of another one', () => {
    const staff = { email: 'a@faas.io', active: true };
    expect(answersOf({ or: [{ $ref: 'staff' }, false] }, staff)).toEqual(['on', 'on', 'on']);
    expect(answersOf({ or: [{ $ref: 'staff' }, false] }, { email: 'a@faas.io' })).toEqual(['off', 'off', 'off']);
  });

  it('is another one for all of them when it changes, however often', () => {
    const set = (name: string): FlagSet => ({
      flags: { f: named, g: named },
      $evaluators: { it: { '==': [{ var: 'targetingKey' }, name] } },
    });
    let compiled = compileFlags(set('ann'));
    for (const name of ['bob', 'eve', 'joe']) {
      compiled = compileFlags(set(name), compiled);
      for (const key of ['f', 'g']) expect(compiled.evaluate(key, { targetingKey: name }).variant).toBe('on');
    }
  });

  it('that goes round is a fault of each of them', () => {
    const set = compileFlags({ flags: { f: named, g: named }, $evaluators: { ...segments, it: { $ref: 'loopA' } } });
    for (const key of ['f', 'g']) expect(set.evaluate(key, {})).toMatchObject({ errorCode: 'PARSE_ERROR' });
  });
});
