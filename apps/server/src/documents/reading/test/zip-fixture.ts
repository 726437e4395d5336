/** Packed files for tests, also such as no honest program writes: every field of an entry can be made to lie. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** What the headers say instead of the truth. */
  readonly declaredSize?: number;
  readonly flags?: number;
  /** The place of another entry's local header, to share its bytes. */
  readonly sharesWith?: number;
}

interface Written {
  readonly offset: number;
  readonly packed: Buffer;
  readonly size: number;
  readonly crc: number;
}

function header(signature: number, fields: readonly (readonly [value: number, bytes: 2 | 4])[], name: Buffer): Buffer {
  const head = Buffer.alloc(4 + fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  head.writeUInt32LE(signature, 0);
  let at = 4;
  for (const [value, bytes] of fields) at = head.writeUIntLE(value, at, bytes);
  return Buffer.concat([head, name]);
}

export function zip(entries: readonly ZipEntry[]): Uint8Array {
  const parts: Buffer[] = [];
  const written: Written[] = [];
  let offset = 0;
  for (const { name, content, declaredSize, flags = 0, sharesWith } of entries) {
    const shared = sharesWith === undefined ? undefined : written[sharesWith];
    if (shared) {
      written.push(shared);
      continue;
    }
    const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content);
    const packed = deflateRawSync(bytes, { level: 9 });
    const size = declaredSize ?? bytes.length;
    const crc = crc32(bytes);
    const nameBytes = Buffer.from(name);
    const fields = [
      [20, 2],
      [flags, 2],
      [8, 2],
      [0, 4],
      [crc, 4],
      [packed.length, 4],
      [size, 4],
      [nameBytes.length, 2],
      [0, 2],
    ] as const;
    const local = header(0x04034b50, fields, nameBytes);
    parts.push(local, packed);
    written.push({ offset, packed, size, crc });
    offset += local.length + packed.length;
  }
  const directoryStart = offset;
  for (const [index, { name, flags = 0 }] of entries.entries()) {
    const { offset: place, packed, size, crc } = written[index] as Written;
    const nameBytes = Buffer.from(name);
    const sizes = [
      [crc, 4],
      [packed.length, 4],
      [size, 4],
      [nameBytes.length, 2],
      [0, 2],
      [0, 2],
      [0, 2],
      [0, 2],
      [0, 4],
      [place, 4],
    ] as const;
    const central = header(0x02014b50, [[20, 2], [20, 2], [flags, 2], [8, 2], [0, 4], ...sizes], nameBytes);
    parts.push(central);
    offset += central.length;
  }
  const count = entries.length;
  parts.push(
    header(
      0x06054b50,
      [
        [0, 2],
        [0, 2],
        [count, 2],
        [count, 2],
        [offset - directoryStart, 4],
        [directoryStart, 4],
        [0, 2],
      ],
      Buffer.alloc(0),
    ),
  );
  return new Uint8Array(Buffer.concat(parts));
}
