/**
 * Verifies JWTs: RS256, ES256 and EdDSA only, keys by JWKS with rotation, `iss`, `aud`, `exp`, `nbf` with leeway, strict base64url.
 * A verified token is remembered by its hash until it expires or the keys change, so that the hot path pays for one hash.
 */
import { hash as digest } from 'node:crypto';
import { BailiwickError } from '@bailiwick/contract';
import type { Value } from '@bailiwick/rego';
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose';

export const acceptedAlgorithms = ['RS256', 'ES256', 'EdDSA'] as const;
const maxTokenBytes = 16 * 1024;
const maxRemembered = 10_000;

/** Where an issuer's keys come from. */
export interface KeySource {
  /** Fetches or reads the keys; called at first use and when a token names a key that is not among those known. */
  load(): Promise<JSONWebKeySet>;
}

export interface IssuerKeys {
  readonly issuer: string;
  readonly source: KeySource;
}

export interface TokenVerifierOptions {
  readonly issuers: readonly IssuerKeys[];
  readonly audience: string;
  readonly leewaySeconds: number;
  /** How long keys are used before they are fetched again, in milliseconds. */
  readonly keysMaxAgeMs?: number;
  /** Shortest time between two fetches for one issuer, in milliseconds: an unknown `kid` must not become an attack on the issuer. */
  readonly keysCooldownMs?: number;
  readonly nowMs?: () => number;
}

export type Claims = Readonly<Record<string, Value>> & { readonly sub: string };

interface KnownKeys {
  resolve: ReturnType<typeof createLocalJWKSet>;
  loadedMs: number;
}

export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #sources: ReadonlyMap<string, KeySource>;
  readonly #keys = new Map<string, KnownKeys>();
  readonly #loading = new Map<string, Promise<KnownKeys>>();
  readonly #attemptedMs = new Map<string, number>();
  readonly #remembered = new Map<
    string,
    { readonly claims: Claims; readonly untilMs: number; readonly issuer: string; readonly loadedMs: number }
  >();
  readonly #nowMs: () => number;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
    this.#sources = new Map(options.issuers.map(({ issuer, source }) => [issuer, source]));
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** Throws `token.…` (401) that says what is wrong, never what the token holds; `token.issuer_unavailable` (503) when its keys cannot be had. */
  async verify(token: string): Promise<Claims> {
    const hash = hashOf(token);
    const known = this.#recallByHash(hash);
    if (known) return known;
    assertWellFormed(token);
    const issuer = issuerOf(token);
    const source = this.#sources.get(issuer);
    if (!source) throw refusal('unknown_issuer', 'The token’s issuer is not one that is accepted here.');
    const keys = await this.#current(issuer, source);
    const claims = await this.#check(token, issuer, keys).catch(async (error: unknown) => {
      if (!isUnknownKey(error)) throw asRefusal(error);
      const fresh = await this.#reload(issuer, source);
      return await this.#check(token, issuer, fresh).catch((again: unknown) => {
        throw asRefusal(again);
      });
    });
    this.#remember(hash, issuer, claims);
    return claims;
  }

  /** The claims of a token that was verified before, until it expires or the issuer's keys change. */
  recall(token: string): Claims | undefined {
    return this.#recallByHash(hashOf(token));
  }

  #recallByHash(hash: string): Claims | undefined {
    const known = this.#remembered.get(hash);
    const holds = known && known.untilMs > this.#nowMs() && this.#keys.get(known.issuer)?.loadedMs === known.loadedMs;
    return holds ? known.claims : undefined;
  }

  async #check(token: string, issuer: string, keys: KnownKeys): Promise<Claims> {
    const { payload } = await jwtVerify(token, keys.resolve, {
      algorithms: [...acceptedAlgorithms],
      issuer,
      audience: this.#options.audience,
      clockTolerance: this.#options.leewaySeconds,
      requiredClaims: ['exp', 'sub'],
      currentDate: new Date(this.#nowMs()),
    });
    if (typeof payload.sub !== 'string' || payload.sub === '') throw refusal('invalid', 'The token has no subject.');
    return payload as unknown as Claims;
  }

  #remember(hash: string, issuer: string, claims: Claims): void {
    const keys = this.#keys.get(issuer);
    const expiresMs = (Number(claims['exp']) + this.#options.leewaySeconds) * 1000;
    if (!keys || !(expiresMs > this.#nowMs())) return;
    if (this.#remembered.size >= maxRemembered) {
      const oldest = this.#remembered.keys().next().value;
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(hash, { claims, untilMs: expiresMs, issuer, loadedMs: keys.loadedMs });
  }

  async #current(issuer: string, source: KeySource): Promise<KnownKeys> {
    const known = this.#keys.get(issuer);
    const isFresh = known && this.#nowMs() - known.loadedMs < (this.#options.keysMaxAgeMs ?? 600_000);
    return isFresh ? known : await this.#reload(issuer, source);
  }

  /** One fetch at a time for an issuer; within the cooldown, and when the fetch fails, the keys we have serve on. */
  async #reload(issuer: string, source: KeySource): Promise<KnownKeys> {
    const running = this.#loading.get(issuer);
    if (running) return await running;
    const known = this.#keys.get(issuer);
    const attempted = this.#attemptedMs.get(issuer);
    if (known && attempted !== undefined && this.#nowMs() - attempted < (this.#options.keysCooldownMs ?? 10_000))
      return known;
    this.#attemptedMs.set(issuer, this.#nowMs());
    const loading = this.#load(issuer, source, known).finally(() => this.#loading.delete(issuer));
    this.#loading.set(issuer, loading);
    return await loading;
  }

  async #load(issuer: string, source: KeySource, known: KnownKeys | undefined): Promise<KnownKeys> {
    try {
      const keys = { resolve: createLocalJWKSet(await source.load()), loadedMs: this.#nowMs() };
      this.#keys.set(issuer, keys);
      return keys;
    } catch (cause) {
      if (known) return known;
      throw new BailiwickError('unavailable', {
        reason: 'token.issuer_unavailable',
        message: 'The keys of the token’s issuer cannot be fetched now. Try again in a moment.',
        retryAfterSeconds: 5,
        cause,
      });
    }
  }
}

const hashOf = (token: string): string => digest('sha256', token, 'base64');

/** jose reads base64url more leniently than RFC 7515 allows: padding, `+/`, and spare bits that are not zero are refused here. */
function assertWellFormed(token: string): void {
  if (token.length > maxTokenBytes) throw refusal('too_long', 'The token is longer than 16 KiB.');
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every(isStrictBase64url))
    throw refusal('malformed', 'The token is not a JWT in compact form.');
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** RFC 4648 section 5 without padding, and with zero spare bits in the last character. */
export function isStrictBase64url(text: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return false;
  const rest = text.length % 4;
  if (rest === 0) return true;
  if (rest === 1) return false;
  const last = alphabet.indexOf(text[text.length - 1] ?? '');
  return rest === 2 ? (last & 0b1111) === 0 : (last & 0b11) === 0;
}

function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch {
    throw refusal('malformed', 'The token is not a JWT in compact form.');
  }
}

const refusal = (reason: string, message: string): BailiwickError =>
  new BailiwickError('unauthenticated', { reason: `token.${reason}`, message });

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';

const isUnknownKey = (error: unknown): boolean => codeOf(error) === 'ERR_JWKS_NO_MATCHING_KEY';

function asRefusal(error: unknown): unknown {
  switch (codeOf(error)) {
    case 'ERR_JWT_EXPIRED':
      return refusal('expired', 'The token has expired. Get a new one.');
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      return refusal('claim', `The token is not valid here: ${error instanceof Error ? error.message : ''}.`);
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
    case 'ERR_JWKS_NO_MATCHING_KEY':
    case 'ERR_JWKS_MULTIPLE_MATCHING_KEYS':
      return refusal('signature', 'The token’s signature does not fit any key of its issuer.');
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return refusal('algorithm', `The token’s algorithm is not accepted; use ${acceptedAlgorithms.join(', ')}.`);
    default:
      return codeOf(error).startsWith('ERR_J') ? refusal('invalid', 'The token is not valid.') : error;
  }
}
