/** Modular arithmetic and conversions between bytes and big integers, for signatures. */
import { work } from '../../values/index.js';
import { encodeHex } from '../bytes.js';

export function toInteger(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${encodeHex(bytes)}`);
}

/** Big-endian bytes of a fixed length; the value must fit. */
export function toFixedBytes(value: bigint, length: number): Uint8Array {
  const hex = value.toString(16).padStart(length * 2, '0');
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16));
}

/** The least non-negative residue. */
export function modulo(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** Cost: one squaring per bit of the exponent; time depends on the exponent. */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = modulo(base, modulus);
  // Products of two numbers of n words take n² steps.
  const words = modulus.toString(16).length >> 4;
  const cost = 2 + ((words * words) >> 4);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    work(cost);
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** The inverse of a number that has one. */
export function invert(value: bigint, modulus: bigint): bigint {
  let [a, b] = [modulo(value, modulus), modulus];
  let [x, y] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return modulo(x, modulus);
}

export const byteLength = (value: bigint): number => Math.ceil(value.toString(16).length / 2);
