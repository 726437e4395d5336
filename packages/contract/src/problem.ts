/** RFC 9457 problem details with the specification's `code`. */
import { type Static, Type } from '@sinclair/typebox';
import { RegoFault } from './policies.js';

export const Problem = Type.Object(
  {
    type: Type.String({ description: '`about:blank` or an address that explains the reason.' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({
      description: '`validation_error`, `unauthorized`, `forbidden`, `not_found`, `conflict`, `payload_too_large` …',
    }),
    reason: Type.String({ description: 'The exact cause, as `<area>.<reason>`.' }),
    detail: Type.String({ description: 'What happened, why, and what to do.' }),
    request_id: Type.String(),
    errors: Type.Optional(Type.Array(RegoFault)),
  },
  { $id: 'Problem', additionalProperties: true },
);
export type Problem = Static<typeof Problem>;

/** Every list of the API: newest first. */
export const listOf = <T extends Parameters<typeof Type.Array>[0]>(item: T, id: string) =>
  Type.Object(
    {
      items: Type.Array(item),
      next: Type.Optional(Type.String({ description: 'Cursor of the next page; absent on the last.' })),
    },
    { $id: id },
  );

export const listQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 512 })),
};
