/** Flags and segments (flagd's form), and the OpenFeature remote evaluation protocol (OFREP 0.3.0). */
import { type Static, Type } from '@sinclair/typebox';
import { newResourceMembers, resourceMembers } from './configs.js';

const description = Type.Optional(Type.String({ maxLength: 2_000 }));

const flagMembers = {
  state: Type.Union([Type.Literal('ENABLED'), Type.Literal('DISABLED')]),
  variants: Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Type.Unknown(), {
    minProperties: 1,
    maxProperties: 200,
    description: 'Name → value; all of one JSON type.',
  }),
  defaultVariant: Type.Optional(
    Type.Union([Type.String(), Type.Null()], { description: 'Null or absent: the caller’s own default.' }),
  ),
  targeting: Type.Optional(
    Type.Union(
      [Type.Object({}, { additionalProperties: true }), Type.Array(Type.Unknown()), Type.String(), Type.Null()],
      {
        description: 'JsonLogic that gives the name of a variant; segments by `{"$ref": key}`.',
      },
    ),
  ),
  prerequisites: Type.Optional(
    Type.Array(Type.Object({ flag: Type.String(), variant: Type.String() }, { additionalProperties: false }), {
      maxItems: 50,
      description: 'All must hold, or the flag answers as if it were disabled.',
    }),
  ),
  metadata: Type.Optional(
    Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), { maxProperties: 100 }),
  ),
  description,
};

export const FlagBody = Type.Object(flagMembers, { $id: 'FlagBody', additionalProperties: false });
export type FlagBody = Static<typeof FlagBody>;
export const NewFlag = Type.Object(
  { ...newResourceMembers, ...flagMembers },
  { $id: 'NewFlag', additionalProperties: false },
);
export const Flag = Type.Object(
  {
    ...resourceMembers,
    ...flagMembers,
    unleash: Type.Optional(
      Type.Unknown({ description: 'Of an imported flag: its feature in Unleash, which decides.' }),
    ),
  },
  { $id: 'Flag' },
);

const segmentMembers = {
  rule: Type.Unknown({ description: 'JsonLogic; flags name it with `{"$ref": key}`.' }),
  description,
};
export const SegmentBody = Type.Object(segmentMembers, { $id: 'SegmentBody', additionalProperties: false });
export type SegmentBody = Static<typeof SegmentBody>;
export const NewSegment = Type.Object(
  { ...newResourceMembers, ...segmentMembers },
  { $id: 'NewSegment', additionalProperties: false },
);
export const Segment = Type.Object({ ...resourceMembers, ...segmentMembers }, { $id: 'Segment' });

/** Checked by hand, so that a fault gets the protocol's own error and not ours. */
export const OfrepRequest = Type.Object(
  { context: Type.Optional(Type.Unknown({ description: 'An object; `targetingKey` and any attributes.' })) },
  { $id: 'OfrepRequest', additionalProperties: true },
);

const metadata = Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]));

export const OfrepAnswer = Type.Object(
  {
    key: Type.String(),
    reason: Type.Optional(Type.String({ description: 'STATIC, TARGETING_MATCH, SPLIT, DISABLED, UNKNOWN' })),
    value: Type.Optional(Type.Unknown({ description: 'Absent: use the default of the code.' })),
    variant: Type.Optional(Type.String()),
    metadata: Type.Optional(metadata),
    errorCode: Type.Optional(Type.String()),
    errorDetails: Type.Optional(Type.String()),
  },
  { $id: 'OfrepAnswer' },
);
export type OfrepAnswer = Static<typeof OfrepAnswer>;

export const OfrepBulkAnswer = Type.Object(
  {
    flags: Type.Array(OfrepAnswer),
    metadata,
    eventStreams: Type.Array(
      Type.Object({
        type: Type.Literal('sse'),
        endpoint: Type.Object({ requestUri: Type.String() }),
        inactivityDelaySec: Type.Integer(),
      }),
    ),
  },
  { $id: 'OfrepBulkAnswer' },
);
export type OfrepBulkAnswer = Static<typeof OfrepBulkAnswer>;
