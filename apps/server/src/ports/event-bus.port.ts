/**
 * Events for whoever works on changes: webhooks, other instances, the systems of our users. At least once, in the order of publication
 * for each subscription. The outbox (`ResourceStore`'s feed and its readers' positions) is what makes publishing lossless; the
 * bus carries. Adapters: `adapters/memory` (one process) and `adapters/rabbitmq`. Contract: `event-bus.contract.ts`.
 */
export interface BusEvent {
  /** Unique; what a consumer tells repetitions by. */
  readonly id: string;
  /** Words joined by dots: `config.shop.prod.replace`. */
  readonly topic: string;
  /** JSON text. */
  readonly body: string;
}

export interface Subscription {
  /** Resolves when no more events are delivered to it. */
  end(): Promise<void>;
}

/** Errors: every method rejects with `bus.unavailable` (kind `unavailable`), within a bound, when the broker cannot be reached. */
export interface EventBus {
  /** Resolves when all are safe: kept by the broker for every durable consumer, or taken by them. */
  publish(events: readonly BusEvent[]): Promise<void>;
  /**
   * A durable subscription, shared by all instances that consume under the name: each event goes to one of them. A handler that
   * rejects gets the event again, at most `maxDeliveries` times in all; then it is put aside (dead letters) and the next follows.
   * While the broker is away it is made as soon as it is back. Patterns: `*` one word, `#` any number of words.
   */
  consume(options: {
    readonly name: string;
    readonly patterns: readonly string[];
    readonly onEvent: (event: BusEvent) => Promise<void>;
  }): Promise<Subscription>;
  /** For this instance alone and only while it listens. `onGap`: events may have been missed. */
  listen(pattern: string, onEvent: (event: BusEvent) => void, onGap?: () => void): Promise<Subscription>;
  /** Events that wait for the durable consumers of the name, and those put aside. */
  backlog(name: string): Promise<{ readonly waiting: number; readonly dead: number }>;
  isHealthy(): Promise<boolean>;
  close(): Promise<void>;
}

/** Deliveries of one event to one durable consumer before it is put aside. */
export const maxDeliveries = 5;
