/** Configuration, flags and rollouts as pure functions: no clock, no randomness, no input or output, no dependency. */

export {
  compileEnvironment,
  type Environment,
  type EnvironmentDocument,
  type EnvironmentOptions,
  type FlagCandidate,
} from './environment/environment.js';
export type { Fault } from './fault.js';
export { type CompiledFlags, compileFlags } from './flags/compile-flags.js';
export type {
  EvaluationContext,
  FlagAnswer,
  FlagDefinition,
  FlagErrorCode,
  FlagReason,
  FlagSet,
  FlagState,
  Prerequisite,
} from './flags/flag-set.js';
export { validateFlagSet } from './flags/validate-flag-set.js';
export {
  bucketer,
  bucketOf,
  fnv1a32,
  growthBookBucket,
  MAX_TOTAL_WEIGHT,
  TOTAL_WEIGHT,
  UNLEASH_VARIANT_SEED,
  unleashBucket,
} from './hashing/buckets.js';
export { murmur3 } from './hashing/murmur3.js';
export type {
  ConfigEntry,
  ConfigLevel,
  ConfigScope,
  ConfigSource,
  EffectiveConfig,
  MergeMode,
} from './hierarchy/config-entry.js';
export { type ConfigOptions, type ConfigSnapshot, compileConfig } from './hierarchy/config-snapshot.js';
export { mergeDeep } from './hierarchy/layers.js';
export { type ReferenceLimits, referencedKeys } from './hierarchy/resolve-references.js';
export type { JsonObject, JsonValue } from './json.js';
export * from './rollouts/index.js';
export { type CompiledUnleash, compileUnleash, type UnleashVariantAnswer } from './unleash/compile-unleash.js';
export { importUnleash, type UnleashImport } from './unleash/import-unleash.js';
export type {
  UnleashContext,
  UnleashFeature,
  UnleashSegment,
  UnleashState,
  UnleashWorld,
} from './unleash/unleash-definition.js';
