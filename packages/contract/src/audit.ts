/** Audit and decision-log bodies (specification section 11; OPA's decision log format). */
import { type Static, Type } from '@sinclair/typebox';

const nullableString = Type.Union([Type.String(), Type.Null()]);

export const AuditEntry = Type.Object(
  {
    id: Type.String(),
    ts: Type.String({ format: 'date-time' }),
    actor: Type.String(),
    action: Type.String(),
    resource: Type.String(),
    etag_before: nullableString,
    etag_after: nullableString,
    result: Type.String({ description: '`success`, or the code of the refusal.' }),
    request_id: Type.String(),
    client_ip: Type.String(),
    chain: Type.String(),
    detail: Type.Optional(Type.String()),
    seq: Type.Integer(),
    hash_prev: Type.String(),
    hash: Type.String(),
    signature: Type.Optional(Type.String()),
  },
  { $id: 'AuditEntry' },
);
export type AuditEntry = Static<typeof AuditEntry>;

export const DecisionEntry = Type.Object(
  {
    decision_id: Type.String(),
    timestamp: Type.String({ format: 'date-time' }),
    labels: Type.Record(Type.String(), Type.String()),
    bundles: Type.Record(Type.String(), Type.Object({ revision: Type.String() }), {
      description: 'The revision of each policy that took part.',
    }),
    path: Type.String(),
    input: Type.Unknown(),
    result: Type.Unknown(),
    erased: Type.Optional(Type.Array(Type.String())),
    masked: Type.Optional(Type.Array(Type.String())),
    requested_by: Type.String(),
    req_id: Type.Optional(Type.String()),
    error: Type.Optional(Type.String()),
    metrics: Type.Record(Type.String(), Type.Number()),
  },
  { $id: 'DecisionEntry', additionalProperties: true },
);
export type DecisionEntry = Static<typeof DecisionEntry>;

export const Explanation = Type.Object(
  {
    decision_id: Type.String(),
    allowed: Type.Boolean(),
    reproduced: Type.Boolean({
      description: 'Re-evaluation with the stored input at the stored revisions gave the logged answer.',
    }),
    policies: Type.Array(
      Type.Object({
        policy: Type.String(),
        revision: Type.String(),
        allow: Type.Unknown(),
        deny: Type.Unknown(),
        trace: Type.Array(
          Type.Object({
            rule: Type.String(),
            file: Type.String(),
            row: Type.Integer(),
            column: Type.Integer(),
            expression: Type.String(),
            outcome: Type.String(),
          }),
        ),
      }),
    ),
  },
  { $id: 'Explanation' },
);
export type Explanation = Static<typeof Explanation>;
