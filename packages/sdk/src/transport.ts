/** Requests to the server over fetch, with the key, a bound in time, and failures that say what to do. */
import type { ServerClock } from './server-clock.js';

/** The global `fetch`, or one that behaves like it. */
export type Fetch = (url: string, init: RequestInit & { readonly cache?: 'no-store' }) => Promise<Response>;

/** The server refused or failed. */
export class RequestFailure extends Error {
  readonly status: number;
  /** What the server asked for with `Retry-After`, else 0. */
  readonly retryAfterMs: number;

  constructor(status: number, message: string, retryAfterMs: number) {
    super(message);
    this.name = 'RequestFailure';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** The key is unknown or may not do this: trying again alone will not help. */
  get isRefusal(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export interface TransportOptions {
  readonly url: string;
  readonly apiKey: string | (() => string | Promise<string>);
  readonly appId: string | undefined;
  readonly environment: string | undefined;
  readonly fetch: Fetch;
  readonly clock: ServerClock;
}

export interface RequestOptions {
  readonly signal: AbortSignal;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Without the app and environment in the query. */
  readonly isUnscoped?: boolean;
  /** Until the head of the answer is there; default 10 s. */
  readonly timeoutMs?: number;
}

export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get scope(): Pick<TransportOptions, 'appId' | 'environment'> {
    return this.#options;
  }

  /** The claims of the key: its kind, app and environment. */
  async whoAmI(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    const response = await this.request('/api/v1/whoami', { signal, isUnscoped: true });
    return ((await response.json()) as { claims?: Record<string, unknown> }).claims ?? {};
  }

  /**
   * The answer of a success or of 304; its body is the caller's to read or to cancel. Rejects with `RequestFailure` for other statuses, else with
   * what fetch rejects with.
   */
  async request(path: string, options: RequestOptions): Promise<Response> {
    const { apiKey, fetch, clock } = this.#options;
    const { signal, method = 'GET', headers = {}, body, timeoutMs = 10_000 } = options;
    const key = typeof apiKey === 'function' ? await apiKey() : apiKey;
    const head = new AbortController();
    const timer = setTimeout(() => head.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      const response = await fetch(this.#address(path, options), {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A stream is ended by its caller's signal; so are bodies that are still under way.
        signal: AbortSignal.any([head.signal, signal]),
        cache: 'no-store',
      });
      clock.synchronise(response.headers.get('date'));
      if (response.ok || response.status === 304) return response;
      throw await failureOf(response);
    } finally {
      clearTimeout(timer);
    }
  }

  #address(path: string, { query = {}, isUnscoped = false }: RequestOptions): string {
    const { url, appId, environment } = this.#options;
    const all = new URLSearchParams(query);
    if (appId !== undefined && !isUnscoped) all.set('app_id', appId);
    if (environment !== undefined && !isUnscoped) all.set('environment', environment);
    return `${url}${path}${all.size > 0 ? `?${all}` : ''}`;
  }
}

async function failureOf(response: Response): Promise<RequestFailure> {
  const text = await response.text().catch(() => '');
  let detail = text.slice(0, 300);
  try {
    detail = String((JSON.parse(text) as { detail?: unknown }).detail ?? detail);
  } catch {
    // Not every failure comes from the server itself; a proxy's page is shown as it is.
  }
  const seconds = Number(response.headers.get('retry-after') ?? '0');
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) * 1_000 : 0;
  return new RequestFailure(response.status, `the server answered ${response.status}: ${detail}`, retryAfterMs);
}
