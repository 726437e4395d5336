/** Gathers log entries and sends them by HTTP in batches: when there are enough, when it was quiet for a while, or when the oldest is old. */
import { Pool } from 'undici';
import type { Logger } from '../telemetry/logger.js';

export interface BatchOptions {
  readonly uri: string;
  readonly auth_header?: string | undefined;
  /** Seconds, as all of them here. */
  readonly timeout: number;
  readonly name: string;
  readonly max_retry_count: number;
  readonly retry_delay: number;
  readonly buffer_duration: number;
  readonly inactive_timeout: number;
  readonly batch_max_size: number;
  readonly concat_method: 'json' | 'new_line';
  readonly ssl_verify: boolean;
}

export class BatchSender {
  readonly #options: BatchOptions;
  readonly #maxPending: number;
  readonly #logger: Logger;
  readonly #address: URL;
  readonly #pool: Pool;
  #entries: object[] = [];
  #pending = 0;
  #dropped = 0;
  #oldestMs = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #sending = new Set<Promise<void>>();
  #isClosed = false;

  /** Beyond `maxPending` entries that wait, new ones are dropped and counted in the log. */
  constructor(options: BatchOptions, maxPending: number, logger: Logger) {
    this.#options = options;
    this.#maxPending = maxPending;
    this.#logger = logger;
    this.#address = new URL(options.uri);
    const timeoutMs = options.timeout * 1000;
    this.#pool = new Pool(this.#address.origin, {
      connections: 4,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: { timeout: timeoutMs, rejectUnauthorized: options.ssl_verify },
    });
  }

  add(entry: object): void {
    if (this.#isClosed || this.#pending >= this.#maxPending) {
      this.#dropped += 1;
      if (this.#dropped === 1)
        this.#logger.warn({ logger: this.#options.name }, 'too many log entries wait: new ones are dropped');
      return;
    }
    this.#pending += 1;
    if (this.#entries.length === 0) this.#oldestMs = Date.now();
    this.#entries.push(entry);
    if (this.#entries.length >= this.#options.batch_max_size) this.#flush();
    else this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const leftMs = this.#oldestMs + this.#options.buffer_duration * 1000 - Date.now();
    this.#timer = setTimeout(() => this.#flush(), Math.max(0, Math.min(leftMs, this.#options.inactive_timeout * 1000)));
    this.#timer.unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    const batch = this.#entries;
    if (batch.length === 0) return;
    this.#entries = [];
    const sending = this.#send(batch).finally(() => {
      this.#pending -= batch.length;
      this.#sending.delete(sending);
    });
    this.#sending.add(sending);
  }

  async #send(batch: readonly object[]): Promise<void> {
    const { batch_max_size: most, concat_method: method, max_retry_count: retries, retry_delay: delay } = this.#options;
    const body =
      most === 1
        ? JSON.stringify(batch[0])
        : method === 'json'
          ? JSON.stringify(batch)
          : batch.map((entry) => JSON.stringify(entry)).join('\n');
    for (let attempt = 0; ; attempt += 1) {
      const fault = await this.#post(body);
      if (fault === undefined) return;
      if (attempt >= retries || this.#isClosed) {
        this.#logger.error({ logger: this.#options.name, entries: batch.length, fault }, 'log entries are lost');
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, delay * 1000).unref());
    }
  }

  /** What went wrong, if anything. */
  async #post(body: string): Promise<string | undefined> {
    const { auth_header: authorization } = this.#options;
    try {
      const answer = await this.#pool.request({
        method: 'POST',
        path: this.#address.pathname + this.#address.search,
        headers: {
          'content-type': this.#options.concat_method === 'json' ? 'application/json' : 'text/plain',
          ...(authorization === undefined ? {} : { authorization }),
        },
        body,
      });
      await answer.body.dump();
      return answer.statusCode < 400 ? undefined : `the server answered ${answer.statusCode}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Sends what waits, once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#flush();
    await Promise.all(this.#sending);
    await this.#pool.close();
  }
}
