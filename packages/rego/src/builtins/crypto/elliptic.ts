/**
 * ECDSA over the NIST curves (FIPS 186-5) in Jacobian coordinates, with deterministic nonces
 * (RFC 6979). Not constant in time: meant for verification; on a server sign through Node.
 */
import { concatBytes } from '../bytes.js';
import { invert, modulo, power, toFixedBytes, toInteger } from './bigint-math.js';
import type { CurveName, EcPrivateKey, EcPublicKey, HashName, SignedMessage } from './crypto-provider.js';
import { hash, hmac } from './hashing.js';

/** `y² = x³ - 3x + b` over the field of `p`, with a base point of order `n`. */
export interface Curve {
  readonly p: bigint;
  readonly n: bigint;
  readonly b: bigint;
  readonly gx: bigint;
  readonly gy: bigint;
  /** Bytes of a coordinate. */
  readonly width: number;
}

export const CURVES: Readonly<Record<CurveName, Curve>> = {
  'P-256': {
    p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    gx: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
    gy: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
    width: 32,
  },
  'P-384': {
    p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    gx: 0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7n,
    gy: 0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5fn,
    width: 48,
  },
  'P-521': {
    p: 2n ** 521n - 1n,
    n: 0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    gx: 0x00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66n,
    gy: 0x011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650n,
    width: 66,
  },
};

interface Point {
  readonly x: bigint;
  readonly y: bigint;
  /** Zero at infinity. */
  readonly z: bigint;
}

const INFINITY: Point = { x: 1n, y: 1n, z: 0n };

function double({ x, y, z }: Point, p: bigint): Point {
  if (z === 0n || y === 0n) return INFINITY;
  const zz = (z * z) % p;
  const slope = modulo(3n * (x - zz) * (x + zz), p);
  const yy = (y * y) % p;
  const s = (4n * x * yy) % p;
  const x3 = modulo(slope * slope - 2n * s, p);
  return { x: x3, y: modulo(slope * (s - x3) - 8n * yy * yy, p), z: (2n * y * z) % p };
}

function addPoints(a: Point, b: Point, p: bigint): Point {
  if (a.z === 0n) return b;
  if (b.z === 0n) return a;
  const [za, zb] = [(a.z * a.z) % p, (b.z * b.z) % p];
  const [u1, u2] = [(a.x * zb) % p, (b.x * za) % p];
  const [s1, s2] = [(a.y * zb * b.z) % p, (b.y * za * a.z) % p];
  if (u1 === u2) return s1 === s2 ? double(a, p) : INFINITY;
  const h = modulo(u2 - u1, p);
  const r = modulo(s2 - s1, p);
  const hh = (h * h) % p;
  const hhh = (h * hh) % p;
  const v = (u1 * hh) % p;
  const x = modulo(r * r - hhh - 2n * v, p);
  return { x, y: modulo(r * (v - x) - s1 * hhh, p), z: (h * a.z * b.z) % p };
}

function multiplyPoint(point: Point, scalar: bigint, p: bigint): Point {
  let result = INFINITY;
  for (const bit of scalar.toString(2)) {
    result = double(result, p);
    if (bit === '1') result = addPoints(result, point, p);
  }
  return result;
}

function toAffine({ x, y, z }: Point, p: bigint): { readonly x: bigint; readonly y: bigint } {
  const inverse = invert(z, p);
  const square = (inverse * inverse) % p;
  return { x: (x * square) % p, y: (y * square * inverse) % p };
}

export function isOnCurve(curve: Curve, x: bigint, y: bigint): boolean {
  if (x >= curve.p || y >= curve.p) return false;
  return modulo(y * y - (x * x * x - 3n * x + curve.b), curve.p) === 0n;
}

/** The point of a compressed key, or undefined when there is none. */
export function decompress(curve: Curve, x: bigint, isOdd: boolean): bigint | undefined {
  const square = modulo(x * x * x - 3n * x + curve.b, curve.p);
  const root = power(square, (curve.p + 1n) / 4n, curve.p);
  if ((root * root) % curve.p !== square) return undefined;
  return (root & 1n) === (isOdd ? 1n : 0n) ? root : curve.p - root;
}

export function publicPoint(name: CurveName, d: bigint): EcPublicKey {
  const curve = CURVES[name];
  const { x, y } = toAffine(multiplyPoint({ x: curve.gx, y: curve.gy, z: 1n }, d, curve.p), curve.p);
  return { kind: 'ec', curve: name, x, y };
}

/** The leftmost bits of a digest, as many as the order has. */
function digestToInteger(digest: Uint8Array, n: bigint): bigint {
  const surplus = digest.length * 8 - n.toString(2).length;
  const value = toInteger(digest);
  return surplus > 0 ? value >> BigInt(surplus) : value;
}

export function verifyEcdsa(algorithm: HashName, key: EcPublicKey, { data, signature }: SignedMessage): boolean {
  const curve = CURVES[key.curve];
  const { n, p } = curve;
  if (signature.length !== curve.width * 2 || !isOnCurve(curve, key.x, key.y)) return false;
  const r = toInteger(signature.subarray(0, curve.width));
  const s = toInteger(signature.subarray(curve.width));
  if (r === 0n || s === 0n || r >= n || s >= n) return false;
  const inverse = invert(s, n);
  const u1 = (digestToInteger(hash(algorithm, data), n) * inverse) % n;
  const u2 = (r * inverse) % n;
  const sum = addPoints(
    multiplyPoint({ x: curve.gx, y: curve.gy, z: 1n }, u1, p),
    multiplyPoint({ x: key.x, y: key.y, z: 1n }, u2, p),
    p,
  );
  return sum.z !== 0n && toAffine(sum, p).x % n === r;
}

/** The nonces of RFC 6979, section 3.2. */
function* nonces(algorithm: HashName, key: EcPrivateKey, digest: Uint8Array): Generator<bigint> {
  const { n } = CURVES[key.curve];
  const width = Math.ceil(n.toString(2).length / 8);
  const seed = concatBytes(toFixedBytes(key.d, width), toFixedBytes(digestToInteger(digest, n) % n, width));
  let v: Uint8Array = new Uint8Array(digest.length).fill(1);
  let k: Uint8Array = new Uint8Array(digest.length);
  for (const tag of [0, 1]) {
    k = hmac(algorithm, k, concatBytes(v, Uint8Array.of(tag), seed));
    v = hmac(algorithm, k, v);
  }
  for (;;) {
    let made: Uint8Array = new Uint8Array(0);
    while (made.length < width) {
      v = hmac(algorithm, k, v);
      made = concatBytes(made, v);
    }
    const nonce = digestToInteger(made.subarray(0, width), n);
    if (nonce > 0n && nonce < n) yield nonce;
    k = hmac(algorithm, k, concatBytes(v, Uint8Array.of(0)));
    v = hmac(algorithm, k, v);
  }
}

export function signEcdsa(algorithm: HashName, key: EcPrivateKey, data: Uint8Array): Uint8Array {
  const curve = CURVES[key.curve];
  const digest = hash(algorithm, data);
  const z = digestToInteger(digest, curve.n);
  for (const nonce of nonces(algorithm, key, digest)) {
    const point = toAffine(multiplyPoint({ x: curve.gx, y: curve.gy, z: 1n }, nonce, curve.p), curve.p);
    const r = point.x % curve.n;
    const s = (invert(nonce, curve.n) * (z + r * key.d)) % curve.n;
    if (r !== 0n && s !== 0n) return concatBytes(toFixedBytes(r, curve.width), toFixedBytes(s, curve.width));
  }
  throw new RangeError('unreachable: the nonces never end');
}
