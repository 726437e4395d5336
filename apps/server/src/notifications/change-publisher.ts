/**
 * The outbox of configuration: reads the feed by revision from where all instances have come, publishes each change on the bus, and moves on
 * when the bus has it. At least once, in order; two instances that do it at the same time publish twice, which consumers tell by
 * the event's id. Values are not in the events: whoever may see them asks.
 */
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { BusEvent, EventBus } from '../ports/event-bus.port.js';
import type { ResourceStore, ResourceVersion } from '../ports/resource-store.port.js';

const reader = 'bus';
const batchSize = 100;
const retryMs = 2_000;

/** What an event says. */
export interface ChangeEvent {
  readonly id: string;
  readonly kind: string;
  readonly action: string;
  readonly resource_id: string;
  readonly key: string;
  readonly app_id: string | null;
  readonly environment: string | null;
  readonly version: number;
  readonly revision: number;
  readonly at: string;
  readonly actor: string;
}

/** Approvals are between people; the rest is for everybody who listens. */
const isPublished = ({ kind }: ResourceVersion): boolean => kind !== 'approval' && kind !== 'webhook';

export class ChangePublisher {
  readonly #store: ResourceStore;
  readonly #feed: ConfigurationFeed;
  readonly #bus: EventBus;
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #isAskedAgain = false;
  #isStopped = false;
  #unfollow: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: ResourceStore, feed: ConfigurationFeed, bus: EventBus, onError: (error: unknown) => void) {
    this.#store = store;
    this.#feed = feed;
    this.#bus = bus;
    this.#onError = onError;
  }

  start(): void {
    this.#unfollow = this.#feed.onChange(() => void this.wake());
    this.#timer = setInterval(() => void this.wake(), retryMs);
    this.#timer.unref();
    void this.wake();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unfollow?.();
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Publishes what is there; never rejects. */
  wake(): Promise<void> {
    this.#isAskedAgain = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#isAskedAgain && !this.#isStopped) {
        this.#isAskedAgain = false;
        await this.#publish();
      }
    } catch (error) {
      this.#onError(error);
    }
  }

  async #publish(): Promise<void> {
    for (let from = await this.#store.position(reader); !this.#isStopped; ) {
      const versions = await this.#store.changesAfter(from, batchSize);
      const last = versions.at(-1);
      if (!last) return;
      await this.#bus.publish(versions.filter(isPublished).map(toEvent));
      const isMine = await this.#store.advance(reader, from, last.revision);
      from = isMine ? last.revision : await this.#store.position(reader);
    }
  }
}

export function toEvent(version: ResourceVersion): BusEvent {
  const { kind, action, appId, environment, revision, place } = version;
  const id = `${revision}-${place}`;
  const event: ChangeEvent = {
    ...{ id, kind, action, resource_id: version.id, key: version.key, app_id: appId, environment },
    ...{ version: version.version, revision, at: version.updatedAt, actor: version.updatedBy },
  };
  return { id, topic: `${kind}.${appId ?? '_'}.${environment ?? '_'}.${action}`, body: JSON.stringify(event) };
}
