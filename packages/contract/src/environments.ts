/**
 * What an SDK gets of an app in an environment, whole (`put`) and in steps (`patch`), over server-sent events. The document's members are
 * those of `EnvironmentDocument` in `@bailiwick/evaluation`, which compiles it; here it is opaque.
 */
import { type Static, Type } from '@sinclair/typebox';

const opaque = Type.Unknown();

export const EnvironmentSnapshot = Type.Object(
  {
    epoch: Type.String({ description: 'Names the history that the revision counts.' }),
    revision: Type.Integer(),
    document: Type.Object(
      {
        appId: Type.Union([Type.String(), Type.Null()]),
        environment: Type.Union([Type.String(), Type.Null()]),
        entries: Type.Array(opaque),
        flags: opaque,
        flagCandidates: Type.Optional(Type.Array(opaque)),
        unleash: Type.Optional(opaque),
      },
      { additionalProperties: false },
    ),
  },
  { $id: 'EnvironmentSnapshot' },
);
export type EnvironmentSnapshot = Static<typeof EnvironmentSnapshot>;

/** From one revision to the next that changed anything. */
export const EnvironmentPatch = Type.Object(
  {
    epoch: Type.String(),
    base: Type.Integer({ description: 'Applies to a snapshot of exactly this revision.' }),
    revision: Type.Integer(),
    entries: Type.Array(opaque, { description: 'New or changed entries; they replace those with the same id.' }),
    removedEntries: Type.Array(Type.String(), { description: 'Ids.' }),
    flags: Type.Record(Type.String(), opaque, { description: 'New or changed flags.' }),
    removedFlags: Type.Array(Type.String()),
    evaluators: Type.Record(Type.String(), opaque, { description: 'New or changed segments.' }),
    removedEvaluators: Type.Array(Type.String()),
    unleash: Type.Optional(
      Type.Unknown({ description: 'All of it, when anything of it changed; null: none any more.' }),
    ),
    flagCandidates: Type.Optional(Type.Array(opaque, { description: 'All of them, when any changed.' })),
  },
  { $id: 'EnvironmentPatch' },
);
export type EnvironmentPatch = Static<typeof EnvironmentPatch>;

/** An environment for an application to be shipped with. */
export const SignedEnvironment = Type.Object(
  {
    snapshot: Type.String({ description: 'JSON text of an EnvironmentSnapshot: the very text that is signed.' }),
    signature: Type.String({
      description: 'Base64url; Ed25519 over `bailiwick-bootstrap-v1`, a line feed, and the text.',
    }),
  },
  { $id: 'SignedEnvironment' },
);

/** The events of `GET /api/v1/environment/stream`; `id` of a frame is `<epoch>.<revision>`. */
export const streamEvents = ['put', 'patch', 'heartbeat'] as const;
