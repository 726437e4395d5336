/** Webhooks: who is told of changes. Signed as Standard Webhooks has it, or in the formats of Slack and Microsoft Teams. */
import { type Static, Type } from '@sinclair/typebox';
import { configKeyPattern, newResourceMembers, resourceMembers } from './configs.js';

const webhookMembers = {
  url: Type.String({ pattern: '^https?://', maxLength: 2_000 }),
  events: Type.Array(Type.String({ pattern: '^[a-z_*#]+(\\.[a-z0-9_*#-]+)*$', maxLength: 200 }), {
    minItems: 1,
    maxItems: 50,
    description:
      'Topics `kind.app.environment.action`; `*` stands for one word, `#` for any number: `config.shop.prod.*`.',
  }),
  format: Type.Optional(
    Type.Union([Type.Literal('json'), Type.Literal('slack'), Type.Literal('teams')], { default: 'json' }),
  ),
  enabled: Type.Optional(Type.Boolean({ default: true })),
  description: Type.Optional(Type.String({ maxLength: 2_000 })),
};

export const WebhookBody = Type.Object(webhookMembers, { $id: 'WebhookBody', additionalProperties: false });
export type WebhookBody = Static<typeof WebhookBody>;
export const NewWebhook = Type.Object(
  {
    ...newResourceMembers,
    key: Type.String({ pattern: configKeyPattern, description: 'Its name.' }),
    ...webhookMembers,
  },
  { $id: 'NewWebhook', additionalProperties: false },
);
export const Webhook = Type.Object(
  {
    ...resourceMembers,
    ...webhookMembers,
    secret: Type.Optional(Type.String({ description: '`whsec_…`: shown once, in the answer to the creation.' })),
  },
  { $id: 'Webhook' },
);

export const WebhookDelivery = Type.Object(
  {
    id: Type.String(),
    event: Type.Unknown(),
    state: Type.Union([Type.Literal('waiting'), Type.Literal('delivered'), Type.Literal('failed')]),
    attempts: Type.Integer(),
    next_attempt_at: Type.Optional(Type.String({ format: 'date-time' })),
    status: Type.Optional(Type.Integer({ description: 'Of the last answer.' })),
    error: Type.Optional(Type.String()),
    created_at: Type.String({ format: 'date-time' }),
  },
  { $id: 'WebhookDelivery' },
);
