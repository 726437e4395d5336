/**
 * The crypto adapter on Node's own library: constant in time where it signs, and faster. Its own
 * entry, so that browsers never see it.
 */
import {
  constants,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import type { CryptoProvider, PrivateKey, PublicKey, SignatureScheme } from './builtins/crypto/crypto-provider.js';
import { portableCrypto } from './builtins/crypto/portable-crypto.js';

const CURVE_BYTES = { 'P-256': 32, 'P-384': 48, 'P-521': 66 } as const;

function base64Url(value: bigint, length?: number): string {
  const hex = value.toString(16);
  const width = length === undefined ? hex.length + (hex.length % 2) : length * 2;
  return Buffer.from(hex.padStart(width, '0'), 'hex').toString('base64url');
}

function toJwk(key: PublicKey): JsonWebKey {
  switch (key.kind) {
    case 'rsa':
      return { kty: 'RSA', n: base64Url(key.n), e: base64Url(key.e) };
    case 'ec': {
      const length = CURVE_BYTES[key.curve];
      return { kty: 'EC', crv: key.curve, x: base64Url(key.x, length), y: base64Url(key.y, length) };
    }
    case 'ed25519':
      return { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.bytes).toString('base64url') };
  }
}

function toPrivateJwk(key: PrivateKey): JsonWebKey | undefined {
  switch (key.kind) {
    case 'rsa': {
      if (key.p === 0n || key.q === 0n) return undefined;
      const { d, p, q } = key;
      const extra = { d: base64Url(d), p: base64Url(p), q: base64Url(q) };
      const parts = { dp: base64Url(d % (p - 1n)), dq: base64Url(d % (q - 1n)), qi: base64Url(inverse(q, p)) };
      return { ...toJwk(key), ...extra, ...parts };
    }
    case 'ec':
      return { ...toJwk(key), d: base64Url(key.d, CURVE_BYTES[key.curve]) };
    case 'ed25519':
      return { ...toJwk(key), d: Buffer.from(key.seed).toString('base64url') };
  }
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return ((x % modulus) + modulus) % modulus;
}

/** Imported keys, so that one key is not imported for every token. */
const imported = new WeakMap<object, KeyObject>();

function publicKeyObject(key: PublicKey): KeyObject {
  const known = imported.get(key);
  if (known !== undefined) return known;
  const made = createPublicKey({ key: toJwk(key), format: 'jwk' });
  imported.set(key, made);
  return made;
}

interface Options {
  readonly hash: string | null;
  readonly key: object;
}

function optionsOf(scheme: SignatureScheme, key: KeyObject): Options {
  switch (scheme.kind) {
    case 'ed25519':
      return { hash: null, key: { key } };
    case 'ecdsa':
      return { hash: scheme.hash, key: { key, dsaEncoding: 'ieee-p1363' } };
    case 'rsa-pkcs1':
      return { hash: scheme.hash, key: { key, padding: constants.RSA_PKCS1_PADDING } };
    case 'rsa-pss':
      return { hash: scheme.hash, key: { key, padding: constants.RSA_PKCS1_PSS_PADDING } };
  }
}

const fits = (scheme: SignatureScheme, key: PublicKey): boolean =>
  scheme.kind === 'ecdsa' ? key.kind === 'ec' : scheme.kind === 'ed25519' ? key.kind === 'ed25519' : key.kind === 'rsa';

/** Crypto for the engine in Node. */
export const nodeCrypto: CryptoProvider = {
  hash: (algorithm, data) => createHash(algorithm).update(data).digest(),
  hmac: (algorithm, key, data) => createHmac(algorithm, key).update(data).digest(),
  verify(scheme, key, { data, signature }) {
    if (!fits(scheme, key)) return false;
    try {
      const options = optionsOf(scheme, publicKeyObject(key));
      return verifyBytes(options.hash, data, options.key as Parameters<typeof verifyBytes>[2], signature);
    } catch {
      // Keys that OpenSSL refuses, such as very short ones, OPA takes: the portable code decides.
      return portableCrypto.verify(scheme, key, { data, signature });
    }
  },
  sign(scheme, key, data) {
    const jwk = fits(scheme, key) ? toPrivateJwk(key) : undefined;
    if (jwk === undefined) return portableCrypto.sign(scheme, key, data);
    const options = optionsOf(scheme, createPrivateKey({ key: jwk, format: 'jwk' }));
    const saltLength = scheme.kind === 'rsa-pss' ? { saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {};
    return signBytes(options.hash, data, { ...options.key, ...saltLength } as Parameters<typeof signBytes>[2]);
  },
};
