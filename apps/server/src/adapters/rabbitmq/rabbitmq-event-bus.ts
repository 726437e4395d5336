/**
 * `EventBus` on RabbitMQ: one topic exchange; each durable consumer a quorum queue that redelivers up to the limit and then
 * dead-letters; each listener a queue of its own that goes with its connection; publishing with confirms.
 */
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import { type BusEvent, type EventBus, maxDeliveries, type Subscription } from '../../ports/event-bus.port.js';
import { callSafely } from '../call-safely.js';
import { busUnavailable, RabbitMqConnection, type RabbitMqOptions } from './rabbitmq-connection.js';

const prefix = 'bailiwick.';
const exchange = `${prefix}events`;
const deadExchange = `${prefix}dead`;
const queueOf = (name: string): string => `${prefix}${name}`;
const deadQueueOf = (name: string): string => `${prefix}${name}.dead`;

interface Consumption {
  /** Sets itself up on a fresh connection. */
  attach(model: ChannelModel, isFirst: boolean): Promise<Channel>;
  channel: Channel | undefined;
  isFirst: boolean;
}

export class RabbitMqEventBus implements EventBus {
  readonly #connection: RabbitMqConnection;
  readonly #consumptions = new Set<Consumption>();
  readonly #timeoutMs: number;
  #model: ChannelModel | undefined;
  #publisher: ConfirmChannel | undefined;

  private constructor(options: RabbitMqOptions) {
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#connection = new RabbitMqConnection(options, (model) => this.#setUp(model));
  }

  /** Tries once; a broker that is away is no reason not to start. */
  static async open(options: RabbitMqOptions): Promise<RabbitMqEventBus> {
    const bus = new RabbitMqEventBus(options);
    await bus.#connection.start();
    return bus;
  }

  async publish(events: readonly BusEvent[]): Promise<void> {
    const publisher = this.#publisher;
    if (!publisher || !this.#connection.isConnected) throw busUnavailable(new Error('not connected'));
    const confirmed = events.map(
      (event) =>
        new Promise<void>((resolve, reject) => {
          const options = { persistent: true, messageId: event.id, contentType: 'application/json' };
          const body = Buffer.from(event.body);
          publisher.publish(exchange, event.topic, body, options, (error: unknown) =>
            error ? reject(error instanceof Error ? error : new Error(String(error))) : resolve(),
          );
        }),
    );
    await this.#bounded(Promise.all(confirmed));
  }

  async consume(options: {
    readonly name: string;
    readonly patterns: readonly string[];
    readonly onEvent: (event: BusEvent) => Promise<void>;
  }): Promise<Subscription> {
    const { name, patterns, onEvent } = options;
    return await this.#add(async (model) => {
      const channel = await openChannel(model);
      await declareQueues(channel, name);
      for (const pattern of patterns) await channel.bindQueue(queueOf(name), exchange, pattern);
      // One at a time: the order holds, and a slow consumer leaves the rest to the others of its name.
      await channel.prefetch(1);
      await channel.consume(queueOf(name), (message) => {
        if (!message) return;
        onEvent(toEvent(message)).then(
          () => settle(() => channel.ack(message)),
          () => settle(() => channel.nack(message, false, true)),
        );
      });
      return channel;
    });
  }

  async listen(pattern: string, onEvent: (event: BusEvent) => void, onGap?: () => void): Promise<Subscription> {
    return await this.#add(async (model, isFirst) => {
      const channel = await openChannel(model);
      const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
      await channel.bindQueue(queue, exchange, pattern);
      const take = (message: ConsumeMessage | null): void => {
        if (message) callSafely(() => onEvent(toEvent(message)));
      };
      await channel.consume(queue, take, { noAck: true });
      if (!isFirst) callSafely(() => onGap?.());
      return channel;
    });
  }

  async backlog(name: string): Promise<{ waiting: number; dead: number }> {
    const model = this.#model;
    if (!model || !this.#connection.isConnected) throw busUnavailable(new Error('not connected'));
    return await this.#bounded(
      (async () => {
        const channel = await openChannel(model);
        try {
          const waiting = (await channel.checkQueue(queueOf(name))).messageCount;
          const dead = (await channel.checkQueue(deadQueueOf(name))).messageCount;
          return { waiting, dead };
        } finally {
          await channel.close().catch(() => undefined);
        }
      })(),
    );
  }

  async isHealthy(): Promise<boolean> {
    return this.#connection.isConnected;
  }

  async close(): Promise<void> {
    for (const consumption of this.#consumptions) await consumption.channel?.close().catch(() => undefined);
    await this.#connection.close();
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const publisher = await model.createConfirmChannel();
    publisher.on('error', () => undefined);
    await publisher.assertExchange(exchange, 'topic', { durable: true });
    await publisher.assertExchange(deadExchange, 'direct', { durable: true });
    this.#model = model;
    this.#publisher = publisher;
    for (const consumption of this.#consumptions) await attach(consumption, model);
  }

  async #add(attachTo: Consumption['attach']): Promise<Subscription> {
    const consumption: Consumption = { attach: attachTo, channel: undefined, isFirst: true };
    this.#consumptions.add(consumption);
    if (this.#model && this.#connection.isConnected) await this.#bounded(attach(consumption, this.#model));
    return {
      end: async () => {
        this.#consumptions.delete(consumption);
        await consumption.channel?.close().catch(() => undefined);
      },
    };
  }

  async #bounded<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${this.#timeoutMs} ms`)), this.#timeoutMs);
    });
    try {
      return await Promise.race([work, bound]);
    } catch (error) {
      throw busUnavailable(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function attach(consumption: Consumption, model: ChannelModel): Promise<void> {
  consumption.channel = await consumption.attach(model, consumption.isFirst);
  consumption.isFirst = false;
}

async function openChannel(model: ChannelModel): Promise<Channel> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  return channel;
}

async function declareQueues(channel: Channel, name: string): Promise<void> {
  await channel.assertQueue(deadQueueOf(name), { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue(deadQueueOf(name), deadExchange, name);
  await channel.assertQueue(queueOf(name), {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      // Counts redeliveries: the first delivery is not one.
      'x-delivery-limit': maxDeliveries - 1,
      'x-dead-letter-exchange': deadExchange,
      'x-dead-letter-routing-key': name,
    },
  });
}

const toEvent = (message: ConsumeMessage): BusEvent => ({
  id: String(message.properties.messageId),
  topic: message.fields.routingKey,
  body: message.content.toString('utf8'),
});

/** The channel may be gone by the time a handler ends; the broker then delivers again. */
function settle(answer: () => void): void {
  try {
    answer();
  } catch {
    // Closed meanwhile.
  }
}
