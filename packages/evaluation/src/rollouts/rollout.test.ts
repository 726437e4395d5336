/** Rollouts: the timetable, the state machine against a small reference, who is in, and the rule for flagd. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFlags } from '../flags/compile-flags.js';
import type { JsonValue } from '../json.js';
import { applyCommand, createRollout, nextDueMs, percentAt } from './apply-command.js';
import { isExposed } from './exposure.js';
import type { GuardVerdict, Rollout, RolloutCommand, RolloutDefinition, RolloutStrategy } from './rollout.js';
import { rolloutTargeting } from './rollout-targeting.js';
import { timetableOf, validateRollout } from './timetable.js';

const HOUR = 3_600_000;
const steps = [
  { percent: 10, afterMs: 0 },
  { percent: 25, afterMs: HOUR },
  { percent: 50, afterMs: 2 * HOUR },
  { percent: 100, afterMs: 4 * HOUR },
];
const timetable: RolloutStrategy = { kind: 'percentage', steps };

function created(strategy: RolloutStrategy, more: Partial<RolloutDefinition> = {}): Rollout {
  const result = createRollout({ id: 'r', strategy, ...more }, 0);
  if ('error' in result) throw new Error(result.error.message);
  return result.rollout;
}

function after(
  rollout: Rollout,
  ...commands: readonly (readonly [RolloutCommand['kind'], number, GuardVerdict?])[]
): Rollout {
  let next = rollout;
  for (const [kind, nowMs, verdict = 'healthy'] of commands) {
    const result = applyCommand(next, kind === 'advance' ? { kind, verdict } : { kind }, nowMs);
    if ('error' in result) throw new Error(result.error.message);
    // A rollout is data: it may be stored between any two commands.
    next = JSON.parse(JSON.stringify(result.rollout)) as Rollout;
  }
  return next;
}

const seen = ({ state, percent }: Rollout): string => `${state} ${percent}`;

describe('a rollout on a timetable', () => {
  it('goes 10 → 25 at 1 h → 50 at 2 h → 100 at 4 h, bakes, and is completed', () => {
    let rollout = after(created(timetable, { bakeMs: HOUR }), ['start', 0]);
    const course = [seen(rollout)];
    for (let due = nextDueMs(rollout); due !== null; due = nextDueMs(rollout)) {
      expect(after(rollout, ['advance', due - 1])).toEqual(rollout);
      rollout = after(rollout, ['advance', due]);
      course.push(`${due / HOUR} h ${seen(rollout)}`);
    }
    expect(course).toEqual(['running 10', '1 h running 25', '2 h running 50', '4 h baking 100', '5 h completed 100']);
  });

  it('does not count time paused', () => {
    const paused = after(created(timetable), ['start', 0], ['pause', HOUR / 2], ['advance', 100 * HOUR]);
    expect(seen(paused)).toBe('paused 10');
    const resumed = after(paused, ['resume', 100 * HOUR]);
    expect(percentAt(resumed, 100.5 * HOUR - 1)).toBe(10);
    expect(percentAt(resumed, 100.5 * HOUR)).toBe(25);
  });

  it('takes one step for a leap of the clock, and waits the whole time for the next', () => {
    const leapt = after(created(timetable), ['start', 0], ['advance', 50 * HOUR], ['advance', 50 * HOUR + 1]);
    expect(seen(leapt)).toBe('running 25');
    expect(nextDueMs(leapt)).toBe(51 * HOUR);
  });

  it('neither falls nor starts early when the clock goes back', () => {
    const running = after(created(timetable), ['start', 10 * HOUR], ['advance', 11 * HOUR]);
    expect(after(running, ['advance', 0], ['advance', 5 * HOUR])).toEqual(running);
    const resumed = after(running, ['pause', 11.5 * HOUR], ['resume', HOUR]);
    expect(percentAt(resumed, 11.9 * HOUR)).toBe(25);
    const scheduled = after(created(timetable, { startAtMs: HOUR }), ['start', 0], ['advance', -5 * HOUR]);
    expect(seen(scheduled)).toBe('scheduled 0');
    expect(seen(after(scheduled, ['advance', HOUR]))).toBe('running 10');
  });

  it('goes back by itself when a guard is unhealthy, paused and baking too', () => {
    const running = after(created(timetable, { bakeMs: 1 }), ['start', 0]);
    const result = applyCommand(running, { kind: 'advance', verdict: 'unhealthy' }, 5);
    expect(result).toMatchObject({ events: [{ kind: 'rolled_back', percent: 0, reason: 'a guard is unhealthy' }] });
    expect(seen(after(running, ['pause', 1], ['advance', 2, 'unhealthy']))).toBe('rolled_back 0');
    const promoted = applyCommand(running, { kind: 'promote', full: true }, 1);
    if ('error' in promoted) throw new Error(promoted.error.message);
    expect(seen(promoted.rollout)).toBe('baking 100');
    expect(seen(after(promoted.rollout, ['advance', 1, 'unhealthy']))).toBe('rolled_back 0');
  });

  it('refuses commands that its state has no place for', () => {
    expect(applyCommand(created(timetable), { kind: 'pause' }, 0)).toEqual({
      error: {
        code: 'rollout.state',
        message: 'a rollout that is draft cannot pause; it can while it is running or baking',
      },
    });
  });
});

describe('the command model', () => {
  /** The reference: what a rollout on a timetable is, in the fewest words. Times only go forward here. */
  class Reference {
    state = 'draft';
    taken = 0;
    clock = 0;
    at = 0;
    readonly bake: number;
    constructor(bake: number) {
      this.bake = bake;
    }
    get percent(): number {
      return ['aborted', 'rolled_back'].includes(this.state) ? 0 : (steps[this.taken - 1]?.percent ?? 0);
    }
    take(): void {
      this.clock = steps[this.taken]?.afterMs ?? 0;
      this.taken += 1;
      if (this.taken < steps.length) return;
      this.clock = 0;
      this.state = this.bake > 0 ? 'baking' : 'completed';
    }
    run(kind: RolloutCommand['kind'], now: number, verdict: GuardVerdict): void {
      const isActive = this.state === 'running' || this.state === 'baking';
      if (isActive) this.clock += now - this.at;
      this.at = now;
      const isUnderWay = isActive || this.state.startsWith('paused');
      if (kind === 'start' && this.state === 'draft') [this.state] = ['running', this.take()];
      else if (kind === 'pause' && isActive) this.state = `paused ${this.state}`;
      else if (kind === 'resume' && this.state.startsWith('paused')) this.state = this.state.slice(7);
      else if (kind === 'promote' && ['running', 'paused running'].includes(this.state)) this.take();
      else if (kind === 'abort' && (isUnderWay || this.state === 'draft')) this.state = 'aborted';
      else if (kind === 'rollback' && (isUnderWay || this.state === 'completed')) this.state = 'rolled_back';
      else if (kind === 'advance' && isUnderWay && verdict === 'unhealthy') this.state = 'rolled_back';
      else if (kind === 'advance' && this.state === 'running' && this.clock >= (steps[this.taken]?.afterMs ?? 0))
        this.take();
      else if (kind === 'advance' && this.state === 'baking' && this.clock >= this.bake) this.state = 'completed';
    }
  }

  it('agrees with the reference under any commands', () => {
    const kinds = ['start', 'pause', 'resume', 'promote', 'abort', 'rollback', ...Array<string>(12).fill('advance')];
    const command = fc.record({
      kind: fc.constantFrom(...(kinds as RolloutCommand['kind'][])),
      waitMs: fc.constantFrom(0, 1, HOUR / 2, HOUR, 2 * HOUR, 9 * HOUR),
      verdict: fc.constantFrom<GuardVerdict>('healthy', 'healthy', 'healthy', 'unknown', 'unhealthy'),
    });
    fc.assert(
      fc.property(fc.constantFrom(0, HOUR), fc.array(command, { maxLength: 30 }), (bakeMs, commands) => {
        let rollout = created(timetable, { bakeMs });
        const reference = new Reference(bakeMs);
        let now = 0;
        for (const { kind, waitMs, verdict } of [
          { kind: 'start' as const, waitMs: 0, verdict: 'healthy' as const },
          ...commands,
        ]) {
          now += waitMs;
          const before = rollout;
          const result = applyCommand(rollout, kind === 'advance' ? { kind, verdict } : { kind }, now);
          if (!('error' in result)) rollout = result.rollout;
          reference.run(kind, now, verdict);
          expect([rollout.state, rollout.percent]).toEqual([reference.state.split(' ')[0], reference.percent]);
          if (rollout.percent < before.percent) expect(['aborted', 'rolled_back']).toContain(rollout.state);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('never lets the share fall or anything start early, wherever the clock leaps', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -10 * HOUR, max: 10 * HOUR }), { maxLength: 30 }), (moments) => {
        let rollout = after(created(timetable, { startAtMs: HOUR }), ['start', 0]);
        for (const moment of moments) {
          const next = after(rollout, ['advance', moment]);
          expect(next.percent).toBeGreaterThanOrEqual(rollout.percent);
          expect(next.stepsTaken).toBeLessThanOrEqual(rollout.stepsTaken + 1);
          if (rollout.state === 'scheduled' && moment < HOUR) expect(next).toEqual(rollout);
          rollout = next;
        }
      }),
    );
  });
});

describe('growth', () => {
  const of = (kind: 'linear' | 'exponential', factor: number, intervalMs?: number): string =>
    timetableOf({
      kind: 'percentage',
      growth: { kind, factor, durationMs: 100, ...(intervalMs ? { intervalMs } : {}) },
    })
      .map(({ percent, afterMs }) => `${percent}@${afterMs}`)
      .join(' ');

  it('is linear or exponential as AppConfig has it, and ends at 100', () => {
    expect(of('linear', 20)).toBe('20@0 40@20 60@40 80@60 100@80');
    expect(of('linear', 30, 10)).toBe('30@0 60@10 90@20 100@30');
    expect(of('exponential', 10, 10)).toBe('10@0 20@10 40@20 80@30 100@40');
    expect(of('linear', 1, 30)).toBe('1@0 2@30 3@60 4@90 100@100');
    expect(of('linear', 100)).toBe('100@0');
  });

  it('makes a good timetable from whatever is valid', () => {
    const growth = fc.record(
      {
        kind: fc.constantFrom('linear' as const, 'exponential' as const),
        factor: fc.integer({ min: 11, max: 100_000 }).map((units) => units / 1000),
        durationMs: fc.integer({ min: 200_000, max: 1_000_000_000 }),
        intervalMs: fc.integer({ min: 1, max: 1_000_000 }),
      },
      { requiredKeys: ['kind', 'factor', 'durationMs'] },
    );
    fc.assert(
      fc.property(growth, (one) => {
        const strategy = { kind: 'percentage' as const, growth: one };
        expect(validateRollout({ id: 'r', strategy })).toEqual([]);
        expect(validateRollout({ id: 'r', strategy: { kind: 'percentage', steps: timetableOf(strategy) } })).toEqual(
          [],
        );
      }),
    );
  });
});

describe('who is in', () => {
  const people = Array.from({ length: 2_000 }, (_one, index) => ({
    targetingKey: `用户-${index}`,
    groups: index % 50 === 0 ? ['beta'] : [],
  }));
  const exposed = (rollout: Rollout, nowMs = 0): readonly string[] =>
    people.filter((context) => isExposed(rollout, context, nowMs)).map(({ targetingKey }) => targetingKey);

  it('never loses anyone while the share grows, and moves nobody by a pause', () => {
    let rollout = after(created(timetable), ['start', 0]);
    let before = exposed(rollout);
    for (const hour of [1, 2, 4]) {
      const paused = after(rollout, ['pause', hour * HOUR]);
      expect(exposed(paused)).toEqual(before);
      expect(exposed(after(paused, ['resume', hour * HOUR]))).toEqual(before);
      rollout = after(rollout, ['advance', hour * HOUR]);
      const now = new Set(exposed(rollout));
      expect(before.every((key) => now.has(key))).toBe(true);
      expect(now.size).toBeGreaterThan(before.length);
      before = [...now];
    }
    expect(before).toHaveLength(people.length);
  });

  it('is the canary group and its share first, and everybody only after a healthy verdict', () => {
    const canary = after(
      created({ kind: 'canary', percent: 5, durationMs: HOUR, audience: { groups: ['beta'], users: ['用户-1'] } }),
      ['start', 0],
    );
    const first = exposed(canary);
    expect(first).toContain('用户-0');
    expect(first).toContain('用户-1');
    expect(first.length).toBeLessThan(250);
    expect(after(canary, ['advance', 2 * HOUR, 'unknown'])).toEqual(canary);
    expect(exposed(after(canary, ['advance', 2 * HOUR, 'healthy']))).toHaveLength(people.length);
    expect(exposed(after(canary, ['advance', 2 * HOUR, 'unhealthy']))).toEqual([]);
  });

  it('is everybody within a window, to the millisecond, and nobody after it', () => {
    const window = after(created({ kind: 'time_window', startAtMs: 100, endAtMs: 200 }), ['start', 0]);
    expect([99, 100, 199, 200].map((now) => exposed(window, now).length > 0)).toEqual([false, true, true, false]);
    const ended = after(window, ['advance', 100], ['advance', 200]);
    expect(seen(ended)).toBe('completed 0');
    expect(exposed(ended, 150)).toEqual([]);
  });

  it('is those for whom a flag answers, until it is promoted to all', () => {
    const gated = after(created({ kind: 'flag', flag: 'gate', variant: 'on' }), ['start', 0]);
    const flags = compileFlags({
      flags: {
        gate: {
          state: 'ENABLED',
          variants: { on: true, off: false },
          defaultVariant: 'off',
          targeting: { if: [{ '==': [{ var: 'plan' }, 'pro'] }, 'on'] },
        },
      },
    });
    expect(isExposed(gated, { plan: 'pro' }, 0, flags)).toBe(true);
    expect(isExposed(gated, { plan: 'free' }, 0, flags)).toBe(false);
    expect(isExposed(gated, { plan: 'pro' }, 0)).toBe(false);
    expect(isExposed(after(gated, ['promote', 1]), { plan: 'free' }, 2, flags)).toBe(true);
  });

  it('is nobody before the start and after an abort or a rollback', () => {
    const draft = created({ kind: 'immediate' });
    expect(exposed(draft)).toEqual([]);
    expect(exposed(after(draft, ['start', 0]))).toHaveLength(people.length);
    expect(exposed(after(draft, ['start', 0], ['rollback', 1]))).toEqual([]);
    expect(exposed(after(created(timetable), ['start', 0], ['abort', 1]))).toEqual([]);
  });

  it('is sticky by the stated attribute, and only at 100 % without it', () => {
    const byOrg = after(created(timetable, { stickyAttribute: 'org.id' }), ['start', 0]);
    const answers = new Set(people.map(({ targetingKey }) => isExposed(byOrg, { targetingKey, 'org.id': 'acme' }, 0)));
    expect(answers.size).toBe(1);
    expect(isExposed(byOrg, { targetingKey: 'a' }, 0)).toBe(false);
  });

  it('is the same for a flagd rule made of it', () => {
    const strategies: readonly RolloutStrategy[] = [
      { kind: 'immediate' },
      timetable,
      { kind: 'canary', percent: 5, durationMs: HOUR, audience: { groups: ['beta'], users: ['用户-1'] } },
      { kind: 'time_window', startAtMs: 2 * HOUR, endAtMs: 3 * HOUR },
      { kind: 'targeting', audience: { groups: ['beta'] } },
    ];
    for (const strategy of strategies) {
      const rollout = after(created(strategy), ['start', 0]);
      for (const now of [0, 1.5, 2.5, 5].map((hour) => hour * HOUR)) {
        const rule = rolloutTargeting(rollout, { exposed: 'new', others: 'old' }) as JsonValue;
        const targeting: JsonValue = typeof rule === 'string' ? { if: [true, rule] } : rule;
        const flags = compileFlags({
          flags: { f: { state: 'ENABLED', variants: { new: 1, old: 2 }, defaultVariant: 'old', targeting } },
        });
        const byRule = people.filter((context) => flags.evaluate('f', context, now).variant === 'new');
        expect(
          byRule.map(({ targetingKey }) => targetingKey),
          `${strategy.kind} at ${now}`,
        ).toEqual(exposed(rollout, now));
      }
    }
  });

  it('is the same for a rule with the steps to come', () => {
    let rollout = after(created(timetable), ['start', 0]);
    const targeting = rolloutTargeting(rollout, { exposed: 'new', others: 'old', ramp: 'timetable' }) as JsonValue;
    const flags = compileFlags({
      flags: { f: { state: 'ENABLED', variants: { new: 1, old: 2 }, defaultVariant: 'old', targeting } },
    });
    for (const hour of [0.5, 1, 1.5, 2, 3, 4, 5]) {
      rollout = after(rollout, ['advance', hour * HOUR]);
      const byRule = people.filter((context) => flags.evaluate('f', context, hour * HOUR).variant === 'new');
      expect(byRule, `at ${hour} h`).toHaveLength(exposed(rollout).length);
    }
  });
});

describe('validateRollout', () => {
  const faults = (strategy: unknown, more: object = {}): string[] =>
    validateRollout({ id: 'r', strategy, ...more }).map(({ path, code }) => `${path} ${code}`);

  it('names the path of each fault', () => {
    expect(faults({ kind: 'percentage', steps: [] })).toEqual(['/strategy/steps rollout.steps']);
    expect(faults({ kind: 'percentage', steps: [...steps.slice(1), { percent: 10, afterMs: 9 * HOUR }] })).toEqual([
      '/strategy/steps/3 rollout.not_growing',
      '/strategy/steps/3 rollout.incomplete',
    ]);
    expect(faults({ kind: 'percentage', steps: [{ percent: Number.NaN, afterMs: 0 }] })).toEqual([
      '/strategy/steps/0 rollout.steps',
    ]);
    expect(faults({ kind: 'percentage', growth: { kind: 'linear', factor: 0, durationMs: 0 } })).toEqual([
      '/strategy/growth/factor rollout.growth',
      '/strategy/growth/durationMs rollout.growth',
    ]);
    expect(faults({ kind: 'time_window', startAtMs: 5, endAtMs: 5 })).toEqual(['/strategy/endAtMs rollout.strategy']);
    expect(faults({ kind: 'targeting', audience: {} })).toEqual(['/strategy/audience rollout.audience']);
    expect(faults({ kind: 'magic' }, { id: '', bakeMs: -1 })).toEqual([
      '/id rollout.id',
      '/bakeMs rollout.type',
      '/strategy/kind rollout.strategy',
    ]);
    expect(validateRollout(null)).toHaveLength(1);
  });
});
