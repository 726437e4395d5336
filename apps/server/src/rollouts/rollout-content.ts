/** A rollout as it is stored, and between the wire's words and the evaluation's. */
import type { NewRollout, RolloutGuard } from '@bailiwick/contract';
import type {
  FlagDefinition,
  JsonValue,
  Rollout,
  RolloutDefinition,
  RolloutEvent,
  RolloutStrategy,
} from '@bailiwick/evaluation';
import type { EncryptedValue } from '../configs/config-content.js';

export type StoredTarget =
  | { readonly kind: 'config'; readonly id: string; readonly value?: JsonValue; readonly encrypted?: EncryptedValue }
  | { readonly kind: 'flag'; readonly id: string; readonly definition: FlagDefinition }
  /** `id`: `policy:` and the project's name. */
  | {
      readonly kind: 'policy';
      readonly id: string;
      readonly project: string;
      readonly rego: string;
      readonly dataText: string;
      /** The revision of the policy that it was reviewed on. */
      readonly baseRevision: number;
    };

export interface RolloutContent {
  readonly description?: string;
  readonly target: StoredTarget;
  /** As it was written, for answers. */
  readonly said: Omit<NewRollout, 'key' | 'target' | 'description'>;
  readonly guards: readonly RolloutGuard[];
  readonly rollout: Rollout;
  /** Oldest first. */
  readonly events: readonly RolloutEvent[];
}

const ms = (seconds: number): number => Math.round(seconds * 1_000);

type SaidAudience = { users?: string[]; groups?: string[]; groups_attribute?: string };

const toAudience = ({ users, groups, groups_attribute }: SaidAudience) => ({
  ...(users === undefined ? {} : { users }),
  ...(groups === undefined ? {} : { groups }),
  ...(groups_attribute === undefined ? {} : { groupsAttribute: groups_attribute }),
});

function toStrategy(said: NewRollout['strategy']): RolloutStrategy {
  switch (said.kind) {
    case 'percentage': {
      if ('steps' in said)
        return {
          kind: 'percentage',
          steps: said.steps.map(({ percent, after_s }) => ({ percent, afterMs: ms(after_s) })),
        };
      const { kind, factor, duration_s, interval_s } = said.growth;
      const interval = interval_s === undefined ? {} : { intervalMs: ms(interval_s) };
      return { kind: 'percentage', growth: { kind, factor, durationMs: ms(duration_s), ...interval } };
    }
    case 'canary': {
      const audience = said.audience === undefined ? {} : { audience: toAudience(said.audience) };
      return { kind: 'canary', percent: said.percent, durationMs: ms(said.duration_s), ...audience };
    }
    case 'time_window':
      return { kind: 'time_window', startAtMs: Date.parse(said.start_at), endAtMs: Date.parse(said.end_at) };
    case 'targeting':
      return { kind: 'targeting', audience: toAudience(said.audience) };
    case 'immediate':
    case 'flag':
      return said;
    default:
      return said satisfies never;
  }
}

/** `id`: the resource's; what the buckets are hashed with unless a bucket key is said. */
export function toDefinition(id: string, said: RolloutContent['said']): RolloutDefinition {
  return {
    id,
    strategy: toStrategy(said.strategy),
    ...(said.sticky_attribute === undefined ? {} : { stickyAttribute: said.sticky_attribute }),
    ...(said.bucket_key === undefined ? {} : { bucketKey: said.bucket_key }),
    ...(said.bake_s === undefined ? {} : { bakeMs: ms(said.bake_s) }),
    ...(said.start_at === undefined ? {} : { startAtMs: Date.parse(said.start_at) }),
  };
}

/** Under this name the decisions of a project's candidate are counted. */
export const candidateName = (project: string): string => `${project}@candidate`;

const ended = new Set(['completed', 'aborted', 'rolled_back']);

export const hasEnded = ({ rollout }: RolloutContent): boolean => ended.has(rollout.state);
