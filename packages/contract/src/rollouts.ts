/** Rollouts: how a new value, flag or policy reaches people step by step (specification 004, “Rollout Strategies”). Times RFC 3339, durations in seconds. */
import { type Static, Type } from '@sinclair/typebox';
import { configKeyPattern, resourceMembers } from './configs.js';
import { FlagBody } from './flags.js';

const percent = Type.Number({ minimum: 0, maximum: 100, description: 'Percent, in steps of 0.001.' });
const seconds = Type.Number({ minimum: 0, maximum: 31_536_000 });
const time = Type.String({ format: 'date-time' });

const audience = Type.Object(
  {
    users: Type.Optional(
      Type.Array(Type.String(), { maxItems: 10_000, description: 'Values of the sticky attribute.' }),
    ),
    groups: Type.Optional(Type.Array(Type.String(), { maxItems: 1_000 })),
    groups_attribute: Type.Optional(
      Type.String({ description: 'The attribute that lists someone’s groups; `groups`.' }),
    ),
  },
  { additionalProperties: false },
);

const strategy = Type.Union(
  [
    Type.Object({ kind: Type.Literal('immediate') }, { additionalProperties: false }),
    Type.Object(
      {
        kind: Type.Literal('percentage'),
        steps: Type.Array(Type.Object({ percent, after_s: seconds }, { additionalProperties: false }), {
          minItems: 1,
          maxItems: 1_000,
          description: 'From `after_s` seconds of running time on, `percent` are in.',
        }),
      },
      { additionalProperties: false },
    ),
    Type.Object(
      {
        kind: Type.Literal('percentage'),
        growth: Type.Object(
          {
            kind: Type.Union([Type.Literal('linear'), Type.Literal('exponential')]),
            factor: Type.Number({ exclusiveMinimum: 0, maximum: 100, description: 'Percent of the first step.' }),
            duration_s: seconds,
            interval_s: Type.Optional(seconds),
          },
          { additionalProperties: false },
        ),
      },
      { additionalProperties: false },
    ),
    Type.Object(
      { kind: Type.Literal('canary'), percent, duration_s: seconds, audience: Type.Optional(audience) },
      { additionalProperties: false },
    ),
    Type.Object(
      { kind: Type.Literal('flag'), flag: Type.String({ pattern: configKeyPattern }), variant: Type.String() },
      { additionalProperties: false },
    ),
    Type.Object({ kind: Type.Literal('time_window'), start_at: time, end_at: time }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal('targeting'), audience }, { additionalProperties: false }),
  ],
  { $id: 'RolloutStrategy' },
);

export const RolloutTarget = Type.Union(
  [
    Type.Object(
      {
        kind: Type.Literal('config'),
        id: Type.String({ format: 'uuid' }),
        value: Type.Unknown({ description: 'The new value.' }),
      },
      { additionalProperties: false },
    ),
    Type.Object(
      { kind: Type.Literal('flag'), id: Type.String({ format: 'uuid' }), definition: FlagBody },
      { additionalProperties: false },
    ),
    Type.Object(
      {
        kind: Type.Literal('policy'),
        project: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$', description: 'A project’s name, or `platform`.' }),
        rego: Type.Optional(Type.String({ minLength: 1, description: 'Absent: as it is.' })),
        data: Type.Optional(Type.Object({}, { additionalProperties: true, description: 'Absent: as it is.' })),
      },
      { additionalProperties: false },
    ),
  ],
  { $id: 'RolloutTarget' },
);
export type RolloutTarget = Static<typeof RolloutTarget>;

const limits = {
  max: Type.Number({ minimum: 0, description: 'Above it the guard is unhealthy.' }),
  window_s: Type.Optional(Type.Integer({ minimum: 10, maximum: 3_600, default: 60 })),
  min_samples: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, default: 20, description: 'Fewer say nothing.' }),
  ),
};
const rate = { ...limits, max: Type.Number({ minimum: 0, maximum: 1, description: 'A share: 0.05 is 5 %.' }) };
const project = Type.Optional(Type.String({ description: 'Only its requests; all when absent.' }));

export const RolloutGuard = Type.Union(
  [
    Type.Object({ kind: Type.Literal('error_rate'), project, ...rate }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal('denial_rate'), project, ...rate }, { additionalProperties: false }),
    Type.Object(
      { kind: Type.Literal('difference_rate'), ...rate },
      {
        additionalProperties: false,
        description: 'Of a policy in shadow: the share of decisions that come out differently.',
      },
    ),
    Type.Object(
      {
        kind: Type.Literal('promql'),
        query: Type.String({ minLength: 1, maxLength: 4_000, description: 'Asked of the Prometheus of the settings.' }),
        max: limits.max,
      },
      { additionalProperties: false },
    ),
  ],
  { $id: 'RolloutGuard' },
);
export type RolloutGuard = Static<typeof RolloutGuard>;

const rolloutMembers = {
  description: Type.Optional(Type.String({ maxLength: 2_000 })),
  target: RolloutTarget,
  strategy,
  sticky_attribute: Type.Optional(Type.String({ maxLength: 100 })),
  bucket_key: Type.Optional(
    Type.String({ maxLength: 200, description: 'Rollouts with the same one let the same people in first.' }),
  ),
  shadow: Type.Optional(
    Type.Boolean({
      description:
        'Of a policy: those who are in are still answered by the old version, and the new one is asked too; what differs is counted. Nothing is adopted in the end.',
    }),
  ),
  bake_s: Type.Optional(seconds),
  start_at: Type.Optional(time),
  guards: Type.Optional(Type.Array(RolloutGuard, { maxItems: 10 })),
};

export const NewRollout = Type.Object(
  { key: Type.String({ pattern: configKeyPattern, description: 'Its name.' }), ...rolloutMembers },
  { $id: 'NewRollout', additionalProperties: false },
);
export type NewRollout = Static<typeof NewRollout>;

export const RolloutEventBody = Type.Object({
  kind: Type.String(),
  at: time,
  percent: Type.Number(),
  reason: Type.Optional(Type.String()),
});

export const Rollout = Type.Object(
  {
    ...resourceMembers,
    ...rolloutMembers,
    state: Type.String({
      description: 'draft, scheduled, running, paused, baking, completed, aborted, rolled_back',
    }),
    percent: Type.Number(),
    next_step_at: Type.Union([time, Type.Null()]),
    guards_say: Type.Optional(
      Type.Array(
        Type.Object({
          guard: Type.Integer(),
          verdict: Type.String(),
          measured: Type.Optional(Type.Number()),
          detail: Type.Optional(Type.String()),
        }),
      ),
    ),
    differences: Type.Optional(
      Type.Object(
        { compared: Type.Integer(), differing: Type.Integer() },
        { description: 'Of the last hour, in shadow.' },
      ),
    ),
    events: Type.Array(RolloutEventBody),
  },
  { $id: 'Rollout' },
);
export type RolloutBody = Static<typeof Rollout>;

export const RolloutCommandBody = Type.Object(
  {
    full: Type.Optional(Type.Boolean({ description: 'promote: to everybody at once.' })),
    reason: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { $id: 'RolloutCommand', additionalProperties: false },
);

const freezeMembers = {
  description: Type.Optional(Type.String({ maxLength: 2_000, description: 'Why; shown to whoever is refused.' })),
  from: time,
  to: time,
};
export const FreezeBody = Type.Object(freezeMembers, { $id: 'FreezeBody', additionalProperties: false });
export type FreezeBody = Static<typeof FreezeBody>;
export const NewFreeze = Type.Object(
  {
    key: Type.String({ pattern: configKeyPattern }),
    app_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    environment: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    ...freezeMembers,
  },
  { $id: 'NewFreeze', additionalProperties: false },
);
export const Freeze = Type.Object({ ...resourceMembers, ...freezeMembers }, { $id: 'Freeze' });
