/**
 * A rollout as a flagd targeting rule, so that any flagd could run it: shares become `fractional` weights of 100,000,
 * audiences `in`, windows and timetables comparisons of `$flagd.timestamp` (whole seconds).
 */
import type { JsonValue } from '../json.js';
import type { Audience, Rollout, RolloutStep } from './rollout.js';
import { timetableOf, toUnits } from './timetable.js';

export interface RolloutTargetingOptions {
  /** Names of the variants for those who are in and for the others. */
  readonly exposed: string;
  readonly others: string;
  /** `current` (the default): today's share. `timetable`: the steps to come too, as if nobody paused and no guard fired. */
  readonly ramp?: 'current' | 'timetable';
}

const TIMESTAMP: JsonValue = { var: '$flagd.timestamp' };

function share(rollout: Rollout, percent: number, { exposed, others }: RolloutTargetingOptions): JsonValue {
  const units = toUnits(percent);
  if (units <= 0) return others;
  if (units >= 100_000) return exposed;
  const attribute: JsonValue = { var: stickyPath(rollout) };
  const key: JsonValue = { cat: [rollout.definition.bucketKey ?? rollout.definition.id, attribute] };
  const split: JsonValue = { fractional: [key, [exposed, units], [others, 100_000 - units]] };
  return { if: [{ '!!': [attribute] }, split, others] };
}

/** The sticky attribute as a `var` path: its dots are part of its name. */
const stickyPath = ({ definition }: Rollout): string =>
  (definition.stickyAttribute ?? 'targetingKey').replaceAll('\\', '\\\\').replaceAll('.', '\\.');

function isNamed(rollout: Rollout, audience: Audience): JsonValue {
  const groupsPath = (audience.groupsAttribute ?? 'groups').replaceAll('\\', '\\\\').replaceAll('.', '\\.');
  const own: JsonValue = { var: [groupsPath, []] };
  const groups = (audience.groups ?? []).map((group): JsonValue => ({ in: [group, { merge: [own] }] }));
  return { or: [{ in: [{ var: stickyPath(rollout) }, [...(audience.users ?? [])]] }, ...groups] };
}

/** The steps to come, latest first, around today's share. */
function ramp(rollout: Rollout, options: RolloutTargetingOptions): JsonValue {
  const now = share(rollout, rollout.percent, options);
  const { sinceMs, elapsedMs, stepsTaken, state, definition } = rollout;
  if (options.ramp !== 'timetable' || sinceMs === null || state !== 'running') return now;
  const steps = timetableOf(definition.strategy).slice(stepsTaken);
  const atSeconds = (step: RolloutStep): number => Math.ceil((sinceMs + step.afterMs - elapsedMs) / 1000);
  const branches = steps
    .toReversed()
    .flatMap((step): JsonValue[] => [{ '>=': [TIMESTAMP, atSeconds(step)] }, share(rollout, step.percent, options)]);
  return branches.length === 0 ? now : { if: [...branches, now] };
}

/** The rule; undefined for a flag-gated rollout under way, because no flagd rule can look at another flag. */
export function rolloutTargeting(rollout: Rollout, options: RolloutTargetingOptions): JsonValue | undefined {
  const { state, definition, percent, pausedFrom } = rollout;
  const { strategy } = definition;
  const { exposed, others } = options;
  if (state === 'completed') return percent >= 100 ? exposed : others;
  if (state === 'baking' || pausedFrom === 'baking') return exposed;
  const isWindow = strategy.kind === 'time_window';
  if (state !== 'running' && state !== 'paused' && !(isWindow && state === 'scheduled')) return others;
  switch (strategy.kind) {
    case 'immediate':
    case 'percentage':
      return ramp(rollout, options);
    case 'canary':
      if (strategy.audience === undefined) return share(rollout, percent, options);
      return { if: [isNamed(rollout, strategy.audience), exposed, share(rollout, percent, options)] };
    case 'time_window': {
      const begin = Math.ceil(Math.max(strategy.startAtMs, definition.startAtMs ?? 0) / 1000);
      const isWithin: JsonValue = {
        and: [{ '>=': [TIMESTAMP, begin] }, { '<': [TIMESTAMP, Math.ceil(strategy.endAtMs / 1000)] }],
      };
      return { if: [isWithin, exposed, others] };
    }
    case 'targeting':
      return { if: [isNamed(rollout, strategy.audience), exposed, others] };
    case 'flag':
      return undefined;
    default:
      return strategy satisfies never;
  }
}
