/** JSON Web Keys and sets of them (RFC 7517, 7518, 8037). */
import { get, isArray, isObject, parseJson, type Value } from '../../values/index.js';
import { decodeBase64Url } from '../bytes.js';
import { BuiltinFailure } from '../errors.js';
import { toInteger } from './bigint-math.js';
import type { CurveName, PrivateKey, PublicKey } from './crypto-provider.js';
import { edPublicKey } from './edwards.js';
import { CURVES, isOnCurve } from './elliptic.js';

/** A key of a set. `secret` is for HMAC; `privateKey` is there when the key can sign. */
export interface Jwk {
  readonly alg: string;
  readonly kid: string;
  readonly secret?: Uint8Array;
  readonly publicKey?: PublicKey;
  readonly privateKey?: PrivateKey;
}

/** Why a text is no key. */
export class JwkError extends Error {
  override readonly name = 'JwkError';
}

function text(source: Value, name: string): string | undefined {
  const value = get(source, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw new JwkError(`failed to parse key: ${name} must be a string`);
  return value;
}

function bytes(source: Value, name: string): Uint8Array | undefined {
  const value = text(source, name);
  if (value === undefined) return undefined;
  try {
    return decodeBase64Url(value.replaceAll('+', '-').replaceAll('/', '_'));
  } catch (error) {
    if (!(error instanceof BuiltinFailure)) throw error;
    throw new JwkError(`failed to decode ${name}: ${error.message}`);
  }
}

function required(source: Value, name: string): bigint {
  const value = bytes(source, name);
  if (value === undefined) throw new JwkError(`required field ${name} is missing`);
  return toInteger(value);
}

function rsaKey(source: Value): Partial<Jwk> {
  const publicKey = { kind: 'rsa', n: required(source, 'n'), e: required(source, 'e') } as const;
  if (get(source, 'd') === undefined) return { publicKey };
  const d = required(source, 'd');
  const p = bytes(source, 'p');
  const q = bytes(source, 'q');
  const [primeP, primeQ] = [p === undefined ? 0n : toInteger(p), q === undefined ? 0n : toInteger(q)];
  return { publicKey, privateKey: { ...publicKey, d, p: primeP, q: primeQ } };
}

function ecKey(source: Value): Partial<Jwk> {
  const curve = text(source, 'crv') as CurveName | undefined;
  if (curve === undefined || !Object.hasOwn(CURVES, curve)) throw new JwkError(`invalid curve ${String(curve)}`);
  const publicKey = { kind: 'ec', curve, x: required(source, 'x'), y: required(source, 'y') } as const;
  if (!isOnCurve(CURVES[curve], publicKey.x, publicKey.y)) throw new JwkError('the point is not on the curve');
  return get(source, 'd') === undefined
    ? { publicKey }
    : { publicKey, privateKey: { ...publicKey, d: required(source, 'd') } };
}

function okpKey(source: Value): Partial<Jwk> {
  if (text(source, 'crv') !== 'Ed25519') throw new JwkError(`invalid curve ${String(text(source, 'crv'))}`);
  const seed = bytes(source, 'd');
  const x = bytes(source, 'x');
  if (x?.length !== 32) throw new JwkError('x must have 32 bytes');
  if (seed === undefined) return { publicKey: { kind: 'ed25519', bytes: x } };
  const publicKey = edPublicKey(seed);
  return { publicKey, privateKey: { ...publicKey, seed } };
}

function toKey(source: Value): Jwk {
  if (!isObject(source)) throw new JwkError('a key must be an object');
  const common = { alg: text(source, 'alg') ?? '', kid: text(source, 'kid') ?? '' };
  switch (text(source, 'kty')) {
    case 'RSA':
      return { ...common, ...rsaKey(source) };
    case 'EC':
      return { ...common, ...ecKey(source) };
    case 'OKP':
      return { ...common, ...okpKey(source) };
    case 'oct': {
      const secret = bytes(source, 'k');
      if (secret === undefined) throw new JwkError('required field k is missing');
      return { ...common, secret };
    }
    default:
      throw new JwkError(`invalid key type from JSON (${String(text(source, 'kty') ?? '')})`);
  }
}

/** The keys of a JWK or a JWK set. Errors: `JwkError`, `JsonError`. */
export function parseJwks(source: string): readonly Jwk[] {
  const value = parseJson(source);
  if (!isObject(value)) throw new JwkError('a JWK or JWK set must be an object');
  const keys = get(value, 'keys');
  if (keys === undefined) return [toKey(value)];
  if (!isArray(keys)) throw new JwkError('the keys of a JWK set must be an array');
  return keys.map(toKey);
}
