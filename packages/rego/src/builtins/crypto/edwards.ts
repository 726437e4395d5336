/** Ed25519 (RFC 8032). Not constant in time: meant for verification; on a server sign through Node. */
import { concatBytes } from '../bytes.js';
import { invert, modulo, power, toFixedBytes, toInteger } from './bigint-math.js';
import { type EdPrivateKey, type EdPublicKey, equalBytes, type SignedMessage } from './crypto-provider.js';
import { hash } from './hashing.js';

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = modulo(-121665n * invert(121666n, P), P);
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n, P);

/** Extended coordinates: x = X/Z, y = Y/Z, xy = T/Z. */
interface Point {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
  readonly t: bigint;
}

const IDENTITY: Point = { x: 0n, y: 1n, z: 1n, t: 0n };

function add(a: Point, b: Point): Point {
  const s = modulo((a.y - a.x) * (b.y - b.x), P);
  const u = modulo((a.y + a.x) * (b.y + b.x), P);
  const v = modulo(2n * a.t * b.t * D, P);
  const w = modulo(2n * a.z * b.z, P);
  const [e, f, g, h] = [u - s, w - v, w + v, u + s];
  return { x: modulo(e * f, P), y: modulo(g * h, P), z: modulo(f * g, P), t: modulo(e * h, P) };
}

function multiply(point: Point, scalar: bigint): Point {
  let result = IDENTITY;
  for (const bit of scalar.toString(2)) {
    result = add(result, result);
    if (bit === '1') result = add(result, point);
  }
  return result;
}

function decode(bytes: Uint8Array): Point | undefined {
  const raw = toInteger(bytes.toReversed());
  const y = raw & (2n ** 255n - 1n);
  if (bytes.length !== 32 || y >= P) return undefined;
  const square = modulo((y * y - 1n) * invert(D * y * y + 1n, P), P);
  let x = power(square, (P + 3n) / 8n, P);
  if (modulo(x * x - square, P) !== 0n) x = (x * ROOT_OF_MINUS_ONE) % P;
  if (modulo(x * x - square, P) !== 0n) return undefined;
  const sign = raw >> 255n;
  if (x === 0n && sign === 1n) return undefined;
  if ((x & 1n) !== sign) x = P - x;
  return { x, y, z: 1n, t: (x * y) % P };
}

function encode({ x, y, z }: Point): Uint8Array {
  const inverse = invert(z, P);
  const value = ((y * inverse) % P) | ((((x * inverse) % P) & 1n) << 255n);
  return toFixedBytes(value, 32).toReversed();
}

let cachedBase: Point | undefined;
function base(): Point {
  cachedBase ??= decode(toFixedBytes((4n * invert(5n, P)) % P, 32).toReversed()) as Point;
  return cachedBase;
}

const reduce = (bytes: Uint8Array): bigint => toInteger(bytes.toReversed()) % ORDER;

export function verifyEd25519(key: EdPublicKey, { data, signature }: SignedMessage): boolean {
  const point = decode(key.bytes);
  if (signature.length !== 64 || point === undefined) return false;
  const r = signature.subarray(0, 32);
  const s = toInteger(signature.subarray(32).toReversed());
  if (s >= ORDER) return false;
  const k = reduce(hash('sha512', concatBytes(r, key.bytes, data)));
  const negative = { ...point, x: modulo(-point.x, P), t: modulo(-point.t, P) };
  return equalBytes(encode(add(multiply(base(), s), multiply(negative, k))), r);
}

function expand(seed: Uint8Array): { readonly scalar: bigint; readonly prefix: Uint8Array } {
  const digest = hash('sha512', seed);
  const low = digest.slice(0, 32);
  low[0] = (low[0] as number) & 248;
  low[31] = ((low[31] as number) & 127) | 64;
  return { scalar: toInteger(low.toReversed()), prefix: digest.subarray(32) };
}

export function edPublicKey(seed: Uint8Array): EdPublicKey {
  return { kind: 'ed25519', bytes: encode(multiply(base(), expand(seed).scalar)) };
}

export function signEd25519(key: EdPrivateKey, data: Uint8Array): Uint8Array {
  const { scalar, prefix } = expand(key.seed);
  const nonce = reduce(hash('sha512', concatBytes(prefix, data)));
  const r = encode(multiply(base(), nonce));
  const k = reduce(hash('sha512', concatBytes(r, key.bytes, data)));
  return concatBytes(r, toFixedBytes((nonce + k * scalar) % ORDER, 32).toReversed());
}
