/** `/api/v1/approvals`: the second person of the two-person rule. */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Approvals } from './write-conditions.js';

const tags = ['policies'];
const ApprovalAnswer = Type.Object(
  {
    id: Type.String(),
    policy: Type.Optional(Type.String({ description: 'Of a change of a policy.' })),
    changes: Type.Optional(Type.Array(Type.String(), { description: 'Of a change of configuration: what, in words.' })),
    content_hash: Type.String(),
    requested_by: Type.String(),
    requested_at: Type.String(),
    approved_by: Type.Optional(Type.String()),
    approved_at: Type.Optional(Type.String()),
  },
  { $id: 'Approval' },
);

/** The other desk: changes of configuration. */
export interface ApprovalDesk {
  list(): readonly Static<typeof ApprovalAnswer>[];
  has(id: string): boolean;
  approve(
    id: string,
    context: { actor: string; requestId: string; clientIp: string },
  ): Promise<Static<typeof ApprovalAnswer>>;
}

export function approvalRoutes(app: FastifyInstance, approvals: Approvals, desk: ApprovalDesk): void {
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
    async () => {
      const items = [...(await approvals.list()), ...desk.list()];
      return { items: items.sort((a, b) => b.requested_at.localeCompare(a.requested_at)) };
    },
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
    async (request) => {
      const { actor } = request.caller;
      if (!desk.has(request.params.id)) return await approvals.approve(request.params.id, actor);
      return await desk.approve(request.params.id, { actor, requestId: request.id, clientIp: request.ip });
    },
  );
}
