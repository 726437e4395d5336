/**
 * What a provider says is wrong, told twice: to the client in its own format, in our words and with what is harmless of the provider's (status,
 * known codes, the name of a member that the client itself sent); to operators in the log, the provider's text with everything masked that
 * could be a key, a prompt or personal data.
 */
import type { Instance } from './instance.js';
import type { Json, LlmCall, LlmKind } from './llm-call.js';
import { personalDataKinds, Redactor } from './personal-data.js';

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Codes that programs act on; any other could be anything. */
const knownCodes = new Set([
  ...['context_length_exceeded', 'model_not_found', 'rate_limit_exceeded', 'insufficient_quota', 'content_filter'],
  ...['content_policy_violation', 'invalid_prompt', 'invalid_value', 'invalid_type', 'missing_required_parameter'],
  ...['unknown_parameter', 'unsupported_parameter', 'unsupported_value', 'string_above_max_length', 'server_error'],
  ...['integer_above_max_value', 'integer_below_min_value', 'decimal_above_max_value', 'decimal_below_min_value'],
  ...['invalid_image', 'image_too_large', 'DeploymentNotFound', 'server_is_overloaded', 'billing_error'],
  ...['overloaded_error', 'not_found_error', 'request_too_large', 'rate_limit_error', 'timeout_error', 'api_error'],
  ...['RESOURCE_EXHAUSTED', 'INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'NOT_FOUND', 'UNAVAILABLE'],
  ...['ThrottlingException', 'ValidationException', 'ModelTimeoutException', 'ServiceUnavailableException'],
]);

export interface ProviderFault {
  /** Of the provider, or of the event when its stream had begun. */
  readonly status: number;
  readonly code: string | undefined;
  /** The member of the request that is meant. */
  readonly parameter: string | undefined;
}

/** What may be known of the provider's `said` by its client. */
export function faultOf(status: number, said: unknown, call: LlmCall): ProviderFault {
  const error = isObject(said) ? (isObject(said['error']) ? said['error'] : said) : {};
  const code = [error['code'], error['type'], error['status'], error['__type']].find(
    (one): one is string => typeof one === 'string' && knownCodes.has(one),
  );
  const { param } = error;
  const isOwn = typeof param === 'string' && param.length <= 100 && /^[a-z_]+(?:\[\d+\]|\.[a-z_]+)*$/.test(param);
  const member = isOwn ? (/^[a-z_]+/.exec(param)?.[0] ?? '') : '';
  return { status, code, parameter: isOwn && Object.hasOwn(call.body, member) ? param : undefined };
}

/** The error in the format that the client speaks. */
export function clientError(kind: LlmKind, fault: ProviderFault, requestId: string): Json {
  const { status, code, parameter } = fault;
  const about = [String(status), ...(code === undefined ? [] : [code])].join(', ');
  const where = parameter === undefined ? '' : ` because of '${parameter}'`;
  const message = `The provider of the language model refused the request${where} (${about}).`;
  if (kind === 'anthropic-messages')
    return { type: 'error', error: { type: anthropicType(status), message }, request_id: requestId };
  return { error: { message, type: openaiType(status), param: parameter ?? null, code: code ?? null } };
}

/** The gateway's own account at the provider is no business of the client's. */
export function credentialsError(kind: LlmKind, status: number, requestId: string): Json {
  const message = `The provider does not accept the gateway's credentials (${status}).`;
  return kind === 'anthropic-messages'
    ? { type: 'error', error: { type: 'api_error', message }, request_id: requestId }
    : { error: { message, type: 'server_error', param: null, code: 'llm.provider_refused' } };
}

function openaiType(status: number): string {
  if (status === 429) return 'rate_limit_error';
  if (status === 402) return 'insufficient_quota';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

const anthropicTypes: Readonly<Record<number, string>> = {
  402: 'billing_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};
const anthropicType = (status: number): string =>
  anthropicTypes[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');

const harmlessHeader = /^(?:retry-after(?:-ms)?|x-ratelimit-[a-z-]+|anthropic-ratelimit-[a-z-]+)$/;
/** A number, a length of time, a date: nothing else stands in these headers. */
const harmlessValue = /^(?:[\d.]+(?:ms|[smhd])?)+$|^[A-Z][a-z]{2}, [\w :]{15,25} GMT$|^\d{4}-\d\d-\d\dT[\d:.]+Z?$/;

/** When to come again, and what is left: of the headers of a refusal these alone go on. */
export function refusalHeaders(
  headers: Readonly<Record<string, string | readonly string[]>>,
): Readonly<Record<string, string>> {
  const kept: Record<string, string> = { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(headers))
    if (typeof value === 'string' && harmlessHeader.test(name) && harmlessValue.test(value)) kept[name] = value;
  return kept;
}

/** Longer texts of a provider are cut. In characters. */
const longestTold = 2_000;
/** Calls with more text are not compared, and nothing of the provider's text is told. In characters. */
const longestCompared = 512 * 1024;
/** What a provider's text and the call have in common from this length on is the prompt. In characters. */
const sharedLength = 12;

const redactor = new Redactor(personalDataKinds);
const keyLike =
  /\b(?:sk|pk|rk|key|org|proj|gsk|xai|AKIA|ASIA|AIza|ya29)[-_.A-Za-z0-9]{6,}|\b(?:Bearer|Basic)\s+\S+|\b(?=[A-Za-z_-]*\d)[A-Za-z0-9+/_=-]{20,}|\S*\*{3,}\S*/gi;

/** The provider's text for the log. */
export function maskedForOperators(said: string, call: LlmCall, instance: Instance): string {
  const spoken = textsIn(call.body);
  const length = spoken.reduce((sum, text) => sum + text.length, 0);
  if (length > longestCompared) return '(left out: the call is too long to tell its prompt from the text)';
  // Decoded, because escapes would hide what the two have in common.
  let text = textsIn(parsed(said) ?? said)
    .join(' | ')
    .slice(0, longestTold);
  for (const secret of secretsOf(instance)) text = text.replaceAll(secret, '[secret]');
  return redactor.redact(withoutShared(text, spoken).replace(keyLike, '[secret]'));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Every text in a value but the names of its members. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

function secretsOf({ configuration: { auth }, derivedSecrets }: Instance): readonly string[] {
  const values = [
    ...Object.values(auth.header ?? {}),
    ...Object.values(auth.query ?? {}),
    ...Object.values(auth.aws ?? {}),
    ...derivedSecrets,
  ];
  return values
    .flatMap((value) => [value, ...value.split(/\s+/)])
    .filter((value) => value.length >= 6)
    .sort((a, b) => b.length - a.length);
}

/** Cost: linear in the length of the call. */
function withoutShared(text: string, spoken: readonly string[]): string {
  const lower = text.toLowerCase();
  const shared = new Uint8Array(text.length);
  const places = new Map<string, number[]>();
  for (let at = 0; at + sharedLength <= lower.length; at += 1) {
    const piece = lower.slice(at, at + sharedLength);
    places.set(piece, [...(places.get(piece) ?? []), at]);
  }
  for (const one of spoken) {
    const own = one.toLowerCase();
    for (let at = 0; at + sharedLength <= own.length; at += 1)
      for (const place of places.get(own.slice(at, at + sharedLength)) ?? [])
        shared.fill(1, place, place + sharedLength);
    // A short prompt as a whole; words of the protocol (`user`, a model's name) are not hidden.
    if (own.length < 6 || own.length >= sharedLength) continue;
    for (let at = lower.indexOf(own); at >= 0; at = lower.indexOf(own, at + 1)) shared.fill(1, at, at + own.length);
  }
  let result = '';
  for (let at = 0; at < text.length; at += 1) {
    if (shared[at] === 0) result += text[at];
    else if (at === 0 || shared[at - 1] === 0) result += '[prompt]';
  }
  return result;
}
