/**
 * `jwt-auth`: a JWT of one of the file's consumers, found by its key claim and verified with that consumer's algorithm and key, never with
 * what the token says of itself. Signatures are jose's work; a verified token is remembered until it expires.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { isStrictBase64url } from '../../identity/token-verifier.js';
import { attachConsumer, withoutArgument, withoutCookie } from '../consumer-headers.js';
import type { Exchange } from '../exchange.js';
import type { Credential, Outcome, Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';
import { argument, cookie } from '../variables.js';
import { tokenHash, VerifiedTokens } from '../verified-tokens.js';
import { asAnonymous, assertComplete } from './key-auth.js';

const schema = Type.Object(
  {
    header: Type.String({ default: 'authorization' }),
    query: Type.String({ default: 'jwt' }),
    cookie: Type.String({ default: 'jwt' }),
    hide_credentials: Type.Boolean({ default: false }),
    key_claim_name: Type.String({ minLength: 1, default: 'key' }),
    store_in_ctx: Type.Boolean({ default: false }),
    claims_to_verify: Type.Optional(Type.Array(oneOf(['exp', 'nbf']), { uniqueItems: true })),
    realm: Type.String({ minLength: 1, maxLength: 128, pattern: '^[ -!#-[\\]-~]+$', default: 'jwt' }),
    anonymous_consumer: Type.Optional(Type.String({ minLength: 1 })),
  },
  closed,
);

const symmetric = ['HS256', 'HS384', 'HS512'] as const;
const asymmetric = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA'] as const;

const consumerSchema = Type.Object(
  {
    key: Type.String({ minLength: 1 }),
    secret: Type.Optional(Type.String({ minLength: 1 })),
    public_key: Type.Optional(Type.String({ minLength: 1 })),
    algorithm: oneOf([...symmetric, ...asymmetric], { default: 'HS256' }),
    exp: Type.Integer({ minimum: 1, default: 86_400 }),
    base64_secret: Type.Boolean({ default: false }),
    lifetime_grace_period: Type.Integer({ minimum: 0, default: 0 }),
  },
  {
    ...closed,
    if: { properties: { algorithm: { enum: [...symmetric] } } },
    // A consumer without a secret could be pretended by everybody who knows the default.
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own word.
    then: { required: ['secret'] },
    else: { required: ['public_key'] },
  },
);

type Configuration = Static<typeof schema>;
type Signing = Static<typeof consumerSchema>;
type Place = 'header' | 'query' | 'cookie';

interface Verified {
  readonly credential: Credential;
  readonly payload: JWTPayload;
}

const name = 'jwt-auth';

export const jwtAuth: Plugin<Configuration> = {
  name,
  priority: 2510,
  type: 'auth',
  schema,
  consumerSchema,
  compile: (configuration, { consumers }) => {
    const verified = new VerifiedTokens<Verified>();
    const refuse = (message: string): Outcome => ({
      status: 401,
      headers: { 'WWW-Authenticate': `Bearer realm="${configuration.realm}"` },
      body: { message },
    });
    const otherwise = (exchange: Exchange, message: string): Outcome => {
      const { anonymous_consumer: anonymous } = configuration;
      return anonymous === undefined ? refuse(message) : asAnonymous(exchange, anonymous, consumers, refuse);
    };
    const admit = (exchange: Exchange, { credential, payload }: Verified, place: Place): Outcome => {
      if (configuration.hide_credentials) hide(exchange, configuration, place);
      if (configuration.store_in_ctx) exchange.setVariable('jwt_auth_payload', JSON.stringify(payload));
      exchange.caller = { actor: credential.consumer.username, claims: payload as never };
      attachConsumer(exchange, credential.consumer);
      return undefined;
    };
    return {
      rewrite: (exchange) => {
        const found = findToken(exchange, configuration);
        if (!found) return otherwise(exchange, 'Missing JWT token in request');
        const hash = tokenHash(found.token);
        const known = verified.get(hash, Date.now());
        if (known) return admit(exchange, known, found.place);
        const claimed = keyClaim(found.token, configuration.key_claim_name);
        if (typeof claimed !== 'object') return otherwise(exchange, 'JWT token invalid');
        if (claimed.key === undefined) return otherwise(exchange, 'missing user key in JWT token');
        const credential = consumers.find(name, claimed.key);
        if (!credential) {
          assertComplete(consumers, name);
          return otherwise(exchange, 'Invalid user key in JWT token');
        }
        return verify(found.token, credential, configuration).then((payload) => {
          if (!payload) return otherwise(exchange, 'failed to verify jwt');
          verified.set(hash, { credential, payload }, untilMs(payload, credential));
          return admit(exchange, { credential, payload }, found.place);
        });
      },
    };
  },
};

function findToken(exchange: Exchange, configuration: Configuration): { token: string; place: Place } | undefined {
  const inHeader = exchange.header(configuration.header.toLowerCase());
  if (inHeader !== undefined) return { token: inHeader.replace(/^[Bb]earer /, ''), place: 'header' };
  const inQuery = argument(exchange.query, configuration.query);
  if (inQuery !== undefined) return { token: inQuery, place: 'query' };
  const inCookie = cookie(exchange.header('cookie'), configuration.cookie);
  return inCookie === undefined ? undefined : { token: inCookie, place: 'cookie' };
}

function hide(exchange: Exchange, configuration: Configuration, place: Place): void {
  if (place === 'header') exchange.upstreamHeaders.set(configuration.header.toLowerCase(), undefined);
  else if (place === 'query') exchange.upstreamQuery = withoutArgument(exchange.upstreamQuery, configuration.query);
  else exchange.upstreamHeaders.set('cookie', withoutCookie(exchange.header('cookie'), configuration.cookie));
}

/** The key claim, not verified yet; a string says that the token cannot be read. */
function keyClaim(token: string, claim: string): { readonly key: string | undefined } | 'unreadable' {
  const parts = token.split('.');
  if (token.length > 16_384 || parts.length !== 3 || !parts.every(isStrictBase64url)) return 'unreadable';
  try {
    decodeProtectedHeader(token);
    const key = decodeJwt(token)[claim];
    return { key: typeof key === 'string' && key !== '' ? key : undefined };
  } catch {
    return 'unreadable';
  }
}

const keys = new WeakMap<object, KeyObject | Uint8Array>();

function keyOf(credential: Credential): KeyObject | Uint8Array {
  const known = keys.get(credential);
  if (known) return known;
  const signing = credential.configuration as Signing;
  const key = signing.algorithm.startsWith('HS')
    ? Buffer.from(signing.secret ?? '', signing.base64_secret ? 'base64' : 'utf8')
    : createPublicKey(signing.public_key ?? '');
  keys.set(credential, key);
  return key;
}

/** Undefined when anything about it is wrong. */
async function verify(
  token: string,
  credential: Credential,
  configuration: Configuration,
): Promise<JWTPayload | undefined> {
  const { algorithm, lifetime_grace_period: grace } = credential.configuration as Signing;
  try {
    const { payload } = await jwtVerify(token, keyOf(credential), {
      algorithms: [algorithm],
      clockTolerance: grace,
      requiredClaims: [...(configuration.claims_to_verify ?? [])],
    });
    return payload;
  } catch {
    return undefined;
  }
}

/** A token without `exp` is remembered for a minute, so that a changed consumer counts soon. */
function untilMs(payload: JWTPayload, credential: Credential): number {
  const grace = (credential.configuration as Signing).lifetime_grace_period;
  return payload.exp === undefined ? Date.now() + 60_000 : (payload.exp + grace) * 1000;
}
