/**
 * MD5, SHA-1 and SHA-2 (RFC 1321, FIPS 180-4) and HMAC (RFC 2104) in plain TypeScript. The round
 * constants are computed as the standards define them, from sines and roots of primes, when first
 * needed; 64-bit words are kept as two 32-bit halves.
 */
import { work } from '../../values/index.js';
import type { HashName } from './crypto-provider.js';

function primes(count: number): readonly bigint[] {
  const found: bigint[] = [];
  for (let candidate = 2n; found.length < count; candidate++) {
    if (found.every((prime) => candidate % prime !== 0n)) found.push(candidate);
  }
  return found;
}

/** A block hashed, in steps of a policy. */
const BLOCK_COST = 12;

/** The integer root of a number, by Newton's method from above. */
function integerRoot(value: bigint, degree: bigint): bigint {
  let guess = 1n << BigInt(Math.ceil(value.toString(2).length / Number(degree)));
  for (;;) {
    const next = ((degree - 1n) * guess + value / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** The first 64 bits of the fraction of a prime's root. */
const rootFraction = (prime: bigint, degree: bigint): bigint =>
  integerRoot(prime << (64n * degree), degree) & 0xffffffffffffffffn;

interface Constants {
  /** High and low halves by turns. */
  readonly rounds512: Uint32Array;
  readonly rounds256: Uint32Array;
  readonly initial: Readonly<Record<Exclude<HashName, 'md5' | 'sha1'>, Uint32Array>>;
}

function computeConstants(): Constants {
  const cubes = primes(80).map((prime) => rootFraction(prime, 3n));
  const squares = primes(16).map((prime) => rootFraction(prime, 2n));
  const high = (value: bigint): number => Number(value >> 32n);
  const low = (value: bigint): number => Number(value & 0xffffffffn);
  const pairs = (values: readonly bigint[]): Uint32Array =>
    Uint32Array.from(values.flatMap((value) => [high(value), low(value)]));
  return {
    rounds512: pairs(cubes),
    rounds256: Uint32Array.from(cubes.slice(0, 64).map(high)),
    initial: {
      sha256: Uint32Array.from(squares.slice(0, 8).map(high)),
      sha224: Uint32Array.from(squares.slice(8).map(low)),
      sha512: pairs(squares.slice(0, 8)),
      sha384: pairs(squares.slice(8)),
    },
  };
}

let cachedConstants: Constants | undefined;
function constants(): Constants {
  cachedConstants ??= computeConstants();
  return cachedConstants;
}

/** Appends the one bit, zeros and the length in bits. */
function padMessage(data: Uint8Array, blockBytes: 64 | 128, bigEndian: boolean): DataView {
  const lengthBytes = blockBytes / 8;
  const total = Math.ceil((data.length + 1 + lengthBytes) / blockBytes) * blockBytes;
  const padded = new Uint8Array(total);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(bigEndian ? total - 8 : total - 8, BigInt(data.length) * 8n, !bigEndian);
  return view;
}

const rotateLeft = (x: number, by: number): number => (x << by) | (x >>> (32 - by));
const rotateRight = (x: number, by: number): number => (x >>> by) | (x << (32 - by));

function toBytes(words: ArrayLike<number>, littleEndian: boolean): Uint8Array {
  const out = new DataView(new ArrayBuffer(words.length * 4));
  for (let i = 0; i < words.length; i++) out.setUint32(i * 4, words[i] as number, littleEndian);
  return new Uint8Array(out.buffer);
}

const MD5_SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
let md5Sines: Uint32Array | undefined;

function md5(data: Uint8Array): Uint8Array {
  md5Sines ??= Uint32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));
  const view = padMessage(data, 64, false);
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let block = 0; block < view.byteLength; block += 64) {
    work(BLOCK_COST);
    let [a, b, c, d] = state as [number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      let mixed: number;
      let word: number;
      if (round === 0) [mixed, word] = [(b & c) | (~b & d), i];
      else if (round === 1) [mixed, word] = [(d & b) | (~d & c), (5 * i + 1) & 15];
      else if (round === 2) [mixed, word] = [b ^ c ^ d, (3 * i + 5) & 15];
      else [mixed, word] = [c ^ (b | ~d), (7 * i) & 15];
      const sum = (a + mixed + (md5Sines[i] as number) + view.getUint32(block + word * 4, true)) | 0;
      a = d;
      d = c;
      c = b;
      b = (b + rotateLeft(sum, MD5_SHIFTS[round * 4 + (i & 3)] as number)) | 0;
    }
    for (const [i, value] of [a, b, c, d].entries()) state[i] = ((state[i] as number) + value) | 0;
  }
  return toBytes(state, true);
}

const SHA1_CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];

function sha1(data: Uint8Array): Uint8Array {
  const view = padMessage(data, 64, true);
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  const words = new Int32Array(80);
  for (let block = 0; block < view.byteLength; block += 64) {
    work(BLOCK_COST);
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(block + i * 4);
    for (let i = 16; i < 80; i++) {
      const mixed = (words[i - 3] as number) ^ (words[i - 8] as number) ^ (words[i - 14] as number);
      words[i] = rotateLeft(mixed ^ (words[i - 16] as number), 1);
    }
    let [a, b, c, d, e] = state as [number, number, number, number, number];
    for (let i = 0; i < 80; i++) {
      const round = Math.floor(i / 20);
      const mixed = round === 0 ? (b & c) | (~b & d) : round === 2 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
      const sum = (rotateLeft(a, 5) + mixed + e + (SHA1_CONSTANTS[round] as number) + (words[i] as number)) | 0;
      e = d;
      d = c;
      c = rotateLeft(b, 30);
      b = a;
      a = sum;
    }
    for (const [i, value] of [a, b, c, d, e].entries()) state[i] = ((state[i] as number) + value) | 0;
  }
  return toBytes(state, false);
}

function sha256(data: Uint8Array, algorithm: 'sha224' | 'sha256'): Uint8Array {
  const { rounds256, initial } = constants();
  const state = Int32Array.from(initial[algorithm]);
  const view = padMessage(data, 64, true);
  const words = new Int32Array(64);
  for (let block = 0; block < view.byteLength; block += 64) {
    work(BLOCK_COST);
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(block + i * 4);
    for (let i = 16; i < 64; i++) {
      const x = words[i - 15] as number;
      const y = words[i - 2] as number;
      const s0 = rotateRight(x, 7) ^ rotateRight(x, 18) ^ (x >>> 3);
      const s1 = rotateRight(y, 17) ^ rotateRight(y, 19) ^ (y >>> 10);
      words[i] = (s0 + s1 + (words[i - 16] as number) + (words[i - 7] as number)) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const s1 = rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (rounds256[i] as number) + (words[i] as number)) | 0;
      const s0 = rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = ((state[i] as number) + value) | 0;
  }
  return toBytes(state, false).subarray(0, algorithm === 'sha224' ? 28 : 32);
}

const MASK = 0xffffffffffffffffn;
const rotate64 = (x: bigint, by: bigint): bigint => ((x >> by) | (x << (64n - by))) & MASK;

function pairsToWords(pairs: Uint32Array): bigint[] {
  return Array.from(
    { length: pairs.length / 2 },
    (_, i) => (BigInt(pairs[i * 2] as number) << 32n) | BigInt(pairs[i * 2 + 1] as number),
  );
}

/** On BigInt: a few times slower than halves would be, and a fraction of the code. */
function sha512(data: Uint8Array, algorithm: 'sha384' | 'sha512'): Uint8Array {
  const { rounds512, initial } = constants();
  const rounds = pairsToWords(rounds512);
  const state = pairsToWords(initial[algorithm]);
  const view = padMessage(data, 128, true);
  const words = new BigUint64Array(80);
  for (let block = 0; block < view.byteLength; block += 128) {
    work(BLOCK_COST);
    for (let i = 0; i < 16; i++) words[i] = view.getBigUint64(block + i * 8);
    for (let i = 16; i < 80; i++) {
      const x = words[i - 15] as bigint;
      const y = words[i - 2] as bigint;
      const s0 = rotate64(x, 1n) ^ rotate64(x, 8n) ^ (x >> 7n);
      const s1 = rotate64(y, 19n) ^ rotate64(y, 61n) ^ (y >> 6n);
      words[i] = s0 + s1 + (words[i - 16] as bigint) + (words[i - 7] as bigint);
    }
    let [a, b, c, d, e, f, g, h] = state as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
    for (let i = 0; i < 80; i++) {
      const s1 = rotate64(e, 14n) ^ rotate64(e, 18n) ^ rotate64(e, 41n);
      const t1 = h + s1 + ((e & f) ^ ((e ^ MASK) & g)) + (rounds[i] as bigint) + (words[i] as bigint);
      const s0 = rotate64(a, 28n) ^ rotate64(a, 34n) ^ rotate64(a, 39n);
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK, c, b, a, (t1 + t2) & MASK];
    }
    for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = ((state[i] as bigint) + value) & MASK;
  }
  const out = new DataView(new ArrayBuffer(64));
  for (const [i, value] of state.entries()) out.setBigUint64(i * 8, value);
  return new Uint8Array(out.buffer, 0, algorithm === 'sha384' ? 48 : 64);
}

/** The digest of some bytes. */
export function hash(algorithm: HashName, data: Uint8Array): Uint8Array {
  switch (algorithm) {
    case 'md5':
      return md5(data);
    case 'sha1':
      return sha1(data);
    case 'sha224':
    case 'sha256':
      return sha256(data, algorithm);
    case 'sha384':
    case 'sha512':
      return sha512(data, algorithm);
  }
}

const isWide = (algorithm: HashName): boolean => algorithm === 'sha384' || algorithm === 'sha512';

/** The keyed digest of some bytes. */
export function hmac(algorithm: HashName, key: Uint8Array, data: Uint8Array): Uint8Array {
  const blockBytes = isWide(algorithm) ? 128 : 64;
  const block = new Uint8Array(blockBytes);
  block.set(key.length > blockBytes ? hash(algorithm, key) : key);
  const keyed = (mask: number, tail: Uint8Array): Uint8Array => {
    const message = new Uint8Array(blockBytes + tail.length);
    for (let i = 0; i < blockBytes; i++) message[i] = (block[i] as number) ^ mask;
    message.set(tail, blockBytes);
    return hash(algorithm, message);
  };
  return keyed(0x5c, keyed(0x36, data));
}
