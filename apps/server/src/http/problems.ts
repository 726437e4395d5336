/** Every refusal and fault as `application/problem+json` (RFC 9457) with the specification's code. 5xx only for faults of our own. */
import { STATUS_CODES } from 'node:http';
import { BailiwickError, type ErrorKind, errorKinds, isBailiwickError, type Problem } from '@bailiwick/contract';
import { JsonSyntaxError } from './strict-json.js';

export const problemType = 'application/problem+json';

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Problem;
  /** Ours: to be logged with its cause. */
  readonly isFault: boolean;
}

/** Any thrown thing as an answer. What is not recognised says nothing of its inside. */
export function toProblem(thrown: unknown, requestId: string): ProblemAnswer {
  const error = recognise(thrown);
  const { status, code } = errorKinds[error.kind];
  const { reason, message, extra, retryAfterSeconds } = error.details;
  return {
    status,
    headers: {
      'content-type': problemType,
      'cache-control': 'no-store',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(error.kind === 'unauthenticated' ? { 'www-authenticate': 'Bearer realm="bailiwick"' } : {}),
    },
    body: {
      type: 'about:blank',
      title: STATUS_CODES[status] ?? 'Error',
      status,
      code,
      reason,
      detail: message,
      request_id: requestId,
      ...extra,
    },
    isFault: status >= 500,
  };
}

function recognise(thrown: unknown): BailiwickError {
  if (isBailiwickError(thrown)) return thrown;
  if (thrown instanceof JsonSyntaxError)
    return invalid('request.bad_json', `The body is not acceptable JSON: ${thrown.message}.`);
  const { code, statusCode, validation } = (thrown ?? {}) as {
    code?: string;
    statusCode?: number;
    validation?: readonly { instancePath: string; message?: string; params?: Record<string, unknown> }[];
  };
  if (validation)
    return invalid('request.bad_shape', `The request does not fit its schema: ${validation.map(describe).join('; ')}.`);
  const kind = statusCode === undefined ? undefined : kindOfStatus.get(statusCode);
  if (kind && kind !== 'internal')
    return new BailiwickError(kind, {
      reason: `request.${(code ?? 'refused').replace(/^FST_(ERR_)?/, '').toLowerCase()}`,
      message: thrown instanceof Error ? `${thrown.message.replace(/\.$/, '')}.` : 'The request was refused.',
    });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return invalid('request.refused', thrown instanceof Error ? thrown.message : 'The request was refused.');
  return new BailiwickError('internal', {
    reason: 'internal.fault',
    message: 'Something went wrong on our side. The request id leads to it in the logs.',
    cause: thrown,
  });
}

const invalid = (reason: string, message: string): BailiwickError => new BailiwickError('invalid', { reason, message });

const kindOfStatus = new Map<number, ErrorKind>(
  Object.entries(errorKinds).map(([kind, { status }]) => [status, kind as ErrorKind]),
);

function describe(fault: { instancePath: string; message?: string; params?: Record<string, unknown> }): string {
  const extra = fault.params?.['additionalProperty'];
  return `${fault.instancePath === '' ? 'the body' : fault.instancePath} ${fault.message ?? 'is wrong'}${typeof extra === 'string' ? ` (${extra})` : ''}`;
}
