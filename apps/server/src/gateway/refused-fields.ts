/**
 * Fields of APISIX's plugins that this gateway does not take, and why: said with the error at start. `apisix-schemas.test.ts` holds that these
 * are all of them, and that each is refused.
 */

const browser = "it belongs to a browser's sign-in, and this gateway takes bearer tokens alone";
const discovery = 'there is no service discovery: name the nodes';
const ownMetrics = 'calls of language models are counted in metrics of our own, `bailiwick_llm_…`';

/** By plugin, then by path: names joined by dots, `[]` after a list. A path stands for all below it. */
export const refusedFields: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '*': { '_meta.pre_function': 'it is Lua' },
  'openid-connect': {
    access_token_expires_in: browser,
    access_token_expires_leeway: browser,
    authorization_params: browser,
    client_jwt_assertion_alg: browser,
    client_jwt_assertion_audience: browser,
    client_jwt_assertion_expires_in: browser,
    client_rsa_private_key: browser,
    client_rsa_private_key_id: browser,
    force_reauthorize: browser,
    logout_path: browser,
    par: browser,
    post_logout_redirect_uri: browser,
    redirect_uri: browser,
    refresh_session_interval: browser,
    renew_access_token_on_expiry: browser,
    revoke_tokens_on_logout: browser,
    scope: browser,
    session: browser,
    token_endpoint_auth_method: browser,
    unauth_action: browser,
    use_nonce: browser,
    use_pkce: browser,
    dpop: 'proofs of possession are not checked: to accept the field would be to pretend that they are',
    cache_segment: 'every configuration has a cache of its own',
    introspection_addon_headers: "the call to the issuer carries none of the caller's headers",
    proxy_opts: 'calls to the issuer go to it directly',
  },
  opentelemetry: {
    'batch_span_processor.drop_on_queue_full': 'spans that do not fit into the queue are always dropped',
    'batch_span_processor.inactive_timeout': 'spans are sent after batch_timeout',
  },
  prometheus: Object.fromEntries(
    [
      ...['ai_cache_bypasses_total', 'ai_cache_embedding_latency', 'ai_cache_hits_total', 'ai_cache_misses_total'],
      ...['llm_active_connections', 'llm_completion_tokens', 'llm_completion_tokens_dist', 'llm_latency'],
      ...['llm_prompt_tokens', 'llm_prompt_tokens_dist'],
    ].map((metric) => [`disabled_labels.${metric}`, ownMetrics]),
  ),
  'ai-proxy': {
    'override.request_body.bedrock-converse': 'a library makes and signs the request to Bedrock',
    'override.request_body.passthrough': 'what the policy cannot read does not reach a provider',
  },
  'ai-proxy-multi': {
    'instances[].override.request_body.bedrock-converse': 'a library makes and signs the request to Bedrock',
    'instances[].override.request_body.passthrough': 'what the policy cannot read does not reach a provider',
  },
  'traffic-split': {
    'rules[].weighted_upstreams[].upstream.discovery_args': discovery,
    'rules[].weighted_upstreams[].upstream.discovery_type': discovery,
    'rules[].weighted_upstreams[].upstream.service_name': discovery,
  },
};

/** Values of fields that are taken, which are not. */
export const refusedValues: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'openid-connect': {
    'accept_none_alg=true': 'a token without a signature is no proof',
    'accept_unsupported_alg=true': 'a signature that cannot be checked is no proof',
    'bearer_only=false': browser,
  },
  'limit-count': { 'sync_interval>0': 'counters are exact: the store is asked at every request' },
  'traffic-split': {
    'rules[].weighted_upstreams[].upstream.scheme=grpc,grpcs,kafka,tcp,tls,udp': 'HTTP and HTTPS are proxied',
  },
};

/** Why a field is not taken; undefined when there is no such field in APISIX, either. `path` has list positions as numbers. */
export function whyRefused(plugin: string, path: readonly string[]): string | undefined {
  const name = path.map((step) => (/^\d+$/.test(step) ? '[]' : `.${step}`)).join('');
  return refusedFields[plugin]?.[name.slice(1)] ?? refusedFields['*']?.[name.slice(1)];
}
