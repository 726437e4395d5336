/**
 * The error catalogue: every refusal and fault that leaves Bailiwick, once. `kind` fixes the HTTP status, the wire code of the
 * specification and whether a retry may help; `docs/reference/errors.md` is generated from it.
 */

/** Ten kinds; `code` is the wire code of the specification (section 5, Errors) and its continuation for the rest. */
export const errorKinds = {
  invalid: { status: 400, code: 'validation_error', isRetryable: false },
  unauthenticated: { status: 401, code: 'unauthorized', isRetryable: false },
  forbidden: { status: 403, code: 'forbidden', isRetryable: false },
  'not-found': { status: 404, code: 'not_found', isRetryable: false },
  conflict: { status: 409, code: 'conflict', isRetryable: false },
  'too-large': { status: 413, code: 'payload_too_large', isRetryable: false },
  unprocessable: { status: 422, code: 'unprocessable', isRetryable: false },
  'rate-limited': { status: 429, code: 'rate_limited', isRetryable: true },
  unavailable: { status: 503, code: 'unavailable', isRetryable: true },
  timeout: { status: 504, code: 'timeout', isRetryable: true },
  internal: { status: 500, code: 'internal', isRetryable: false },
} as const;

export type ErrorKind = keyof typeof errorKinds;

const brand = Symbol.for('bailiwick.error');

export interface ErrorDetails {
  /** Why, in the catalogue's terms: `policy.version_conflict`. Never changes its meaning. */
  readonly reason: string;
  /** For the caller: what happened, why, what to do next. Never secrets, prompts or tokens. */
  readonly message: string;
  /** Members added to the problem document (positions, the current ETag …). */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Seconds; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** For operators only; logged, never sent. */
  readonly operatorMessage?: string;
  readonly cause?: unknown;
}

/** The one error class that services throw for refusals and faults that a caller sees. */
export class BailiwickError extends Error {
  readonly [brand] = true;
  readonly kind: ErrorKind;
  readonly details: ErrorDetails;

  constructor(kind: ErrorKind, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'BailiwickError';
    this.kind = kind;
    this.details = details;
  }
}

/** Recognises our errors across bundles (a symbol brand, not `instanceof`). */
export function isBailiwickError(error: unknown): error is BailiwickError {
  return typeof error === 'object' && error !== null && brand in error;
}
