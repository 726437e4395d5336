/** Our keys as etcd's bytes and back: a namespace in front, and the end of a range of a prefix. */

export interface KeySpace {
  toBytes(key: string): Buffer;
  toKey(bytes: Buffer): string;
  /** `key` and `range_end` of all keys that begin with the prefix. */
  toRange(prefix: string): { readonly key: Buffer; readonly range_end: Buffer };
}

const zero = Buffer.from([0]);

function rangeOf(start: Buffer): { readonly key: Buffer; readonly range_end: Buffer } {
  if (start.length === 0) return { key: zero, range_end: zero };
  const end = Buffer.from(start);
  for (let index = end.length - 1; index >= 0; index -= 1) {
    const byte = end[index] as number;
    if (byte === 0xff) continue;
    end[index] = byte + 1;
    return { key: start, range_end: end.subarray(0, index + 1) };
  }
  return { key: start, range_end: zero };
}

export function makeKeySpace(namespace: string): KeySpace {
  const skip = Buffer.byteLength(namespace);
  return {
    toBytes: (key) => Buffer.from(namespace + key),
    toKey: (bytes) => bytes.toString('utf8', skip),
    toRange: (prefix) => rangeOf(Buffer.from(namespace + prefix)),
  };
}
