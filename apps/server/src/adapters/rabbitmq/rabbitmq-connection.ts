/**
 * One connection to RabbitMQ that is made anew when it is lost. `onConnected` sets up channels, exchanges and consumers each time; a
 * broker that is away is tried again for ever, at most 2 s apart.
 */
import { BailiwickError } from '@bailiwick/contract';
import { type ChannelModel, connect } from 'amqplib';

export interface RabbitMqOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps://`; several are tried in turn. */
  readonly urls: readonly string[];
  /** The bound of connecting and of each confirm. */
  readonly timeoutMs?: number;
  readonly onError?: (error: unknown) => void;
}

export function busUnavailable(cause: unknown): BailiwickError {
  return new BailiwickError('unavailable', {
    reason: 'bus.unavailable',
    message: 'The message broker cannot be reached at the moment. Events wait and are sent when it is back.',
    retryAfterSeconds: 2,
    operatorMessage: `RabbitMQ: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  });
}

/** How often the bound of one call setting up may take. */
const SET_UP_CALLS = 3;

export class RabbitMqConnection {
  readonly #options: RabbitMqOptions;
  readonly #onConnected: (model: ChannelModel) => Promise<void>;
  #model: ChannelModel | undefined;
  #isClosed = false;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RabbitMqOptions, onConnected: (model: ChannelModel) => Promise<void>) {
    this.#options = options;
    this.#onConnected = onConnected;
  }

  get isConnected(): boolean {
    return this.#model !== undefined;
  }

  /** Resolves after the first attempt, whatever came of it. */
  async start(): Promise<void> {
    if (this.#isClosed) return;
    const { urls, timeoutMs = 5_000 } = this.#options;
    const url = urls[this.#attempts % urls.length] ?? '';
    this.#attempts += 1;
    let model: ChannelModel | undefined;
    try {
      const address = new URL(url);
      // Finds a connection that is dead without a word within two beats.
      if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', '5');
      model = await connect(address.href, {
        timeout: timeoutMs,
        // An event and the acknowledgement before it are two small writes: without this the second waits for the first one's.
        noDelay: true,
        clientProperties: { connection_name: 'bailiwick' },
      });
      model.on('error', (error) => this.#options.onError?.(error));
      model.on('close', () => this.#lost(model));
      await this.#whileOpen(model, this.#onConnected(model));
      if (this.#isClosed) {
        await model.close();
        return;
      }
      this.#model = model;
      this.#attempts = 0;
    } catch (error) {
      this.#options.onError?.(error);
      // A broker that does not answer does not answer this either.
      void model?.close().catch(() => undefined);
      this.#again();
    }
  }

  /** The setting up has an end, whatever the broker does: one that has just started may leave a queue's declaration without an answer. */
  async #whileOpen(model: ChannelModel, settingUp: Promise<void>): Promise<void> {
    const boundMs = SET_UP_CALLS * (this.#options.timeoutMs ?? 5_000);
    let timer: NodeJS.Timeout | undefined;
    const ended = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not set up within ${boundMs} ms`)), boundMs);
      model.once('close', () => reject(new Error('closed while it was being set up')));
    });
    try {
      await Promise.race([settingUp, ended]);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const model = this.#model;
    this.#model = undefined;
    await model?.close().catch(() => undefined);
  }

  #lost(model: ChannelModel | undefined): void {
    if (this.#model !== model) return;
    this.#model = undefined;
    this.#again();
  }

  #again(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.start(), Math.min(100 * 2 ** Math.min(this.#attempts, 5), 2_000));
    this.#timer.unref();
  }
}
