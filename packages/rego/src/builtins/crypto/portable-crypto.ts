/** The crypto adapter that needs no platform: for browsers, and for tests against the platform's. */
import type { CryptoProvider, HashName } from './crypto-provider.js';
import { signEd25519, verifyEd25519 } from './edwards.js';
import { signEcdsa, verifyEcdsa } from './elliptic.js';
import { hash, hmac } from './hashing.js';
import { signPkcs1, signPss, verifyPkcs1, verifyPss } from './rsa.js';

/** A salt from the message keeps signing deterministic; PSS stays secure with any salt. */
const saltFor = (algorithm: HashName, data: Uint8Array): Uint8Array => hash(algorithm, hash(algorithm, data));

export const portableCrypto: CryptoProvider = {
  hash,
  hmac,
  verify(scheme, key, message) {
    if (scheme.kind === 'ed25519') return key.kind === 'ed25519' && verifyEd25519(key, message);
    if (scheme.kind === 'ecdsa') return key.kind === 'ec' && verifyEcdsa(scheme.hash, key, message);
    if (key.kind !== 'rsa') return false;
    return scheme.kind === 'rsa-pkcs1' ? verifyPkcs1(scheme.hash, key, message) : verifyPss(scheme.hash, key, message);
  },
  sign(scheme, key, data) {
    if (scheme.kind === 'ed25519' && key.kind === 'ed25519') return signEd25519(key, data);
    if (scheme.kind === 'ecdsa' && key.kind === 'ec') return signEcdsa(scheme.hash, key, data);
    if (scheme.kind === 'rsa-pkcs1' && key.kind === 'rsa') return signPkcs1(scheme.hash, key, data);
    if (scheme.kind === 'rsa-pss' && key.kind === 'rsa') {
      return signPss(scheme.hash, key, { data, salt: saltFor(scheme.hash, data) });
    }
    throw new RangeError(`a key of kind ${key.kind} cannot sign with ${scheme.kind}`);
  },
};
