/**
 * Carries rollouts on: takes the step that is due, and asks the guards of those under way. Every instance with the worker role does it; a step
 * that two want to take at once is taken once, because it is a write against the state it was decided on. After a kill another
 * instance takes the next. Nothing here remembers anything.
 */
import type { GuardVerdict } from '@bailiwick/evaluation';
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { Guards } from './guards.js';
import { guardSubject, type RolloutItem, type RolloutService } from './rollout-service.js';

const worker = { actor: 'rollout-worker', requestId: '', clientIp: '' };

export interface RolloutWorkerParts {
  readonly rollouts: RolloutService;
  readonly feed: ConfigurationFeed;
  readonly guards: Guards;
  /** How often guards are asked and due steps looked for. */
  readonly everyMs: number;
  readonly nowMs: () => number;
  readonly onError: (error: unknown) => void;
}

export class RolloutWorker {
  readonly #parts: RolloutWorkerParts;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: RolloutWorkerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.tick(), this.#parts.everyMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** One look at every rollout under way. Never rejects, never runs twice at once. */
  tick(): Promise<void> {
    this.#running ??= this.#tick().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #tick(): Promise<void> {
    // What is known may be long over: nothing is decided on it.
    if (this.#parts.feed.isStale) return;
    for (const item of this.#parts.rollouts.underWay()) await this.#look(item).catch(this.#parts.onError);
  }

  async #look(item: RolloutItem): Promise<void> {
    const { rollouts, guards, nowMs } = this.#parts;
    const verdict: GuardVerdict = await guards.verdict(guardSubject(item));
    const dueMs = rollouts.nextDueMs(item);
    if (verdict !== 'unhealthy' && (dueMs === null || dueMs > nowMs())) return;
    await rollouts.command(item.id, { kind: 'advance', verdict }, worker);
  }
}
