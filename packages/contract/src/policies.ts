/** The policy API's bodies (design section 4, specification section 5). */
import { type Static, Type } from '@sinclair/typebox';

export const PolicyContent = Type.Object(
  {
    rego: Type.String({ description: 'Rego text, v1 or v0. At most 512 KiB (setting).', minLength: 1 }),
    data: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description:
            'The root document of the policy’s world. At most 1 MiB (setting). `platform` is reserved for projects.',
        },
      ),
    ),
  },
  { $id: 'PolicyContent', additionalProperties: false },
);
export type PolicyContent = Static<typeof PolicyContent>;

export const PolicyPatch = Type.Object(
  {
    rego: Type.Optional(Type.String({ minLength: 1, description: 'Replaces the Rego text.' })),
    data: Type.Optional(
      Type.Object({}, { additionalProperties: true, description: 'Replaces the whole data document.' }),
    ),
  },
  { $id: 'PolicyPatch', additionalProperties: false, minProperties: 1 },
);
export type PolicyPatch = Static<typeof PolicyPatch>;

export const RollbackRequest = Type.Object(
  { version: Type.Integer({ minimum: 1, description: 'The version whose content comes back as a new version.' }) },
  { $id: 'RollbackRequest', additionalProperties: false },
);
export type RollbackRequest = Static<typeof RollbackRequest>;

export const AppliedReport = Type.Object(
  {
    complete: Type.Boolean({ description: 'Every live instance enforces the write.' }),
    instances: Type.Array(
      Type.Object({
        id: Type.String(),
        applied: Type.Boolean(),
        ms: Type.Optional(
          Type.Number({ description: 'Milliseconds from the acknowledgement by the store to enforcement.' }),
        ),
      }),
    ),
  },
  { $id: 'AppliedReport' },
);
export type AppliedReport = Static<typeof AppliedReport>;

export const WriteReceipt = Type.Object(
  {
    policy: Type.String({ description: 'A project’s name or `platform`.' }),
    version: Type.Integer(),
    etag: Type.String({ description: 'The new ETag, quotes included.' }),
    revision: Type.Integer({ description: 'The store’s revision of the write.' }),
    applied: Type.Optional(AppliedReport),
  },
  { $id: 'WriteReceipt' },
);
export type WriteReceipt = Static<typeof WriteReceipt>;

const versionMembers = {
  scope: Type.Union([Type.Literal('platform'), Type.Literal('project')]),
  project: Type.Optional(Type.String()),
  version: Type.Integer(),
  etag: Type.String({ description: 'The ETag of that version, quotes included.' }),
  ts: Type.String({ format: 'date-time' }),
  actor: Type.String(),
  action: Type.String(),
  rolled_back_to: Type.Optional(Type.Integer()),
};

export const PolicyVersionSummary = Type.Object(versionMembers, { $id: 'PolicyVersionSummary' });
export type PolicyVersionSummary = Static<typeof PolicyVersionSummary>;

export const PolicyVersionDocument = Type.Object(
  { ...versionMembers, rego: Type.String(), data: Type.Unknown() },
  { $id: 'PolicyVersionDocument' },
);

export const CheckRequest = Type.Object(
  {
    rego: Type.Optional(Type.String({ minLength: 1, description: 'Default: the Rego text in force.' })),
    data: Type.Optional(Type.Object({}, { additionalProperties: true, description: 'Default: the data in force.' })),
    replay: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 10_000, description: 'How many logged decisions to replay.' }),
    ),
  },
  { $id: 'CheckRequest', additionalProperties: false },
);
export type CheckRequest = Static<typeof CheckRequest>;

export const RegoFault = Type.Object(
  { code: Type.String(), message: Type.String(), file: Type.String(), row: Type.Integer(), column: Type.Integer() },
  { $id: 'RegoFault', description: 'A fault of the Rego text: OPA’s error code, row and column from 1.' },
);
export type RegoFault = Static<typeof RegoFault>;

export const TestOutcome = Type.Object(
  { name: Type.String(), passed: Type.Boolean(), row: Type.Integer(), message: Type.Optional(Type.String()) },
  { $id: 'TestOutcome' },
);
export type TestOutcome = Static<typeof TestOutcome>;

export const DecisionFlip = Type.Object(
  {
    decision_id: Type.String(),
    actor: Type.String(),
    method: Type.String(),
    path: Type.String(),
    project: Type.Optional(Type.String()),
    before: Type.Boolean(),
    after: Type.Boolean(),
    because: Type.Array(
      Type.Object({ rule: Type.String(), file: Type.String(), row: Type.Integer(), column: Type.Integer() }),
      {
        description: 'The rules of the draft that decided; empty when none applied any more.',
      },
    ),
  },
  { $id: 'DecisionFlip' },
);
export type DecisionFlip = Static<typeof DecisionFlip>;

export const CheckReport = Type.Object(
  {
    ok: Type.Boolean({ description: 'It compiles, its tests pass and no logged decision flips.' }),
    errors: Type.Array(RegoFault),
    tests: Type.Array(TestOutcome),
    replayed: Type.Integer(),
    flips: Type.Array(DecisionFlip),
    gained: Type.Array(Type.String({ description: 'Actors that would be allowed something they were denied.' })),
    lost: Type.Array(Type.String({ description: 'Actors that would be denied something they were allowed.' })),
  },
  { $id: 'CheckReport' },
);
export type CheckReport = Static<typeof CheckReport>;

export const InstanceReport = Type.Object(
  {
    id: Type.String(),
    roles: Type.Array(Type.String()),
    revision: Type.Integer({ description: 'The store’s revision up to which this instance enforces everything.' }),
    policy_revision: Type.Optional(
      Type.Integer({ description: 'The revision of this policy that the instance runs.' }),
    ),
    since: Type.Optional(Type.String({ format: 'date-time', description: 'When it began to.' })),
    error: Type.Optional(Type.String({ description: 'Why the instance denies everything under this policy.' })),
  },
  { $id: 'InstanceReport' },
);
export type InstanceReport = Static<typeof InstanceReport>;
