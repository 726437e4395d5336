/** The configuration API's bodies (design section 5; specification 004). */
import { type Static, Type } from '@sinclair/typebox';

/** Dotted names: `checkout.limits.max-items`. */
export const configKeyPattern = '^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$';
/** Apps and environments. */
export const scopeNamePattern = '^[a-z0-9][a-z0-9-]{0,62}$';

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

const scopeMembers = {
  app_id: Type.Optional(
    nullable(Type.String({ pattern: scopeNamePattern, description: 'The app; absent or null: for all.' })),
  ),
  environment: Type.Optional(
    nullable(
      Type.String({ pattern: scopeNamePattern, description: 'The environment of the app; absent or null: all.' }),
    ),
  ),
};

export const ConfigValueType = Type.Union(
  [
    Type.Literal('string'),
    Type.Literal('number'),
    Type.Literal('boolean'),
    Type.Literal('object'),
    Type.Literal('array'),
    Type.Literal('null'),
  ],
  { $id: 'ConfigValueType' },
);
export type ConfigValueType = Static<typeof ConfigValueType>;

const configMembers = {
  value: Type.Unknown({ description: 'Any JSON value. Texts may refer to other keys (see the guide).' }),
  type: Type.Optional(ConfigValueType),
  description: Type.Optional(Type.String({ maxLength: 2_000 })),
  sensitive: Type.Optional(
    Type.Boolean({ description: 'Encrypted at rest, never shown in lists, history, audit, logs or diffs.' }),
  ),
  merge: Type.Optional(
    Type.Union([Type.Literal('replace'), Type.Literal('deep')], {
      description: 'How the value meets the less specific ones: `deep` lays objects over theirs.',
    }),
  ),
  schema: Type.Optional(
    Type.Union([Type.Object({}, { additionalProperties: true }), Type.Boolean()], {
      description: 'JSON Schema (draft 2020-12) that the effective value must meet in every scope.',
    }),
  ),
  depends_on: Type.Optional(
    Type.Array(Type.String({ pattern: configKeyPattern }), {
      maxItems: 100,
      description: 'Keys that must be effective wherever this one is.',
    }),
  ),
};

export const ConfigContent = Type.Object(configMembers, { $id: 'ConfigContent', additionalProperties: false });
export type ConfigContent = Static<typeof ConfigContent>;

/** Where a new resource goes. */
export const newResourceMembers = { key: Type.String({ pattern: configKeyPattern }), ...scopeMembers };

export const NewConfig = Type.Object(
  { ...newResourceMembers, ...configMembers },
  { $id: 'NewConfig', additionalProperties: false },
);
export type NewConfig = Static<typeof NewConfig>;

/** What every stored resource says of itself. */
export const resourceMembers = {
  id: Type.String({ format: 'uuid' }),
  key: Type.String(),
  app_id: nullable(Type.String()),
  environment: nullable(Type.String()),
  version: Type.Integer(),
  revision: Type.Integer({ description: 'The revision of the last write; its ETag is this number, quoted.' }),
  created_at: Type.String({ format: 'date-time' }),
  created_by: Type.String(),
  updated_at: Type.String({ format: 'date-time' }),
  updated_by: Type.String(),
};

export const Config = Type.Object(
  {
    ...resourceMembers,
    ...configMembers,
    value: Type.Unknown({ description: 'Absent for a sensitive entry: GET …/value shows it to those who may.' }),
    redacted: Type.Optional(Type.Literal(true, { description: 'The value is sensitive and was left out.' })),
  },
  { $id: 'Config' },
);
export type Config = Static<typeof Config>;

export const ResourceVersionSummary = Type.Object(
  {
    version: Type.Integer(),
    revision: Type.Integer(),
    action: Type.String(),
    rolled_back_to: Type.Optional(Type.Integer()),
    updated_at: Type.String({ format: 'date-time' }),
    updated_by: Type.String(),
    content: Type.Optional(
      Type.Unknown({ description: 'What the version said; absent for a delete. Secrets left out.' }),
    ),
  },
  { $id: 'ResourceVersion' },
);
export type ResourceVersionSummary = Static<typeof ResourceVersionSummary>;

export const ResourceDiff = Type.Object(
  {
    from: Type.Integer(),
    to: Type.Integer(),
    changes: Type.Array(
      Type.Object({
        op: Type.Union([Type.Literal('add'), Type.Literal('remove'), Type.Literal('replace')]),
        path: Type.String({ description: 'JSON pointer into the content.' }),
        before: Type.Optional(Type.Unknown()),
        after: Type.Optional(Type.Unknown()),
      }),
    ),
  },
  { $id: 'ResourceDiff' },
);
export type ResourceDiff = Static<typeof ResourceDiff>;

export const ResourceRollback = Type.Object(
  { version: Type.Integer({ minimum: 1, description: 'The version whose content comes back as a new version.' }) },
  { $id: 'ResourceRollback', additionalProperties: false },
);

const context = Type.Object(
  { targetingKey: Type.Optional(Type.String()) },
  { additionalProperties: true, description: 'Who asks: attributes that rollouts and flags look at.' },
);

export const ConfigFetch = Type.Object(
  {
    app_id: Type.Optional(nullable(Type.String({ pattern: scopeNamePattern }))),
    environment: Type.Optional(nullable(Type.String({ pattern: scopeNamePattern }))),
    context: Type.Optional(context),
    keys: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 1_000 })),
    min_revision: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Wait until at least this revision is served: read what you wrote.' }),
    ),
  },
  { $id: 'ConfigFetch', additionalProperties: false },
);
export type ConfigFetch = Static<typeof ConfigFetch>;

export const ConfigFetched = Type.Object(
  {
    app_id: nullable(Type.String()),
    environment: nullable(Type.String()),
    epoch: Type.String({ description: 'Names the history that the revision counts.' }),
    revision: Type.Integer(),
    stale: Type.Boolean({ description: 'The database is away: this is what was last known.' }),
    values: Type.Record(Type.String(), Type.Unknown()),
    sources: Type.Record(
      Type.String(),
      Type.Object({
        level: Type.Union([Type.Literal('global'), Type.Literal('app'), Type.Literal('environment')]),
        id: Type.String(),
        version: Type.Integer(),
      }),
      { description: 'Which entry gave each value: the most specific one.' },
    ),
    missing: Type.Optional(Type.Array(Type.String(), { description: 'Asked for, but not set (or not to be had).' })),
  },
  { $id: 'ConfigFetched' },
);
export type ConfigFetched = Static<typeof ConfigFetched>;
