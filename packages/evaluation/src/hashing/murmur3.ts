/**
 * MurmurHash3 x86 32-bit (Appleby, public domain) over the UTF-8 bytes of a string, without making those bytes: code
 * units are encoded on the fly. Libraries that hash UTF-16 units put about half of all CJK identifiers into another
 * bucket than Go, Java and Python do. A lone surrogate counts as U+FFFD, as every UTF-8 encoder writes it.
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** A hash under way: 32-bit state, the bytes not yet in a block (little-endian), and the length in bytes so far. */
export interface MurmurState {
  readonly hash: number;
  readonly tail: number;
  readonly length: number;
}

function mix(hash: number, block: number): number {
  let k = Math.imul(block, C1);
  k = (k << 15) | (k >>> 17);
  const mixed = hash ^ Math.imul(k, C2);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(state: number, tail: number, length: number): number {
  let hash = state;
  if ((length & 3) !== 0) {
    let k = Math.imul(tail, C1);
    k = (k << 15) | (k >>> 17);
    hash ^= Math.imul(k, C2);
  }
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** The state after a prefix; the rest of the text goes through `murmur3From`. A pair of surrogates must not be cut in two. */
export function murmur3Prefix(text: string, seed = 0): MurmurState {
  let hash = seed | 0;
  let tail = 0;
  let length = 0;
  for (const byte of utf8Bytes(text)) {
    tail |= byte << ((length & 3) << 3);
    length += 1;
    if ((length & 3) === 0) {
      hash = mix(hash, tail);
      tail = 0;
    }
  }
  return { hash, tail, length };
}

/**
 * The hash of the prefix followed by `text`, as a signed 32-bit integer (`>>> 0` makes it unsigned): those are never
 * boxed. Cost: one pass, nothing allocated for ASCII.
 */
export function murmur3From(prefix: MurmurState, text: string): number {
  let hash = prefix.hash;
  let tail = prefix.tail;
  let length = prefix.length;
  const end = text.length;
  let index = 0;
  // To a block's boundary, then four units at once, then the rest.
  for (; (length & 3) !== 0 && index < end; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return murmur3Wide({ hash, tail, length }, text, index);
    tail |= unit << ((length & 3) << 3);
    length += 1;
    if ((length & 3) === 0) {
      hash = mix(hash, tail);
      tail = 0;
    }
  }
  for (; index + 3 < end; index += 4) {
    const a = text.charCodeAt(index);
    const b = text.charCodeAt(index + 1);
    const c = text.charCodeAt(index + 2);
    const d = text.charCodeAt(index + 3);
    if ((a | b | c | d) > 0x7f) return murmur3Wide({ hash, tail, length }, text, index);
    hash = mix(hash, a | (b << 8) | (c << 16) | (d << 24));
    length += 4;
  }
  for (; index < end; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return murmur3Wide({ hash, tail, length }, text, index);
    tail |= unit << ((length & 3) << 3);
    length += 1;
  }
  return finish(hash, tail, length);
}

/** The slower way from the first unit that is not ASCII. */
function murmur3Wide(state: MurmurState, text: string, from: number): number {
  let { hash, tail, length } = state;
  for (const byte of utf8Bytes(text, from)) {
    tail |= byte << ((length & 3) << 3);
    length += 1;
    if ((length & 3) === 0) {
      hash = mix(hash, tail);
      tail = 0;
    }
  }
  return finish(hash, tail, length);
}

/** MurmurHash3 x86 32 of the UTF-8 bytes of `text`, unsigned. */
export const murmur3 = (text: string, seed = 0): number =>
  murmur3From({ hash: seed | 0, tail: 0, length: 0 }, text) >>> 0;

/** The UTF-8 bytes of `text` from a code unit on; a lone surrogate gives EF BF BD. */
export function utf8Bytes(text: string, from = 0): number[] {
  const bytes: number[] = [];
  for (let index = from; index < text.length; index += 1) {
    let point = text.codePointAt(index) ?? 0;
    if (point > 0xffff) index += 1;
    else if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
  }
  return bytes;
}
