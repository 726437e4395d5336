/** CORS (Fetch standard) for what browsers may call: the reads of applications. Origins come from a setting; credentials travel in headers, never in cookies. */

const maxAgeSeconds = 600;
const allowedHeaders = 'authorization, content-type, if-none-match, last-event-id, x-api-key, x-request-id';
const exposedHeaders = 'etag, retry-after, x-request-id';
const paths = /^\/(?:ofrep\/v1\/|api\/v1\/(?:configs\/fetch|environment|usage|whoami)(?:[/?]|$))/;

export class CrossOrigin {
  readonly #origins: ReadonlySet<string>;

  /** `*` for any origin. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** What to add to an answer; nothing when the origin or the path is not for browsers. */
  headersFor(path: string, origin: string | undefined): Readonly<Record<string, string>> | undefined {
    if (origin === undefined || this.#origins.size === 0 || !paths.test(path)) return undefined;
    if (!this.#origins.has('*') && !this.#origins.has(origin)) return undefined;
    return {
      'access-control-allow-origin': this.#origins.has('*') ? '*' : origin,
      'access-control-expose-headers': exposedHeaders,
      vary: 'origin',
    };
  }

  /** The further headers of an answer to a preflight. */
  readonly preflight: Readonly<Record<string, string>> = {
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': allowedHeaders,
    'access-control-max-age': String(maxAgeSeconds),
  };
}
