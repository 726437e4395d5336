/** JSON over HTTP to a store: a pool a server, every call bounded in time, faults of the connection and of the server as one error. */
import { BailiwickError } from '@bailiwick/contract';
import { Pool } from 'undici';
import { storeUnavailable } from './store-errors.js';

export interface JsonHttpOptions {
  /** The store's name, for the operator. */
  readonly store: string;
  /** Origin, with a path before all others where a proxy wants one. */
  readonly url: string;
  /** Sent with every request; may hold the key, is never logged. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bound of every call. */
  readonly timeoutMs: number;
}

export interface JsonAnswer {
  readonly status: number;
  readonly body: unknown;
}

export class JsonHttp {
  readonly #options: JsonHttpOptions;
  readonly #pool: Pool;
  readonly #path: string;

  /** Connects when it is first used. */
  constructor(options: JsonHttpOptions) {
    this.#options = options;
    const { origin, pathname } = new URL(options.url);
    this.#path = pathname.replace(/\/+$/, '');
    const { timeoutMs } = options;
    this.#pool = new Pool(origin, {
      connections: 16,
      connect: { timeout: timeoutMs },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
  }

  /**
   * Answers of 2xx, and of 4xx for the caller to judge. Errors: `store.unavailable` when there is none in time, for 408, 429 and 5xx,
   * and for 401 and 403, which are the operator's to mend.
   */
  async call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<JsonAnswer> {
    const { store, headers, timeoutMs } = this.#options;
    try {
      const answer = await this.#pool.request({
        ...{ method, path: this.#path + path, signal: AbortSignal.timeout(timeoutMs) },
        headers: {
          ...headers,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await answer.body.text();
      const status = answer.statusCode;
      if (status >= 500 || [401, 403, 408, 429].includes(status))
        throw new Error(`it answered ${status}: ${text.slice(0, 200)}`);
      return { status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    } catch (error) {
      throw storeUnavailable(store, error);
    }
  }

  /** For an answer that our own requests should never get. */
  refused(what: string, { status, body }: JsonAnswer): BailiwickError {
    return new BailiwickError('internal', {
      reason: 'store.refused',
      message: 'The vector index refused a request. The log has its answer.',
      operatorMessage: `${this.#options.store}: ${what} was answered ${status}: ${JSON.stringify(body)?.slice(0, 300)}`,
    });
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
