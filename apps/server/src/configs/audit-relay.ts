/**
 * Brings the audit facts that configuration's transactions wrote into the sealed chain, in order, each exactly once: they carry their id, and
 * the chain takes an id once. One position for all instances says how far it has come.
 */
import type { AuditService } from '../audit/audit-service.js';
import type { ResourceStore } from '../ports/resource-store.port.js';
import type { ConfigurationFeed } from './configuration-feed.js';

const reader = 'audit';
const batchSize = 100;
const retryMs = 5_000;

export class AuditRelay {
  readonly #store: ResourceStore;
  readonly #feed: ConfigurationFeed;
  readonly #audit: AuditService;
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #isAskedAgain = false;
  #unfollow: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: ResourceStore, feed: ConfigurationFeed, audit: AuditService, onError: (error: unknown) => void) {
    this.#store = store;
    this.#feed = feed;
    this.#audit = audit;
    this.#onError = onError;
  }

  start(): void {
    this.#unfollow = this.#feed.onChange(() => void this.wake());
    this.#timer = setInterval(() => void this.wake(), retryMs);
    this.#timer.unref();
    void this.wake();
  }

  /** Relays what is there; never rejects. */
  wake(): Promise<void> {
    this.#isAskedAgain = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#unfollow?.();
    clearInterval(this.#timer);
    await this.wake();
  }

  async #run(): Promise<void> {
    try {
      while (this.#isAskedAgain) {
        this.#isAskedAgain = false;
        await this.#relay();
      }
    } catch (error) {
      this.#onError(error);
    }
  }

  async #relay(): Promise<void> {
    for (let from = await this.#store.position(reader); ; ) {
      const entries = await this.#store.auditAfter(from, batchSize);
      const last = entries.at(-1);
      if (!last) return;
      await this.#audit.relay(
        entries.map(({ appId: _app, environment: _environment, revision: _revision, ...facts }) => facts),
      );
      // Another instance may have been here first; the chain takes each id once, and its position is as good as ours.
      from = (await this.#store.advance(reader, from, last.revision))
        ? last.revision
        : await this.#store.position(reader);
    }
  }
}
