/** Bytes to text: by byte order mark, by the pattern of zeros (UTF-16), as UTF-8, and only then as Windows-1252. */

const startsWith = (bytes: Uint8Array, ...start: readonly number[]): boolean =>
  start.every((byte, index) => bytes[index] === byte);

/** UTF-16 of mostly Latin text has a zero in every second byte. */
function utf16Order(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const length = Math.min(bytes.length, 4096) & ~1;
  if (length < 4) return undefined;
  const zeros = [0, 0];
  for (let index = 0; index < length; index++) if (bytes[index] === 0) zeros[index & 1]!++;
  const [even = 0, odd = 0] = zeros;
  if (odd > length * 0.3 && even < length * 0.02) return 'utf-16le';
  if (even > length * 0.3 && odd < length * 0.02) return 'utf-16be';
  return undefined;
}

/** Control codes that no text has; a page break, an escape for colours and the end-of-file mark of old systems may be. */
const isBinaryByte = (byte: number): boolean =>
  byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 12 && byte !== 27 && byte !== 26;

/** Zeros and control codes, in the first and last 64 KiB: one in a thousand is too many. */
function looksBinary(bytes: Uint8Array): boolean {
  const window = 64 * 1024;
  const samples = [bytes.subarray(0, window), bytes.subarray(Math.max(window, bytes.length - window))];
  let controls = 0;
  let looked = 0;
  for (const sample of samples) {
    looked += sample.length;
    for (const byte of sample) if (isBinaryByte(byte)) controls++;
  }
  return controls * 1000 > looked;
}

/** What an HTML page says of itself in its first 1,024 bytes; browsers read it there too. */
function declaredCharset(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024)).toString('latin1');
  if (!/<(?:!doctype|html|head|meta)/i.test(head)) return undefined;
  return /<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)/i.exec(head)?.[1]?.toLowerCase();
}

function decodeAs(bytes: Uint8Array, label: string): string | undefined {
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Undefined: this is no text. Without its byte order mark. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (startsWith(bytes, 0xef, 0xbb, 0xbf)) return new TextDecoder().decode(bytes);
  // UTF-32 begins like UTF-16; nobody sends it.
  if (startsWith(bytes, 0xff, 0xfe, 0, 0) || startsWith(bytes, 0, 0, 0xfe, 0xff)) return undefined;
  if (startsWith(bytes, 0xff, 0xfe)) return decodeAs(bytes, 'utf-16le');
  if (startsWith(bytes, 0xfe, 0xff)) return decodeAs(bytes, 'utf-16be');
  const order = utf16Order(bytes);
  if (order) return decodeAs(bytes, order);
  if (looksBinary(bytes)) return undefined;
  const utf8 = decodeAs(bytes, 'utf-8');
  if (utf8 !== undefined) return utf8;
  return decodeAs(bytes, declaredCharset(bytes) ?? 'windows-1252') ?? decodeAs(bytes, 'windows-1252');
}
