/** An event as a request: body and headers of the formats. Signed as Standard Webhooks 1.0 has it (`webhook-id`, `-timestamp`, `-signature`). */
import { createHmac } from 'node:crypto';
import type { ChangeEvent } from './change-publisher.js';

export type WebhookFormat = 'json' | 'slack' | 'teams';

export interface WebhookMessage {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

function sentence({ kind, key, action, app_id, environment, actor, version }: ChangeEvent): string {
  const where = app_id === null ? 'everywhere' : environment === null ? `in ${app_id}` : `in ${app_id}/${environment}`;
  return `${kind} “${key}” ${where}: ${action} by ${actor} (version ${version})`;
}

function bodyOf(format: WebhookFormat, event: ChangeEvent): unknown {
  const text = sentence(event);
  switch (format) {
    case 'json':
      return { type: `${event.kind}.${event.action}`, timestamp: event.at, data: event };
    case 'slack':
      // Slack's own marks in names must not become markup.
      return { text: text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
    case 'teams':
      return {
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            content: {
              $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
              type: 'AdaptiveCard',
              version: '1.4',
              body: [{ type: 'TextBlock', text, wrap: true }],
            },
          },
        ],
      };
    default:
      return format satisfies never;
  }
}

/** `secret`: 32 bytes, base64, after `whsec_`. `nowMs` is when it is sent; the receiver refuses what is old. */
export function toMessage(
  format: WebhookFormat,
  event: ChangeEvent,
  about: { readonly id: string; readonly secret: string; readonly nowMs: number },
): WebhookMessage {
  const body = JSON.stringify(bodyOf(format, event));
  const timestamp = String(Math.floor(about.nowMs / 1_000));
  const key = Buffer.from(about.secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${about.id}.${timestamp}.${body}`).digest('base64');
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'bailiwick-webhooks',
      'webhook-id': about.id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
  };
}
