/** Webhooks as versioned resources, and their deliveries: enqueued from the bus, sent with retries until they are taken or given up. */
import { randomBytes } from 'node:crypto';
import { BailiwickError, type WebhookBody } from '@bailiwick/contract';
import type { JsonValue } from '@bailiwick/evaluation';
import type { EncryptedValue, Item } from '../configs/config-content.js';
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { ConfigurationWriter } from '../configs/configuration-writer.js';
import { countsIn } from '../configs/environment-document.js';
import type { ValueCipher } from '../configs/value-cipher.js';
import { VersionedResources } from '../configs/versioned-resources.js';
import type { Delivery, DeliveryOutcome, DeliveryStore } from '../ports/delivery-store.port.js';
import type { BusEvent } from '../ports/event-bus.port.js';
import type { ResourceStore } from '../ports/resource-store.port.js';
import type { ChangeEvent } from './change-publisher.js';
import type { SafeFetch } from './safe-fetch.js';
import { isTopicMatch } from './topics.js';
import { toMessage, type WebhookFormat } from './webhook-message.js';

export interface WebhookContent {
  readonly url: string;
  readonly events: readonly string[];
  readonly format: WebhookFormat;
  readonly enabled: boolean;
  readonly description?: string;
  readonly secret: EncryptedValue;
}

/** Waits before the second, third … attempt: about a day in all. */
export const retryDelaysMs: readonly number[] = [5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200].map((s) => s * 1_000);
/** A worker has a delivery for so long. */
const takenMs = 60_000;
const batchSize = 20;
/** How long an event waits for this instance to have read what it is about. */
const reachMs = 5_000;
/** 410: the receiver does not want it any more. */
const gone = 410;

export interface WebhookServiceParts {
  readonly store: ResourceStore;
  readonly feed: ConfigurationFeed;
  readonly writer: ConfigurationWriter;
  readonly cipher: ValueCipher;
  readonly deliveries: DeliveryStore;
  readonly http: SafeFetch;
  /** Errors: for addresses that webhooks may not have. */
  readonly assertUrl: (url: string) => void;
  readonly nowMs: () => number;
}

export class WebhookService {
  readonly resources: VersionedResources<WebhookContent>;
  readonly #parts: WebhookServiceParts;

  constructor(parts: WebhookServiceParts) {
    this.#parts = parts;
    const { store, feed, writer } = parts;
    this.resources = new VersionedResources({ kind: 'webhook', store, feed, writer, rules: [], shown: shownContent });
  }

  /** With a new secret, which is shown once. */
  async newContent(body: WebhookBody): Promise<{ readonly content: WebhookContent; readonly secret: string }> {
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    return { content: this.#content(body, await this.#parts.cipher.encrypt(secret)), secret };
  }

  /** With the secret it has. Errors: `webhook.not_found`. */
  changedContent(id: string, body: WebhookBody): WebhookContent {
    return this.#content(body, this.resources.get(id).content.secret);
  }

  #content(body: WebhookBody, secret: EncryptedValue): WebhookContent {
    this.#parts.assertUrl(body.url);
    const { url, events, format = 'json', enabled = true, description } = body;
    return { ...{ url, events, format, enabled, secret }, ...(description === undefined ? {} : { description }) };
  }

  /** Makes the deliveries that an event asks for; the same event again makes none. */
  async enqueue(event: BusEvent): Promise<void> {
    const { app_id, environment, revision } = JSON.parse(event.body) as ChangeEvent;
    // Another instance may have written both the webhook and what it is told of a moment ago.
    if (!(await this.#parts.feed.whenReached(revision, reachMs)))
      throw new Error(`revision ${revision} is not here yet`);
    const scope = { appId: app_id, environment };
    const createdAtMs = this.#parts.nowMs();
    const wanted: Pick<Delivery, 'id' | 'webhookId' | 'event' | 'createdAtMs'>[] = [];
    for (const item of this.#parts.feed.state.all<WebhookContent>('webhook')) {
      const isMeant = item.content.enabled && item.content.events.some((pattern) => isTopicMatch(pattern, event.topic));
      if (!isMeant || !countsIn(item, scope)) continue;
      wanted.push({ id: `${event.id}-${item.id}`, webhookId: item.id, event: event.body, createdAtMs });
    }
    await this.#parts.deliveries.enqueue(wanted);
  }

  /** Sends what is due; returns how many were tried. */
  async deliver(): Promise<number> {
    const nowMs = this.#parts.nowMs();
    const taken = await this.#parts.deliveries.take(nowMs, nowMs + takenMs, batchSize);
    await Promise.all(taken.map((delivery) => this.#deliver(delivery)));
    return taken.length;
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const item = this.#parts.feed.state.get<WebhookContent>('webhook', delivery.webhookId);
    const outcome = item?.content.enabled
      ? await this.#send(item, delivery)
      : this.#failed(delivery, 'the webhook is gone');
    await this.#parts.deliveries.settle(delivery.id, outcome);
  }

  async #send({ content }: Item<WebhookContent>, delivery: Delivery): Promise<DeliveryOutcome> {
    const { nowMs, cipher, http } = this.#parts;
    const attempts = delivery.attempts + 1;
    try {
      const secret = String(await cipher.decrypt(content.secret));
      const event = JSON.parse(delivery.event) as ChangeEvent;
      const message = toMessage(content.format, event, { id: delivery.id, secret, nowMs: nowMs() });
      const status = await http.post(content.url, message.body, message.headers);
      if (status >= 200 && status < 300)
        return { state: 'delivered', attempts, nextAttemptMs: nowMs(), status, error: null };
      if (status === gone) return { ...this.#failed(delivery, 'the receiver says it is gone'), attempts, status };
      return this.#again(attempts, status, `the receiver answered ${status}`);
    } catch (error) {
      return this.#again(attempts, null, error instanceof Error ? error.message : String(error));
    }
  }

  #again(attempts: number, status: number | null, error: string): DeliveryOutcome {
    const delayMs = retryDelaysMs[attempts - 1];
    const nowMs = this.#parts.nowMs();
    if (delayMs === undefined) return { state: 'failed', attempts, nextAttemptMs: nowMs, status, error };
    return { state: 'waiting', attempts, nextAttemptMs: nowMs + delayMs, status, error };
  }

  #failed(delivery: Delivery, error: string): DeliveryOutcome {
    return { state: 'failed', attempts: delivery.attempts, nextAttemptMs: this.#parts.nowMs(), status: null, error };
  }

  /** Newest first. Errors: `webhook.not_found`. */
  async deliveriesOf(id: string, limit: number): Promise<readonly Delivery[]> {
    this.resources.get(id);
    return await this.#parts.deliveries.of(id, limit);
  }

  /** Sends a made-up event now and says what came of it. Errors: `webhook.not_found`, `webhook.not_reached`. */
  async test(id: string): Promise<number> {
    const item = this.resources.get(id);
    const at = new Date(this.#parts.nowMs()).toISOString();
    const event: ChangeEvent = {
      ...{ id: 'test', kind: 'webhook', action: 'test', resource_id: id, key: item.key, app_id: item.appId },
      ...{ environment: item.environment, version: item.version, revision: item.revision, at, actor: 'bailiwick' },
    };
    const secret = String(await this.#parts.cipher.decrypt(item.content.secret));
    const message = toMessage(item.content.format, event, { id: `test-${id}`, secret, nowMs: this.#parts.nowMs() });
    return await this.#parts.http.post(item.content.url, message.body, message.headers).catch((error: unknown) => {
      throw new BailiwickError('invalid', {
        reason: 'webhook.not_reached',
        message: `The webhook could not be reached: ${error instanceof Error ? error.message : String(error)}.`,
      });
    });
  }
}

function shownContent({ secret: _secret, events, ...content }: WebhookContent): JsonValue {
  return { ...content, events: [...events] };
}
