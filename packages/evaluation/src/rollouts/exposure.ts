/**
 * Who gets the new value. Buckets are ours: `bucketKey + sticky attribute`, 100,000 of them; someone is in while their
 * bucket is below the share. So nobody leaves while the share grows, and pausing or resuming moves nobody.
 */
import type { EvaluationContext, FlagAnswer } from '../flags/flag-set.js';
import { bucketer } from '../hashing/buckets.js';
import type { Audience, Rollout } from './rollout.js';
import { toUnits } from './timetable.js';

/** What a flag-gated rollout asks; `CompiledFlags` is one. */
export interface FlagReader {
  evaluate(flagKey: string, context: EvaluationContext, nowMs?: number): Pick<FlagAnswer, 'variant'>;
}

export type Exposure = (context: EvaluationContext, nowMs: number) => boolean;

const NOBODY: Exposure = () => false;
const EVERYBODY: Exposure = () => true;

/** The value of the sticky attribute as text; undefined when there is none to be sticky by. */
function stickyValue(context: EvaluationContext, attribute: string): string | undefined {
  const value = context[attribute];
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function compileAudience(audience: Audience, attribute: string): Exposure {
  const users = new Set(audience.users);
  const groups = new Set(audience.groups);
  const groupsAttribute = audience.groupsAttribute ?? 'groups';
  return (context) => {
    const user = stickyValue(context, attribute);
    if (user !== undefined && users.has(user)) return true;
    if (groups.size === 0) return false;
    const own = context[groupsAttribute];
    if (typeof own === 'string') return groups.has(own);
    return Array.isArray(own) && own.some((group) => typeof group === 'string' && groups.has(group));
  };
}

function compileShare(rollout: Rollout, attribute: string): Exposure {
  const units = toUnits(rollout.percent);
  if (units <= 0) return NOBODY;
  if (units >= 100_000) return EVERYBODY;
  const bucket = bucketer(rollout.definition.bucketKey ?? rollout.definition.id);
  return (context) => {
    const value = stickyValue(context, attribute);
    return value !== undefined && bucket(value) < units;
  };
}

/** `isExposed` for one rollout and many contexts. Someone without the sticky attribute is in at 100 % only. */
export function compileExposure(rollout: Rollout, flags?: FlagReader): Exposure {
  const { definition, state } = rollout;
  const { strategy, stickyAttribute = 'targetingKey' } = definition;
  if (state === 'completed') return rollout.percent >= 100 ? EVERYBODY : NOBODY;
  if (strategy.kind === 'time_window' && state === 'scheduled') return compileWindow(rollout);
  if (state !== 'running' && state !== 'paused' && state !== 'baking') return NOBODY;
  // Promoted to everybody: the gate no longer counts.
  if (state === 'baking' || rollout.pausedFrom === 'baking') return EVERYBODY;
  switch (strategy.kind) {
    case 'immediate':
    case 'percentage':
      return compileShare(rollout, stickyAttribute);
    case 'canary': {
      const share = compileShare(rollout, stickyAttribute);
      if (strategy.audience === undefined) return share;
      const isNamed = compileAudience(strategy.audience, stickyAttribute);
      return (context, nowMs) => isNamed(context, nowMs) || share(context, nowMs);
    }
    case 'flag':
      if (flags === undefined) return NOBODY;
      return (context, nowMs) => flags.evaluate(strategy.flag, context, nowMs).variant === strategy.variant;
    case 'time_window':
      return compileWindow(rollout);
    case 'targeting':
      return compileAudience(strategy.audience, stickyAttribute);
    default:
      return strategy satisfies never;
  }
}

/** Counts to the millisecond, whenever the worker comes by. */
function compileWindow({ definition }: Rollout): Exposure {
  const { strategy, startAtMs = 0 } = definition;
  if (strategy.kind !== 'time_window') return NOBODY;
  const beginMs = Math.max(strategy.startAtMs, startAtMs);
  return (_context, nowMs) => nowMs >= beginMs && nowMs < strategy.endAtMs;
}

/** Whether a context gets the new value. Pure: the same rollout, context and time give the same answer everywhere. */
export const isExposed = (rollout: Rollout, context: EvaluationContext, nowMs: number, flags?: FlagReader): boolean =>
  compileExposure(rollout, flags)(context, nowMs);
