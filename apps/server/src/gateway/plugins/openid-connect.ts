/**
 * `openid-connect`, bearer only: verifies the token, against the issuers that this installation accepts, or against any issuer by its
 * discovery document (keys or introspection). Identity headers of the client are cleared first, so that nobody can pretend to have been
 * verified; then those of the verified one are set, as APISIX does.
 */
import { isBailiwickError } from '@bailiwick/contract';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { Caller } from '../../decisions/decision-service.js';
import { bearerRefusal, claimRefusal, makeClaimCheck } from '../bearer-claims.js';
import { BearerVerifier, type VerifiedBearer } from '../bearer-verifier.js';
import type { Exchange } from '../exchange.js';
import type { Outcome, Plugin, PluginHooks, PluginScope } from '../plugin.js';
import { closed } from '../resource-schemas.js';

/** Stands for the issuers that this installation accepts (its settings); no request is ever sent there. */
export const ownDiscovery = 'http://issuer.bailiwick.internal/.well-known/openid-configuration';

const defaultSlackSeconds = 120;

const schema = Type.Object(
  {
    client_id: Type.String(),
    client_secret: Type.Optional(Type.String()),
    discovery: Type.String({ pattern: '^https?://' }),
    /** The sign-in of browsers is not this gateway's work. */
    bearer_only: Type.Literal(true),
    use_jwks: Type.Boolean({ default: false }),
    public_key: Type.Optional(Type.String()),
    token_signing_alg_values_expected: Type.Optional(Type.String()),
    realm: Type.String({ default: 'apisix', pattern: '^[ -!#-\\[\\]-~]*$' }),
    required_scopes: Type.Optional(Type.Array(Type.String())),
    claim_schema: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    claim_validator: Type.Optional(
      Type.Object(
        {
          issuer: Type.Optional(Type.Object({ valid_issuers: Type.Optional(Type.Array(Type.String())) }, closed)),
          audience: Type.Optional(
            Type.Object(
              {
                claim: Type.String({ default: 'aud' }),
                required: Type.Boolean({ default: false }),
                match_with_client_id: Type.Boolean({ default: false }),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    introspection_endpoint: Type.Optional(Type.String({ pattern: '^https?://' })),
    introspection_endpoint_auth_method: Type.Unsafe<'client_secret_basic' | 'client_secret_post'>({
      type: 'string',
      enum: ['client_secret_basic', 'client_secret_post'],
      default: 'client_secret_basic',
    }),
    introspection_interval: Type.Integer({ minimum: 0, default: 0 }),
    introspection_expiry_claim: Type.Optional(Type.String()),
    jwk_expires_in: Type.Integer({ minimum: 1, default: 86_400 }),
    jwt_verification_cache_ignore: Type.Boolean({ default: false }),
    /** Seconds by which the issuer's clock may differ from ours. */
    iat_slack: Type.Integer({ minimum: 0, default: defaultSlackSeconds }),
    ssl_verify: Type.Boolean({ default: true }),
    /** Seconds. */
    timeout: Type.Integer({ minimum: 1, default: 3 }),
    /** True would accept tokens that nobody has signed, or whose signature cannot be checked. */
    accept_none_alg: Type.Optional(Type.Literal(false)),
    accept_unsupported_alg: Type.Optional(Type.Literal(false)),
    access_token_in_authorization_header: Type.Boolean({ default: false }),
    set_access_token_header: Type.Boolean({ default: true }),
    set_id_token_header: Type.Boolean({ default: true }),
    set_userinfo_header: Type.Boolean({ default: true }),
    set_refresh_token_header: Type.Boolean({ default: false }),
    set_raw_id_token_header: Type.Boolean({ default: false }),
  },
  closed,
) satisfies TSchema;

export type OpenidConfiguration = Static<typeof schema>;

const clearedHeaders = ['x-access-token', 'x-userinfo', 'x-id-token', 'x-refresh-token', 'x-raw-id-token'];

export const openidConnect: Plugin<OpenidConfiguration> = {
  name: 'openid-connect',
  priority: 2599,
  schema,
  check: (configuration) => {
    if (configuration.discovery !== ownDiscovery) return undefined;
    const verification = ['public_key', 'introspection_endpoint', 'token_signing_alg_values_expected'] as const;
    const foreign =
      configuration.iat_slack === defaultSlackSeconds
        ? verification.find((name) => configuration[name] !== undefined)
        : 'iat_slack';
    return foreign && `${foreign} is for another issuer; this installation's issuers are in its settings`;
  },
  compile: (configuration, scope) =>
    configuration.discovery === ownDiscovery ? byOwnIssuers(configuration, scope) : byDiscovery(configuration, scope),
};

function byOwnIssuers(configuration: OpenidConfiguration, { services }: PluginScope): PluginHooks {
  const { authenticator } = services;
  const checkClaims = makeClaimCheck(configuration);
  const admit = (exchange: Exchange, caller: Caller): Outcome => {
    const refusal = checkClaims(caller.claims);
    if (refusal) return claimRefusal(refusal);
    exchange.caller = caller;
    setIdentityHeaders(exchange, configuration, undefined, caller.claims);
    return undefined;
  };
  const refuse = (error: unknown): Outcome => {
    if (!isBailiwickError(error)) throw error;
    if (error.kind !== 'unauthenticated') return { status: 503, headers: { 'retry-after': '5' }, body: error };
    return { status: 401, headers: { 'www-authenticate': `Bearer realm="${configuration.realm}"` }, body: error };
  };
  return {
    rewrite: (exchange) => {
      clearIdentityHeaders(exchange);
      const known = authenticator.recall(exchange.request.headers);
      if (known) return admit(exchange, known);
      return authenticator.authenticate(exchange.request.headers).then((caller) => admit(exchange, caller), refuse);
    },
  };
}

function byDiscovery(configuration: OpenidConfiguration, scope: PluginScope): PluginHooks {
  const verifier = scope.kept.keep(
    `openid-connect/${JSON.stringify(configuration)}`,
    () => new BearerVerifier(configuration),
    (one) => one.close(),
  );
  const checkClaims = makeClaimCheck(configuration);
  const admit = (exchange: Exchange, token: string, verified: VerifiedBearer): Outcome => {
    if (verified.kind === 'refused') return bearerRefusal(configuration.realm, verified.why);
    const refusal = checkClaims(verified.claims);
    if (refusal) return claimRefusal(refusal);
    const { sub } = verified.claims;
    exchange.caller = { actor: typeof sub === 'string' ? sub : 'unknown', claims: verified.claims };
    setIdentityHeaders(exchange, configuration, token, verified.claims);
    return undefined;
  };
  return {
    rewrite: (exchange) => {
      const token = bearerOf(exchange);
      clearIdentityHeaders(exchange);
      if (token === undefined)
        return {
          status: 401,
          headers: { 'WWW-Authenticate': `Bearer realm="${configuration.realm}"` },
          body: 'No bearer token found in request.',
        };
      const known = verifier.recall(token);
      if (known) return admit(exchange, token, known);
      return verifier.verify(token).then((verified) => admit(exchange, token, verified));
    },
  };
}

/** `Authorization: Bearer`, else `X-Access-Token`, as APISIX looks. */
function bearerOf(exchange: Exchange): string | undefined {
  const inHeader = /^Bearer +(\S+)$/i.exec(exchange.header('authorization') ?? '')?.[1];
  return inHeader ?? exchange.header('x-access-token');
}

function clearIdentityHeaders(exchange: Exchange): void {
  for (const name of clearedHeaders) exchange.upstreamHeaders.set(name, undefined);
}

/** `token` is undefined where it stays in the request as it came. */
function setIdentityHeaders(
  exchange: Exchange,
  configuration: OpenidConfiguration,
  token: string | undefined,
  claims: Readonly<Record<string, unknown>>,
): void {
  const { upstreamHeaders } = exchange;
  if (token !== undefined && configuration.set_access_token_header) {
    if (configuration.access_token_in_authorization_header) upstreamHeaders.set('authorization', `Bearer ${token}`);
    else upstreamHeaders.set('x-access-token', token);
  }
  if (configuration.set_userinfo_header) upstreamHeaders.set('x-userinfo', encoded(claims));
}

const texts = new WeakMap<object, string>();

/** Base64 of the JSON; once for a remembered token. */
function encoded(claims: object): string {
  const known = texts.get(claims);
  if (known !== undefined) return known;
  const text = Buffer.from(JSON.stringify(claims)).toString('base64');
  texts.set(claims, text);
  return text;
}
