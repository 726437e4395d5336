/**
 * The port through which built-ins hash, sign and verify. Every method is synchronous. The
 * portable adapter is pure TypeScript; `@bailiwick/rego/node` gives one on Node's own library.
 */

export type HashName = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';
export type CurveName = 'P-256' | 'P-384' | 'P-521';

export interface RsaPublicKey {
  readonly kind: 'rsa';
  readonly n: bigint;
  readonly e: bigint;
}

export interface EcPublicKey {
  readonly kind: 'ec';
  readonly curve: CurveName;
  readonly x: bigint;
  readonly y: bigint;
}

/** Shape: `bytes` is 32 long. */
export interface EdPublicKey {
  readonly kind: 'ed25519';
  readonly bytes: Uint8Array;
}

export type PublicKey = RsaPublicKey | EcPublicKey | EdPublicKey;

export interface RsaPrivateKey extends RsaPublicKey {
  readonly d: bigint;
  readonly p: bigint;
  readonly q: bigint;
}

export interface EcPrivateKey extends EcPublicKey {
  readonly d: bigint;
}

/** Shape: `seed` is 32 long. */
export interface EdPrivateKey extends EdPublicKey {
  readonly seed: Uint8Array;
}

export type PrivateKey = RsaPrivateKey | EcPrivateKey | EdPrivateKey;

/** How a message becomes a signature. EC signatures are r and s side by side, of the curve's width. */
export type SignatureScheme =
  | { readonly kind: 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa'; readonly hash: HashName }
  | { readonly kind: 'ed25519' };

export interface CryptoProvider {
  hash(algorithm: HashName, data: Uint8Array): Uint8Array;
  hmac(algorithm: HashName, key: Uint8Array, data: Uint8Array): Uint8Array;
  verify(scheme: SignatureScheme, key: PublicKey, message: SignedMessage): boolean;
  sign(scheme: SignatureScheme, key: PrivateKey, message: Uint8Array): Uint8Array;
}

export interface SignedMessage {
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
}

/** Compares without telling by its time where two byte strings differ. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
