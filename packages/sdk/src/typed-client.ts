/** A client whose keys are known: what `bailiwick types` writes a file for. */
import type { Details } from './answer.js';
import type { Client } from './client.js';
import type { EvaluationContext } from './json.js';

/** `Configs`, `Flags`: key → type of its value. */
export interface TypedClient<Configs, Flags> extends Omit<Client, 'config' | 'flag' | 'configDetails' | 'flagDetails'> {
  config<K extends keyof Configs & string>(key: K, defaultValue: Configs[K], context?: EvaluationContext): Configs[K];
  configDetails<K extends keyof Configs & string>(
    key: K,
    defaultValue: Configs[K],
    context?: EvaluationContext,
  ): Details<Configs[K]>;
  flag<K extends keyof Flags & string>(key: K, defaultValue: Flags[K], context?: EvaluationContext): Flags[K];
  flagDetails<K extends keyof Flags & string>(
    key: K,
    defaultValue: Flags[K],
    context?: EvaluationContext,
  ): Details<Flags[K]>;
}
