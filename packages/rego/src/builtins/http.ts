/** http.send, which only checks its request and leaves the sending to the context's client. */
import {
  formatTerm,
  get,
  isArray,
  makeSet,
  type ObjectValue,
  sortedKeys,
  typeOf,
  type Value,
} from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { fail } from './errors.js';
import { objectOperand, operandError } from './operands.js';
import { any, object, string } from './type-decl.js';

const ALLOWED: ReadonlySet<string> = new Set([
  'method',
  'url',
  'body',
  'enable_redirect',
  'force_json_decode',
  'force_yaml_decode',
  'headers',
  'raw_body',
  'tls_use_system_certs',
  'tls_ca_cert',
  'tls_ca_cert_file',
  'tls_ca_cert_env_variable',
  'tls_client_cert',
  'tls_client_cert_file',
  'tls_client_cert_env_variable',
  'tls_client_key',
  'tls_client_key_file',
  'tls_client_key_env_variable',
  'tls_insecure_skip_verify',
  'tls_server_name',
  'timeout',
  'cache',
  'force_cache',
  'force_cache_duration_seconds',
  'raise_error',
  'caching_mode',
  'max_retry_attempts',
  'cache_ignored_headers',
]);

/** Checks the parameters of a request. Errors: `OperandError`. */
export function checkRequest(request: ObjectValue): void {
  const keys = sortedKeys(request);
  const unknown = keys.filter((key) => typeof key !== 'string' || !ALLOWED.has(key));
  if (unknown.length > 0) throw operandError(1, `invalid request parameters(s): ${formatTerm(makeSet(unknown))}`);
  const missing = ['method', 'url'].filter((key) => !keys.includes(key));
  if (missing.length > 0)
    throw operandError(1, `missing required request parameters(s): ${formatTerm(makeSet(missing))}`);
  const ignored = get(request, 'cache_ignored_headers');
  if (ignored !== undefined && ignored !== null && !isArray(ignored)) {
    throw operandError(1, `cache_ignored_headers must be array but got ${typeOf(ignored)}`);
  }
}

function failedResponse(error: unknown): Value {
  const message = error instanceof Error ? error.message : String(error);
  return { status_code: 0, error: { code: 'eval_http_send_network_error', message } };
}

function send(args: readonly Value[], context: BuiltinContext): Value {
  const request = objectOperand(args, 1);
  checkRequest(request);
  if (context.http === undefined) return fail('no HTTP client is configured, so requests cannot be sent');
  const key = `http.send/${formatTerm(request)}`;
  const known = context.cache.get(key) as Value | undefined;
  if (known !== undefined) return known;
  try {
    const response = context.http.send(request);
    context.cache.set(key, response);
    return response;
  } catch (error) {
    if (get(request, 'raise_error') === false) return failedResponse(error);
    return fail(error instanceof Error ? error.message : String(error));
  }
}

export const httpBuiltins: readonly Builtin[] = family('http', {
  'http.send': {
    about: 'The response to an HTTP request, where the engine is given a client.',
    nondeterministic: true,
    capability: 'network',
    args: { request: object(string, any) },
    result: { response: object() },
    evaluate: send,
  },
});
