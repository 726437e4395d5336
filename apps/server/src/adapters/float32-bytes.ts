/** Vectors as bytes, four each, little-endian: to the last bit. */
import { endianness } from 'node:os';

function swapped(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes).swap32();
}

export function toBytes(vector: Float32Array): Buffer {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return endianness() === 'LE' ? Buffer.from(bytes) : swapped(bytes);
}

export function fromBytes(bytes: Uint8Array): Float32Array {
  // A copy: bytes of a driver's buffer need not begin at a multiple of four.
  const own = endianness() === 'LE' ? Uint8Array.from(bytes) : swapped(bytes);
  return new Float32Array(own.buffer, own.byteOffset, Math.floor(own.byteLength / 4));
}
