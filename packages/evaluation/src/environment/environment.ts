/**
 * Everything one app in one environment asks for: effective configuration, flags, and the rollouts under way on both. The document is
 * what the service keeps and what an SDK gets; compiled, both answer alike.
 */
import { type CompiledFlags, compileFlags } from '../flags/compile-flags.js';
import type { EvaluationContext, FlagAnswer, FlagDefinition, FlagSet } from '../flags/flag-set.js';
import type { ConfigEntry, ConfigScope } from '../hierarchy/config-entry.js';
import { type ConfigSnapshot, compileConfig } from '../hierarchy/config-snapshot.js';
import type { JsonValue } from '../json.js';
import { compileExposure, type Exposure } from '../rollouts/exposure.js';
import type { Rollout } from '../rollouts/rollout.js';
import { type CompiledUnleash, compileUnleash } from '../unleash/compile-unleash.js';
import type { UnleashState } from '../unleash/unleash-definition.js';

/** While a rollout is under way, those exposed to it are answered by this definition of the flag. */
export interface FlagCandidate {
  readonly flag: string;
  readonly definition: FlagDefinition;
  readonly rollout: Rollout;
}

export interface EnvironmentDocument extends ConfigScope {
  /** The entries that count in the scope, of all levels, with their candidates. */
  readonly entries: readonly ConfigEntry[];
  /** The most specific definition of each flag, and the segments as `$evaluators`. */
  readonly flags: FlagSet;
  readonly flagCandidates?: readonly FlagCandidate[];
  /** Flags that came from Unleash and keep its rules and buckets; they go before `flags` of the same key. */
  readonly unleash?: UnleashState;
}

export interface EnvironmentOptions {
  /** 0 ≤ n < 1, for Unleash's random stickiness; absent: always 0. */
  readonly random?: () => number;
  /** An environment of the same scope that this one follows: what depends on nothing that is another object than before is taken over. */
  readonly previous?: Environment | undefined;
}

/** As of one moment; immutable. `nowMs`: milliseconds since 1970. */
export interface Environment {
  readonly configs: ConfigSnapshot;
  /** The effective value for a context; undefined when the key is not set or has a fault. */
  config(key: string, context: EvaluationContext, nowMs: number): JsonValue | undefined;
  /** Never throws. */
  flag(key: string, context: EvaluationContext, nowMs: number): FlagAnswer;
  flagKeys(): readonly string[];
  hasFlag(key: string): boolean;
}

interface Candidate {
  readonly isExposed: Exposure;
  readonly flags: CompiledFlags;
}

/** What an environment is made of, for the one that follows it. */
interface Parts {
  readonly flags: CompiledFlags;
  readonly unleash: CompiledUnleash | undefined;
  readonly candidates: ReadonlyMap<string, Candidate>;
}

/** Where an environment keeps them: a map from one to the other would keep the collector busy, with a step a moment in many clients. */
const parts = Symbol('parts');

interface KeptEnvironment extends Environment {
  readonly [parts]: Parts;
}

const partsOf = (environment: Environment | undefined): Parts | undefined =>
  environment !== undefined && parts in environment ? (environment as KeptEnvironment)[parts] : undefined;

/** The same as without `previous`, in less time: of what changed, and one look at each entry and flag. */
export function compileEnvironment(document: EnvironmentDocument, options: EnvironmentOptions = {}): Environment {
  const { previous, ...evaluating } = options;
  const before = partsOf(previous);
  const flags = compileFlags(document.flags, before?.flags);
  const configs = compileConfig(document.entries, document, { flags, previous: previous?.configs });
  const unleash = document.unleash === undefined ? undefined : compileUnleash(document.unleash, before?.unleash);
  const candidates = new Map<string, Candidate>();
  for (const { flag, definition, rollout } of document.flagCandidates ?? []) {
    const next: FlagSet = { ...document.flags, flags: { ...document.flags.flags, [flag]: definition } };
    const compiled = compileFlags(next, before?.candidates.get(flag)?.flags ?? flags);
    candidates.set(flag, { isExposed: compileExposure(rollout, flags), flags: compiled });
  }
  let flagKeys: readonly string[] | undefined;
  const environment: KeptEnvironment = {
    [parts]: { flags, unleash, candidates },
    configs,
    config: (key, context, nowMs) => configs.get(key, context, nowMs),
    flag: (key, context, nowMs) => {
      if (unleash?.has(key)) return unleash.evaluate(key, context, nowMs, { nowMs, ...evaluating });
      const candidate = candidates.size === 0 ? undefined : candidates.get(key);
      if (candidate === undefined || !candidate.isExposed(context, nowMs)) return flags.evaluate(key, context, nowMs);
      return candidate.flags.evaluate(key, context, nowMs);
    },
    flagKeys: () => {
      flagKeys ??= unleash === undefined ? flags.keys() : [...new Set([...flags.keys(), ...unleash.keys()])].sort();
      return flagKeys;
    },
    hasFlag: (key) => flags.has(key) || unleash?.has(key) === true,
  };
  return environment;
}
