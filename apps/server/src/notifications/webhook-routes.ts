/** `/api/v1/webhooks`: the routes of every resource, the secret at creation, deliveries, a test. */
import {
  NewWebhook,
  Webhook,
  type WebhookBody,
  WebhookBody as WebhookBodySchema,
  WebhookDelivery,
} from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ResourceId, resourceRoutes } from '../configs/resource-routes.js';
import type { Delivery } from '../ports/delivery-store.port.js';
import type { WebhookService } from './webhook-service.js';

const tags = ['webhooks'];
type Id = Static<typeof ResourceId>;

export function webhookRoutes(app: FastifyInstance, webhooks: WebhookService): void {
  resourceRoutes(app, {
    ...{ name: 'webhooks', noun: 'webhook', resources: webhooks.resources },
    ...{ newSchema: NewWebhook, contentSchema: WebhookBodySchema, answerSchema: Webhook },
    toNewContent: async (body: WebhookBody) => {
      const { content, secret } = await webhooks.newContent(body);
      return { content, secrets: { secret: { plain: secret, encrypted: content.secret } } };
    },
    toContent: (body: WebhookBody, id) => webhooks.changedContent(id, body),
  });
  const facts = ({ params }: FastifyRequest) => {
    const { key, appId, environment } = webhooks.resources.get((params as Id).id);
    return { resource: { kind: 'webhook', key, app_id: appId, environment } };
  };
  app.get<{ Params: Id; Querystring: { limit: number } }>(
    '/api/v1/webhooks/:id/deliveries',
    {
      config: { access: { action: 'webhook.read', facts } },
      schema: {
        tags,
        summary: 'What was sent lately, newest first',
        params: ResourceId,
        querystring: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })) }),
        response: { 200: Type.Object({ items: Type.Array(WebhookDelivery) }) },
      },
    },
    async (request) => {
      const deliveries = await webhooks.deliveriesOf(request.params.id, request.query.limit);
      return { items: deliveries.map(shownDelivery) };
    },
  );
  app.post<{ Params: Id }>(
    '/api/v1/webhooks/:id/test',
    {
      config: { access: { action: 'webhook.write', isWrite: true, facts } },
      schema: {
        tags,
        summary: 'Send a made-up event now',
        params: ResourceId,
        response: { 200: Type.Object({ status: Type.Integer({ description: 'Of the receiver’s answer.' }) }) },
      },
    },
    async (request) => ({ status: await webhooks.test(request.params.id) }),
  );
}

function shownDelivery({ id, event, state, attempts, nextAttemptMs, status, error, createdAtMs }: Delivery) {
  return {
    ...{ id, event: JSON.parse(event) as unknown, state, attempts },
    ...(state === 'waiting' ? { next_attempt_at: new Date(nextAttemptMs).toISOString() } : {}),
    ...(status === null ? {} : { status }),
    ...(error === null ? {} : { error }),
    created_at: new Date(createdAtMs).toISOString(),
  };
}
