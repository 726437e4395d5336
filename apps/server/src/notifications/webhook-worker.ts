/** Takes change events from the bus into the queue of deliveries, and sends what is due; for the worker role. */
import type { EventBus, Subscription } from '../ports/event-bus.port.js';
import type { WebhookService } from './webhook-service.js';

/** The durable subscription that all instances share. */
export const webhookQueue = 'webhooks';

export class WebhookWorker {
  readonly #webhooks: WebhookService;
  readonly #bus: EventBus;
  readonly #everyMs: number;
  readonly #onError: (error: unknown) => void;
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(webhooks: WebhookService, bus: EventBus, everyMs: number, onError: (error: unknown) => void) {
    this.#webhooks = webhooks;
    this.#bus = bus;
    this.#everyMs = everyMs;
    this.#onError = onError;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.tick(), this.#everyMs);
    this.#timer.unref();
    this.#subscription = await this.#bus.consume({
      ...{ name: webhookQueue, patterns: ['#'] },
      onEvent: async (event) => {
        await this.#webhooks.enqueue(event);
        void this.tick();
      },
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#subscription?.end().catch(this.#onError);
    await this.#running;
  }

  /** Sends until nothing is due. Never rejects. */
  tick(): Promise<void> {
    this.#running ??= this.#tick()
      .catch(this.#onError)
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #tick(): Promise<void> {
    while (!this.#isStopped && (await this.#webhooks.deliver()) > 0);
  }
}
