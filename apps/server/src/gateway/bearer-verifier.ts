/**
 * Verifies bearer tokens for one `openid-connect` configuration: by a fixed public key, by the issuer's keys (discovery, JWKS), or by asking
 * its introspection endpoint (RFC 7662). Verified ones are remembered by hash until they expire or the keys change.
 */
import { createPublicKey } from 'node:crypto';
import { BailiwickError } from '@bailiwick/contract';
import type { Value } from '@bailiwick/rego';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { Agent, request } from 'undici';
import { isStrictBase64url } from '../identity/token-verifier.js';
import { tokenHash, VerifiedTokens } from './verified-tokens.js';

export interface BearerOptions {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly discovery: string;
  readonly use_jwks: boolean;
  readonly public_key?: string;
  readonly token_signing_alg_values_expected?: string;
  readonly introspection_endpoint?: string;
  readonly introspection_endpoint_auth_method: 'client_secret_basic' | 'client_secret_post';
  readonly introspection_interval: number;
  readonly introspection_expiry_claim?: string;
  readonly jwk_expires_in: number;
  readonly jwt_verification_cache_ignore: boolean;
  readonly ssl_verify: boolean;
  readonly timeout: number;
  /** Seconds by which the issuer's clock and ours may differ. */
  readonly iat_slack: number;
}

export type VerifiedBearer =
  | { readonly kind: 'verified'; readonly claims: Readonly<Record<string, Value>> }
  | { readonly kind: 'refused'; readonly why: string };

const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
const maxAnswerBytes = 256 * 1024;
/** Shortest time between two fetches of the keys: an unknown `kid` must not become an attack on the issuer. */
const cooldownMs = 10_000;

interface Discovered {
  readonly issuer: string;
  readonly jwksUri: string | undefined;
  readonly introspectionEndpoint: string | undefined;
}

export class BearerVerifier {
  readonly #options: BearerOptions;
  readonly #agent: Agent;
  readonly #remembered = new VerifiedTokens<VerifiedBearer>();
  #discovered: Promise<Discovered> | undefined;
  #keys: { readonly resolve: JWTVerifyGetKey; readonly loadedMs: number } | undefined;
  #loading: Promise<void> | undefined;

  constructor(options: BearerOptions) {
    this.#options = options;
    const timeoutMs = options.timeout * 1000;
    this.#agent = new Agent({
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: { timeout: timeoutMs, rejectUnauthorized: options.ssl_verify },
    });
  }

  /** A token that was verified before and still holds. */
  recall(token: string): VerifiedBearer | undefined {
    if (this.#options.jwt_verification_cache_ignore) return undefined;
    return this.#remembered.get(tokenHash(token), Date.now());
  }

  /** Rejects with `token.issuer_unavailable` (503) when the issuer cannot be asked. */
  async verify(token: string): Promise<VerifiedBearer> {
    const isLocal = this.#options.use_jwks || this.#options.public_key !== undefined;
    return isLocal ? await this.#verifyJwt(token) : await this.#introspect(token);
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #verifyJwt(token: string): Promise<VerifiedBearer> {
    const parts = token.split('.');
    if (token.length > 16_384 || parts.length !== 3 || !parts.every(isStrictBase64url)) return refused('invalid jwt');
    const expected = this.#options.token_signing_alg_values_expected;
    const accepted = expected === undefined ? algorithms : [expected];
    const { issuer } = this.#options.public_key === undefined ? await this.#discover() : { issuer: undefined };
    const options = {
      algorithms: accepted,
      clockTolerance: this.#options.iat_slack,
      ...(issuer === undefined ? {} : { issuer }),
    };
    try {
      const { payload } = await jwtVerify(token, await this.#keySource(token), options);
      const claims = payload as Readonly<Record<string, Value>>;
      const untilMs = payload.exp === undefined ? Date.now() + 60_000 : payload.exp * 1000;
      const verified: VerifiedBearer = { kind: 'verified', claims };
      if (!this.#options.jwt_verification_cache_ignore) this.#remembered.set(tokenHash(token), verified, untilMs);
      return verified;
    } catch (error) {
      const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
      if (!code.startsWith('ERR_J')) throw error;
      return refused(code === 'ERR_JWT_EXPIRED' ? 'jwt has expired' : 'jwt signature or claims are not valid');
    }
  }

  async #keySource(token: string): Promise<JWTVerifyGetKey> {
    const { public_key: pem } = this.#options;
    if (pem !== undefined) {
      const key = createPublicKey(pem);
      return async () => key;
    }
    const isFresh = this.#keys && Date.now() - this.#keys.loadedMs < this.#options.jwk_expires_in * 1000;
    if (!isFresh || !(await this.#knows(token))) await this.#loadKeys();
    if (!this.#keys) throw unavailable(undefined);
    return this.#keys.resolve;
  }

  /** Whether the key that the token names is among those we have. */
  async #knows(token: string): Promise<boolean> {
    const keys = this.#keys;
    if (!keys || Date.now() - keys.loadedMs < cooldownMs) return keys !== undefined;
    try {
      await keys.resolve(decodeProtectedHeader(token) as never, { payload: '', signature: '' });
      return true;
    } catch {
      return false;
    }
  }

  /** One fetch at a time; when it fails, the keys we have serve on. What was verified by the old ones is forgotten. */
  async #loadKeys(): Promise<void> {
    this.#loading ??= (async () => {
      try {
        const { jwksUri } = await this.#discover();
        if (jwksUri === undefined) throw new Error('the discovery document has no jwks_uri');
        const { keys } = (await this.#getJson(jwksUri)) as { readonly keys?: unknown };
        if (!Array.isArray(keys)) throw new Error('the JWKS document has no keys');
        const set = { keys: keys.filter((key: { kty?: unknown }) => key.kty !== 'oct') } as JSONWebKeySet;
        this.#keys = { resolve: createLocalJWKSet(set), loadedMs: Date.now() };
        this.#remembered.clear();
      } catch (cause) {
        if (!this.#keys) throw unavailable(cause);
      }
    })().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #discover(): Promise<Discovered> {
    this.#discovered ??= this.#getJson(this.#options.discovery).then((document) => {
      const { issuer, jwks_uri: jwksUri, introspection_endpoint: endpoint } = document as Record<string, unknown>;
      if (typeof issuer !== 'string') throw new Error('the discovery document names no issuer');
      return {
        issuer,
        jwksUri: typeof jwksUri === 'string' ? jwksUri : undefined,
        introspectionEndpoint: typeof endpoint === 'string' ? endpoint : undefined,
      };
    });
    try {
      return await this.#discovered;
    } catch (cause) {
      this.#discovered = undefined;
      throw unavailable(cause);
    }
  }

  async #introspect(token: string): Promise<VerifiedBearer> {
    const endpoint = this.#options.introspection_endpoint ?? (await this.#discover()).introspectionEndpoint;
    if (endpoint === undefined) throw unavailable(new Error('the issuer has no introspection endpoint'));
    const { client_id: id, client_secret: secret = '', introspection_endpoint_auth_method: method } = this.#options;
    const form = new URLSearchParams({ token, token_type_hint: 'access_token' });
    if (method === 'client_secret_post') {
      form.set('client_id', id);
      form.set('client_secret', secret);
    }
    const basic = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64');
    const answer = (await this.#getJson(endpoint, {
      method: 'POST',
      body: form.toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(method === 'client_secret_basic' ? { authorization: `Basic ${basic}` } : {}),
      },
    }).catch((cause: unknown) => {
      throw unavailable(cause);
    })) as Readonly<Record<string, Value>>;
    if (answer['active'] !== true) return refused('invalid token');
    const expires = Number(answer[this.#options.introspection_expiry_claim ?? 'exp']);
    if (Number.isFinite(expires) && expires * 1000 <= Date.now()) return refused('token has expired');
    const verified: VerifiedBearer = { kind: 'verified', claims: answer };
    const heldMs =
      this.#options.introspection_interval > 0 ? this.#options.introspection_interval * 1000 : Number.POSITIVE_INFINITY;
    const untilMs = Math.min(Number.isFinite(expires) ? expires * 1000 : 0, Date.now() + heldMs);
    if (!this.#options.jwt_verification_cache_ignore) this.#remembered.set(tokenHash(token), verified, untilMs);
    return verified;
  }

  async #getJson(
    address: string,
    more: {
      readonly method?: 'POST';
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<unknown> {
    const answer = await request(address, {
      method: more.method ?? 'GET',
      dispatcher: this.#agent,
      headers: { accept: 'application/json', ...more.headers },
      ...(more.body === undefined ? {} : { body: more.body }),
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200 || text.length > maxAnswerBytes)
      throw new Error(`${address} answered ${answer.statusCode}`);
    return JSON.parse(text);
  }
}

const refused = (why: string): VerifiedBearer => ({ kind: 'refused', why });

const unavailable = (cause: unknown): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'token.issuer_unavailable',
    message: "The token's issuer cannot be asked now. Try again in a moment.",
    retryAfterSeconds: 5,
    cause,
  });
