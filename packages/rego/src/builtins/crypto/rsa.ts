/** RSA signatures, PKCS #1 v1.5 and PSS (RFC 8017), for verification anywhere and signing in tests. */
import { concatBytes, decodeHex } from '../bytes.js';
import { byteLength, power, toFixedBytes, toInteger } from './bigint-math.js';
import {
  equalBytes,
  type HashName,
  type RsaPrivateKey,
  type RsaPublicKey,
  type SignedMessage,
} from './crypto-provider.js';
import { hash } from './hashing.js';

/** DER prefixes of DigestInfo. */
const DIGEST_INFO: Readonly<Record<HashName, string>> = {
  md5: '3020300c06082a864886f70d020505000410',
  sha1: '3021300906052b0e03021a05000414',
  sha224: '302d300d06096086480165030402040500041c',
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};

function encodePkcs1(algorithm: HashName, data: Uint8Array, length: number): Uint8Array | undefined {
  const info = concatBytes(decodeHex(DIGEST_INFO[algorithm]), hash(algorithm, data));
  if (length < info.length + 11) return undefined;
  const padding = new Uint8Array(length - info.length - 3).fill(0xff);
  return concatBytes(Uint8Array.of(0, 1), padding, Uint8Array.of(0), info);
}

/** The encoded message under a signature, or undefined when the signature cannot be one. */
function open(key: RsaPublicKey, signature: Uint8Array): Uint8Array | undefined {
  const length = byteLength(key.n);
  const value = toInteger(signature);
  if (signature.length !== length || value >= key.n) return undefined;
  return toFixedBytes(power(value, key.e, key.n), length);
}

export function verifyPkcs1(algorithm: HashName, key: RsaPublicKey, { data, signature }: SignedMessage): boolean {
  const opened = open(key, signature);
  const expected = encodePkcs1(algorithm, data, byteLength(key.n));
  return opened !== undefined && expected !== undefined && equalBytes(opened, expected);
}

export function signPkcs1(algorithm: HashName, key: RsaPrivateKey, data: Uint8Array): Uint8Array {
  const encoded = encodePkcs1(algorithm, data, byteLength(key.n));
  if (encoded === undefined) throw new RangeError('the RSA key is too short for the digest');
  return toFixedBytes(power(toInteger(encoded), key.d, key.n), encoded.length);
}

function mask(algorithm: HashName, seed: Uint8Array, length: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0, made = 0; made < length; i++) {
    const part = hash(algorithm, concatBytes(seed, Uint8Array.of(i >>> 24, i >>> 16, i >>> 8, i)));
    parts.push(part);
    made += part.length;
  }
  return concatBytes(...parts).subarray(0, length);
}

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ (b[i] as number));
const bitLength = (value: bigint): number => value.toString(2).length;

/** EMSA-PSS verification with a salt of any length. */
export function verifyPss(algorithm: HashName, key: RsaPublicKey, { data, signature }: SignedMessage): boolean {
  const opened = open(key, signature);
  if (opened === undefined) return false;
  const bits = bitLength(key.n) - 1;
  const length = Math.ceil(bits / 8);
  const encoded = opened.subarray(opened.length - length);
  const digest = hash(algorithm, data);
  if (length < digest.length + 2 || encoded.at(-1) !== 0xbc || (opened.length > length && opened[0] !== 0))
    return false;
  const masked = encoded.subarray(0, length - digest.length - 1);
  const seed = encoded.subarray(masked.length, length - 1);
  const spare = 8 * length - bits;
  if (((masked[0] as number) & (0xff << (8 - spare)) & 0xff) !== 0) return false;
  const block = xor(masked, mask(algorithm, seed, masked.length));
  block[0] = (block[0] as number) & (0xff >> spare);
  const one = block.findIndex((byte) => byte !== 0);
  if (one < 0 || block[one] !== 1) return false;
  const again = hash(algorithm, concatBytes(new Uint8Array(8), digest, block.subarray(one + 1)));
  return equalBytes(again, seed);
}

/** Shape: `salt` has the digest's length, as JWS wants it. */
export function signPss(
  algorithm: HashName,
  key: RsaPrivateKey,
  message: { data: Uint8Array; salt: Uint8Array },
): Uint8Array {
  const bits = bitLength(key.n) - 1;
  const length = Math.ceil(bits / 8);
  const digest = hash(algorithm, message.data);
  const seed = hash(algorithm, concatBytes(new Uint8Array(8), digest, message.salt));
  const zeros = length - message.salt.length - digest.length - 2;
  if (zeros < 0) throw new RangeError('the RSA key is too short for the digest');
  const block = concatBytes(new Uint8Array(zeros), Uint8Array.of(1), message.salt);
  const masked = xor(block, mask(algorithm, seed, block.length));
  masked[0] = (masked[0] as number) & (0xff >> (8 * length - bits));
  const encoded = concatBytes(masked, seed, Uint8Array.of(0xbc));
  return toFixedBytes(power(toInteger(encoded), key.d, key.n), byteLength(key.n));
}
