/** What a strategy comes to as a timetable of shares. */

import type { Fault } from '../fault.js';
import { isObject, pointer } from '../json.js';
import type { Audience, RolloutDefinition, RolloutGrowth, RolloutStep, RolloutStrategy } from './rollout.js';

/** The most steps a growth may have. */
export const MAX_STEPS = 10_000;

/** A share in units of 0.001 %. */
export const toUnits = (percent: number): number => Math.round(percent * 1000);

function growthAt(growth: RolloutGrowth, step: number): number {
  const reached = growth.kind === 'linear' ? growth.factor * (step + 1) : growth.factor * 2 ** step;
  return Math.min(100, toUnits(reached) / 1000);
}

/** How many steps growth needs to 100 % by its factor alone. */
function stepCount(growth: RolloutGrowth): number {
  const ratio = 100 / growth.factor;
  return Math.max(1, Math.ceil(growth.kind === 'linear' ? ratio : Math.log2(ratio) + 1));
}

function growthSteps(growth: RolloutGrowth): RolloutStep[] {
  const count = stepCount(growth);
  const intervalMs = growth.intervalMs ?? growth.durationMs / count;
  const steps: RolloutStep[] = [];
  for (let step = 0; step < count; step += 1) {
    const afterMs = Math.round(step * intervalMs);
    const percent = growthAt(growth, step);
    // Whatever has not been reached by then is reached at the end of the duration.
    if (afterMs >= growth.durationMs && steps.length > 0) break;
    steps.push({ percent, afterMs });
    if (percent >= 100) return steps;
  }
  steps.push({ percent: 100, afterMs: growth.durationMs });
  return steps;
}

/** The steps of a strategy, percent and time ascending. Those without a ramp have one step: everybody it is for. */
export function timetableOf(strategy: RolloutStrategy): readonly RolloutStep[] {
  switch (strategy.kind) {
    case 'percentage':
      return 'steps' in strategy ? strategy.steps : growthSteps(strategy.growth);
    case 'canary':
      return [
        { percent: strategy.percent, afterMs: 0 },
        { percent: 100, afterMs: strategy.durationMs },
      ];
    case 'immediate':
    case 'flag':
    case 'time_window':
    case 'targeting':
      return [{ percent: 100, afterMs: 0 }];
    default:
      return strategy satisfies never;
  }
}

/** Whether a strategy ends by itself once everybody it is for is in. */
export const endsByItself = (strategy: RolloutStrategy): boolean =>
  strategy.kind !== 'flag' && strategy.kind !== 'targeting' && strategy.kind !== 'time_window';

const isDuration = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isPercent = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 100;

function stepFaults(steps: unknown, path: string): Fault[] {
  if (!Array.isArray(steps) || steps.length === 0)
    return [{ path, code: 'rollout.steps', message: 'give at least one step {percent, afterMs}' }];
  if (steps.length > MAX_STEPS)
    return [{ path, code: 'rollout.steps', message: `there are more than ${MAX_STEPS} steps` }];
  const faults: Fault[] = [];
  let before: RolloutStep | undefined;
  for (const [index, step] of (steps as RolloutStep[]).entries()) {
    const at = pointer(path, index);
    if (!isObject(step) || !isPercent(step.percent) || !isDuration(step.afterMs)) {
      faults.push({
        path: at,
        code: 'rollout.steps',
        message: 'a step has a percent of 0 … 100 and afterMs of 0 or more',
      });
      continue;
    }
    if (before !== undefined && (step.percent <= before.percent || step.afterMs <= before.afterMs)) {
      const message = 'each step must come later and reach further than the one before: nobody ever leaves';
      faults.push({ path: at, code: 'rollout.not_growing', message });
    }
    before = step;
  }
  if (before !== undefined && before.percent !== 100)
    faults.push({
      path: pointer(path, steps.length - 1),
      code: 'rollout.incomplete',
      message: 'the last step must be 100 percent',
    });
  return faults;
}

function growthFaults(growth: unknown, path: string): Fault[] {
  if (!isObject(growth)) return [{ path, code: 'rollout.growth', message: 'growth is an object' }];
  const faults: Fault[] = [];
  const fault = (field: string, message: string): void => {
    faults.push({ path: pointer(path, field), code: 'rollout.growth', message });
  };
  const { kind, factor, durationMs, intervalMs } = growth;
  if (kind !== 'linear' && kind !== 'exponential') fault('kind', "growth is 'linear' or 'exponential'");
  const isFactor = typeof factor === 'number' && factor >= 0.001 && factor <= 100;
  if (!isFactor) fault('factor', 'the factor is a percentage of 0.001 … 100');
  if (typeof durationMs !== 'number' || !(durationMs > 0 && Number.isFinite(durationMs)))
    fault('durationMs', 'the duration is a number of milliseconds above 0');
  if (intervalMs !== undefined && !(typeof intervalMs === 'number' && intervalMs > 0 && Number.isFinite(intervalMs)))
    fault('intervalMs', 'the interval is a number of milliseconds above 0');
  if (faults.length === 0 && stepCount(growth as unknown as RolloutGrowth) > MAX_STEPS)
    fault('factor', `the factor gives more than ${MAX_STEPS} steps; grow faster`);
  return faults;
}

function audienceFaults(audience: unknown, path: string): Fault[] {
  const isTexts = (value: unknown): boolean =>
    value === undefined || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
  if (!isObject(audience)) return [{ path, code: 'rollout.audience', message: 'name users, groups or both' }];
  const { users, groups, groupsAttribute } = audience as unknown as Record<keyof Audience, unknown>;
  if (!isTexts(users) || !isTexts(groups))
    return [{ path, code: 'rollout.audience', message: 'users and groups are lists of texts' }];
  if (groupsAttribute !== undefined && typeof groupsAttribute !== 'string')
    return [{ path: pointer(path, 'groupsAttribute'), code: 'rollout.audience', message: 'the name of an attribute' }];
  if (users === undefined && groups === undefined)
    return [{ path, code: 'rollout.audience', message: 'name users, groups or both' }];
  return [];
}

function strategyFaults(strategy: unknown, path: string): Fault[] {
  if (!isObject(strategy))
    return [{ path, code: 'rollout.strategy', message: 'the strategy is an object with a kind' }];
  const at = (field: string): string => pointer(path, field);
  const fault = (field: string, message: string): Fault => ({ path: at(field), code: 'rollout.strategy', message });
  switch (strategy['kind']) {
    case 'immediate':
      return [];
    case 'percentage':
      return strategy['growth'] === undefined
        ? stepFaults(strategy['steps'], at('steps'))
        : growthFaults(strategy['growth'], at('growth'));
    case 'canary':
      return [
        ...(isPercent(strategy['percent']) && strategy['percent'] !== 100
          ? []
          : [fault('percent', 'the canary is 0 … 100 percent, less than everybody')]),
        ...(typeof strategy['durationMs'] === 'number' && isDuration(strategy['durationMs'])
          ? []
          : [fault('durationMs', 'how long the canary runs before everybody gets it, in milliseconds')]),
        ...(strategy['audience'] === undefined ? [] : audienceFaults(strategy['audience'], at('audience'))),
      ];
    case 'flag':
      return (['flag', 'variant'] as const)
        .filter((field) => typeof strategy[field] !== 'string' || strategy[field] === '')
        .map((field) => fault(field, `name the ${field}`));
    case 'time_window': {
      const { startAtMs, endAtMs } = strategy;
      if (!isDuration(startAtMs)) return [fault('startAtMs', 'milliseconds since 1970')];
      if (!isDuration(endAtMs)) return [fault('endAtMs', 'milliseconds since 1970')];
      return (endAtMs as number) > (startAtMs as number) ? [] : [fault('endAtMs', 'the end comes after the start')];
    }
    case 'targeting':
      return audienceFaults(strategy['audience'], at('audience'));
    default:
      return [fault('kind', 'one of immediate, percentage, canary, flag, time_window, targeting')];
  }
}

/** Everything that is wrong with a definition; empty when it may be created. */
export function validateRollout(definition: unknown): Fault[] {
  if (!isObject(definition)) return [{ path: '', code: 'rollout.type', message: 'a rollout is an object' }];
  const faults: Fault[] = [];
  const { id, stickyAttribute, bucketKey, bakeMs, startAtMs } = definition as Partial<
    Record<keyof RolloutDefinition, unknown>
  >;
  if (typeof id !== 'string' || id === '')
    faults.push({ path: '/id', code: 'rollout.id', message: 'a rollout has an id' });
  for (const [field, value] of Object.entries({ stickyAttribute, bucketKey })) {
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      faults.push({ path: pointer('', field), code: 'rollout.type', message: `${field} is a text that is not empty` });
  }
  for (const [field, value] of Object.entries({ bakeMs, startAtMs })) {
    if (value !== undefined && !isDuration(value))
      faults.push({ path: pointer('', field), code: 'rollout.type', message: `${field} is a number of milliseconds` });
  }
  return [...faults, ...strategyFaults(definition['strategy'], '/strategy')];
}
