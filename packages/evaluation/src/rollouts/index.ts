/** Rollouts as pure functions. */
export {
  applyCommand,
  createRollout,
  elapsedAt,
  nextDueMs,
  percentAt,
  type RolloutChange,
  type RolloutRefusal,
  type RolloutResult,
} from './apply-command.js';
export { compileExposure, type Exposure, type FlagReader, isExposed } from './exposure.js';
export type {
  Audience,
  GuardVerdict,
  Rollout,
  RolloutCommand,
  RolloutDefinition,
  RolloutEvent,
  RolloutGrowth,
  RolloutState,
  RolloutStep,
  RolloutStrategy,
} from './rollout.js';
export { type RolloutTargetingOptions, rolloutTargeting } from './rollout-targeting.js';
export { MAX_STEPS, timetableOf, validateRollout } from './timetable.js';
