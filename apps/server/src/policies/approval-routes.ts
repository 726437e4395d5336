/** `/api/v1/approvals`: the second person of the two-person rule. */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Approvals } from './write-conditions.js';

const tags = ['policies'];
const ApprovalAnswer = Type.Object(
  {
    id: Type.String(),
    policy: Type.String(),
    content_hash: Type.String(),
    requested_by: Type.String(),
    requested_at: Type.String(),
    approved_by: Type.Optional(Type.String()),
    approved_at: Type.Optional(Type.String()),
  },
  { $id: 'Approval' },
);

export function approvalRoutes(app: FastifyInstance, approvals: Approvals): void {
  app.get(
    '/api/v1/approvals',
    {
      config: { access: { action: 'approval.list' } },
      schema: {
        tags,
        summary: 'Changes that wait for a second person',
        response: { 200: Type.Object({ items: Type.Array(ApprovalAnswer) }) },
      },
    },
    async () => ({ items: await approvals.list() }),
  );
  app.post<{ Params: { id: string } }>(
    '/api/v1/approvals/:id/approve',
    {
      config: { access: { action: 'approval.approve', isWrite: true } },
      schema: {
        tags,
        summary: 'Approve a change that somebody else proposed',
        params: Type.Object({ id: Type.String() }),
        response: { 200: ApprovalAnswer },
      },
    },
    async (request) => await approvals.approve(request.params.id, request.caller.actor),
  );
}
