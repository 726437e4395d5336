/** One entry of the configuration, and where it stands: Global → App → Environment, the most specific wins. */
import type { Fault } from '../fault.js';
import type { JsonValue } from '../json.js';
import type { Rollout } from '../rollouts/rollout.js';

export type ConfigLevel = 'global' | 'app' | 'environment';

/** How an entry's value meets the less specific ones: it takes their place, or its objects are laid over theirs. */
export type MergeMode = 'replace' | 'deep';

/** Identified by `(appId, environment, key)`; null and absent mean the same. */
export interface ConfigEntry {
  /** The service's own identifier, handed back in sources. */
  readonly id?: string;
  readonly appId?: string | null;
  readonly environment?: string | null;
  readonly key: string;
  readonly value: JsonValue;
  /** `replace` when absent. */
  readonly merge?: MergeMode;
  /** While it is under way, those exposed to the rollout get `value` of the candidate, all others the entry's own. */
  readonly candidate?: { readonly value: JsonValue; readonly rollout: Rollout };
}

/** The application and environment a snapshot is for; without them only global entries count. */
export interface ConfigScope {
  readonly appId?: string | null;
  readonly environment?: string | null;
}

/** The entry a value came from. */
export interface ConfigSource {
  readonly level: ConfigLevel;
  readonly entry: ConfigEntry;
}

/** What is effective for one key, without a context (nobody is exposed to a candidate). */
export interface EffectiveConfig {
  readonly key: string;
  /** Undefined when the key has a fault. Deeply frozen. */
  readonly value: JsonValue | undefined;
  /** The most specific entry that had a part in the value. */
  readonly source: ConfigSource;
  /** For a value laid together of several entries: JSON pointer of each leaf → the entry that gave it. */
  readonly sources?: ReadonlyMap<string, ConfigSource>;
  /** The keys that its references name, directly. */
  readonly references: readonly string[];
  readonly fault?: Fault;
}

/** The level of an entry. */
export function levelOf(entry: ConfigEntry): ConfigLevel {
  if (entry.environment != null) return 'environment';
  return entry.appId != null ? 'app' : 'global';
}

/** Whether an entry counts in a scope. */
export function appliesTo(entry: ConfigEntry, scope: ConfigScope): boolean {
  if (entry.appId == null) return entry.environment == null;
  if (entry.appId !== scope.appId) return false;
  return entry.environment == null || entry.environment === scope.environment;
}
