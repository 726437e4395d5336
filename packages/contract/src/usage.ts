/** How often keys are asked for, as SDKs count it. */
import { type Static, Type } from '@sinclair/typebox';

const UsageCount = Type.Object(
  {
    kind: Type.Union([Type.Literal('config'), Type.Literal('flag')]),
    key: Type.String({ minLength: 1, maxLength: 250 }),
    variant: Type.Optional(
      Type.String({ maxLength: 100, description: 'Absent for configuration, and where the code’s default was given.' }),
    ),
    count: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
  },
  { additionalProperties: false },
);

export const UsageReport = Type.Object(
  {
    id: Type.String({ format: 'uuid', description: 'A report that comes twice counts once.' }),
    counts: Type.Array(UsageCount, { maxItems: 2_000 }),
  },
  { $id: 'UsageReport', additionalProperties: false },
);
export type UsageReport = Static<typeof UsageReport>;

export const UsageOfKey = Type.Object(
  {
    id: Type.String(),
    key: Type.String(),
    total: Type.Integer(),
    days: Type.Array(
      Type.Object({
        day: Type.String({ description: 'UTC: 2026-01-31' }),
        total: Type.Integer(),
        variants: Type.Record(Type.String(), Type.Integer(), {
          description: 'Of a flag; what is missing to the total was answered with the code’s default.',
        }),
      }),
      { description: 'The last fourteen, newest first.' },
    ),
  },
  { $id: 'UsageOfKey' },
);
export type UsageOfKey = Static<typeof UsageOfKey>;
