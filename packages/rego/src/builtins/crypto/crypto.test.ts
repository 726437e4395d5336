import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../../node-crypto.js';
import type { HashName, PrivateKey, SignatureScheme } from './crypto-provider.js';
import { parsePkcs8, parsePublicKey } from './keys.js';
import { portableCrypto } from './portable-crypto.js';

const HASHES: readonly HashName[] = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'];
const bytes = fc.uint8Array({ maxLength: 300 });

describe.each(HASHES)('%s in plain TypeScript', (name) => {
  it('digests as Node does', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        expect(Buffer.from(portableCrypto.hash(name, data)).toString('hex')).toBe(
          Buffer.from(nodeCrypto.hash(name, data)).toString('hex'),
        );
      }),
    );
  });

  it('keys digests as Node does', () => {
    fc.assert(
      fc.property(bytes, bytes, (key, data) => {
        expect(Buffer.from(portableCrypto.hmac(name, key, data))).toEqual(
          Buffer.from(nodeCrypto.hmac(name, key, data)),
        );
      }),
      { numRuns: 30 },
    );
  });
});

const der = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
} as const;
interface Pair {
  readonly publicKey: Buffer;
  readonly privateKey: Buffer;
}
const pairOf = (pair: unknown): Pair => pair as Pair;
const rsa = pairOf(generateKeyPairSync('rsa', { modulusLength: 1024, ...der }));
const KEYS: readonly (readonly [string, Pair, SignatureScheme])[] = [
  ['RS256', rsa, { kind: 'rsa-pkcs1', hash: 'sha256' }],
  ['PS256', rsa, { kind: 'rsa-pss', hash: 'sha256' }],
  ['ES256', pairOf(generateKeyPairSync('ec', { namedCurve: 'P-256', ...der })), { kind: 'ecdsa', hash: 'sha256' }],
  ['ES384', pairOf(generateKeyPairSync('ec', { namedCurve: 'P-384', ...der })), { kind: 'ecdsa', hash: 'sha384' }],
  ['ES512', pairOf(generateKeyPairSync('ec', { namedCurve: 'P-521', ...der })), { kind: 'ecdsa', hash: 'sha512' }],
  ['EdDSA', pairOf(generateKeyPairSync('ed25519', der)), { kind: 'ed25519' }],
];

describe.each(KEYS)('%s', (_name, pair, scheme) => {
  const publicKey = parsePublicKey(pair.publicKey);
  const privateKey: PrivateKey = parsePkcs8(pair.privateKey);
  const data = new TextEncoder().encode('header.payload');

  it.each([
    ['plain TypeScript', portableCrypto, 'Node', nodeCrypto],
    ['Node', nodeCrypto, 'plain TypeScript', portableCrypto],
  ] as const)('signed by %s is verified by %s', (_signer, signer, _verifier, verifier) => {
    const signature = signer.sign(scheme, privateKey, data);
    expect(verifier.verify(scheme, publicKey, { data, signature })).toBe(true);
    const changed = Uint8Array.from(signature);
    changed[10] = (changed[10] as number) ^ 1;
    expect(verifier.verify(scheme, publicKey, { data, signature: changed })).toBe(false);
    expect(verifier.verify(scheme, publicKey, { data: data.subarray(1), signature })).toBe(false);
  });

  it('refuses keys of another kind', () => {
    const other: SignatureScheme = scheme.kind === 'ecdsa' ? { kind: 'ed25519' } : { kind: 'ecdsa', hash: 'sha256' };
    expect(portableCrypto.verify(other, publicKey, { data, signature: data })).toBe(false);
  });
});
