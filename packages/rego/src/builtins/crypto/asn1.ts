/** A reader of DER (X.690), as far as keys and certificates need it. */
import { toInteger } from './bigint-math.js';

/** Malformed DER; `message` says what was wrong. */
export class Asn1Error extends Error {
  override readonly name = 'Asn1Error';
}

export const Tag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  Null: 0x05,
  ObjectId: 0x06,
  Utf8: 0x0c,
  Sequence: 0x30,
  Set: 0x31,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
} as const;

/** One element: its tag byte, its content, and the bytes with its header. */
export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly raw: Uint8Array;
}

/** Reads elements one after the other. */
export class DerReader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isDone(): boolean {
    return this.at >= this.bytes.length;
  }

  get rest(): Uint8Array {
    return this.bytes.subarray(this.at);
  }

  /** The tag of the next element, or -1 at the end. */
  get nextTag(): number {
    return this.bytes[this.at] ?? -1;
  }

  any(): Element {
    const start = this.at;
    const tag = this.byte();
    if ((tag & 0x1f) === 0x1f) throw new Asn1Error('high tag numbers are not supported');
    const length = this.length();
    const end = this.at + length;
    if (end > this.bytes.length) throw new Asn1Error('data truncated');
    const content = this.bytes.subarray(this.at, end);
    this.at = end;
    return { tag, content, raw: this.bytes.subarray(start, end) };
  }

  expect(tag: number): Element {
    if (this.nextTag !== tag) throw new Asn1Error(`tags don't match (${tag} vs ${this.nextTag})`);
    return this.any();
  }

  optional(tag: number): Element | undefined {
    return this.nextTag === tag ? this.any() : undefined;
  }

  sequence(): DerReader {
    return new DerReader(this.expect(Tag.Sequence).content);
  }

  integer(): bigint {
    return toSigned(this.expect(Tag.Integer).content);
  }

  objectId(): string {
    return toObjectId(this.expect(Tag.ObjectId).content);
  }

  octets(): Uint8Array {
    return this.expect(Tag.OctetString).content;
  }

  /** A bit string of whole bytes. */
  bits(): Uint8Array {
    const { content } = this.expect(Tag.BitString);
    if (content.length === 0) throw new Asn1Error('zero length BIT STRING');
    return content.subarray(1);
  }

  private byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new Asn1Error('data truncated');
    this.at++;
    return byte;
  }

  private length(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new Asn1Error('length too large');
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.byte();
    if (length < 0x80) throw new Asn1Error('non-minimal length');
    return length;
  }
}

export function toSigned(bytes: Uint8Array): bigint {
  if (bytes.length === 0) throw new Asn1Error('empty integer');
  return BigInt.asIntN(bytes.length * 8, toInteger(bytes));
}

export function toObjectId(bytes: Uint8Array): string {
  const parts: number[] = [];
  let value = 0;
  for (const byte of bytes) {
    value = value * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (parts.length === 0) {
      const first = Math.min(Math.floor(value / 40), 2);
      parts.push(first, value - first * 40);
    } else parts.push(value);
    value = 0;
  }
  if (parts.length === 0) throw new Asn1Error('zero length OBJECT IDENTIFIER');
  return parts.join('.');
}
