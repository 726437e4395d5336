/** `EventBus` within one process: for installations without a broker. Publishing waits until every durable consumer has taken the events. */
import { type BusEvent, type EventBus, maxDeliveries, type Subscription } from '../../ports/event-bus.port.js';
import { callSafely } from '../call-safely.js';

interface Consumer {
  readonly patterns: readonly RegExp[];
  readonly handlers: ((event: BusEvent) => Promise<void>)[];
  /** The end of what was published to it so far. */
  tail: Promise<void>;
  waiting: number;
  dead: number;
  turn: number;
}

interface Listener {
  readonly pattern: RegExp;
  readonly onEvent: (event: BusEvent) => void;
}

/** AMQP's topic patterns. */
function toPattern(pattern: string): RegExp {
  const words = pattern.split('.').map((word) => {
    if (word === '#') return '(?:\\.[^.]+)*';
    return `\\.${word === '*' ? '[^.]+' : word.replace(/[^A-Za-z0-9_]/g, '\\$&')}`;
  });
  return new RegExp(`^${words.join('')}$`);
}

const matches = (pattern: RegExp, topic: string): boolean => pattern.test(`.${topic}`);

export class MemoryEventBus implements EventBus {
  readonly #consumers = new Map<string, Consumer>();
  readonly #listeners = new Set<Listener>();

  async publish(events: readonly BusEvent[]): Promise<void> {
    const taken: Promise<void>[] = [];
    for (const event of events) {
      for (const { pattern, onEvent } of [...this.#listeners])
        if (matches(pattern, event.topic)) callSafely(() => onEvent(event));
      for (const consumer of this.#consumers.values())
        if (consumer.patterns.some((pattern) => matches(pattern, event.topic))) taken.push(deliver(consumer, event));
    }
    await Promise.all(taken);
  }

  async consume(options: {
    readonly name: string;
    readonly patterns: readonly string[];
    readonly onEvent: (event: BusEvent) => Promise<void>;
  }): Promise<Subscription> {
    const known = this.#consumers.get(options.name);
    const consumer: Consumer = known ?? {
      patterns: options.patterns.map(toPattern),
      handlers: [],
      ...{ tail: Promise.resolve(), waiting: 0, dead: 0, turn: 0 },
    };
    this.#consumers.set(options.name, consumer);
    const handler = (event: BusEvent): Promise<void> => options.onEvent(event);
    consumer.handlers.push(handler);
    return {
      end: async () => {
        await consumer.tail;
        consumer.handlers.splice(consumer.handlers.indexOf(handler), 1);
        if (consumer.handlers.length === 0) this.#consumers.delete(options.name);
      },
    };
  }

  async listen(pattern: string, onEvent: (event: BusEvent) => void): Promise<Subscription> {
    const listener = { pattern: toPattern(pattern), onEvent };
    this.#listeners.add(listener);
    return { end: async () => void this.#listeners.delete(listener) };
  }

  async backlog(name: string): Promise<{ waiting: number; dead: number }> {
    const consumer = this.#consumers.get(name);
    return { waiting: consumer?.waiting ?? 0, dead: consumer?.dead ?? 0 };
  }

  async isHealthy(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers.values()].map((consumer) => consumer.tail));
    this.#consumers.clear();
    this.#listeners.clear();
  }
}

function deliver(consumer: Consumer, event: BusEvent): Promise<void> {
  consumer.waiting += 1;
  consumer.tail = consumer.tail.then(async () => {
    for (let delivery = 1; delivery <= maxDeliveries; delivery += 1) {
      const handler = consumer.handlers[consumer.turn++ % consumer.handlers.length];
      const isTaken = await handler?.(event).then(
        () => true,
        () => false,
      );
      if (isTaken) break;
      if (delivery === maxDeliveries) consumer.dead += 1;
    }
    consumer.waiting -= 1;
  });
  return consumer.tail;
}
