/**
 * Text and bytes: UTF-8, base64 and hexadecimal without any API beyond the language's and
 * TextEncoder. Bytes that are not UTF-8 become U+FFFD when they turn into a string.
 */
import { holdText, work } from '../values/index.js';
import { fail } from './errors.js';

/** Bytes between two notes of work; a multiple of three. */
const LOOK_EVERY = 192;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`;

export const utf8 = (text: string): Uint8Array => encoder.encode(text);
export const fromUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Which base64: the alphabet, and whether `=` fills the last group. */
export interface Base64Layout {
  readonly urlSafe: boolean;
  readonly padded: boolean;
}

export const BASE64: Base64Layout = { urlSafe: false, padded: true };
export const BASE64_URL: Base64Layout = { urlSafe: true, padded: true };
export const BASE64_URL_RAW: Base64Layout = { urlSafe: true, padded: false };

export function encodeBase64(bytes: Uint8Array, layout: Base64Layout): string {
  const alphabet = layout.urlSafe ? URL_SAFE : STANDARD;
  let out = '';
  holdText(bytes.length);
  for (let i = 0; i < bytes.length; i += 3) {
    if (i % LOOK_EVERY === 0) work(LOOK_EVERY >> 2);
    const left = bytes.length - i;
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out += (alphabet[group >> 18] as string) + (alphabet[(group >> 12) & 63] as string);
    if (left > 1) out += alphabet[(group >> 6) & 63] as string;
    if (left > 2) out += alphabet[group & 63] as string;
    else if (layout.padded) out += left === 1 ? '==' : '=';
  }
  return out;
}

function indexOfDigits(alphabet: string): Int8Array {
  const table = new Int8Array(128).fill(-1);
  for (let i = 0; i < 64; i++) table[alphabet.charCodeAt(i)] = i;
  return table;
}

const STANDARD_DIGITS = indexOfDigits(STANDARD);
const URL_DIGITS = indexOfDigits(URL_SAFE);

const corrupt = (offset: number): never => fail(`illegal base64 data at input byte ${offset}`);

/** As Go decodes: line breaks are skipped, everything else must be exact. Errors: `BuiltinFailure`. */
export function decodeBase64(text: string, layout: Base64Layout): Uint8Array {
  const digits = layout.urlSafe ? URL_DIGITS : STANDARD_DIGITS;
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let length = 0;
  let at = 0;
  for (;;) {
    let group = 0;
    let count = 0;
    if ((at & 255) < 4) work(64);
    while (count < 4) {
      if (at >= text.length) {
        if (count === 0) return out.subarray(0, length);
        if (count === 1 || layout.padded) return corrupt(at - count);
        break;
      }
      const unit = text.charCodeAt(at++);
      if (unit === 10 || unit === 13) continue;
      if (unit === 61 && layout.padded) {
        at = readPadding(text, at, count);
        break;
      }
      const digit = unit < 128 ? (digits[unit] as number) : -1;
      if (digit < 0) return corrupt(at - 1);
      group = (group << 6) | digit;
      count++;
    }
    const bytes = count - 1;
    group <<= (4 - count) * 6;
    for (let i = 0; i < bytes; i++) out[length++] = (group >> (16 - i * 8)) & 255;
    if (count < 4) return out.subarray(0, length);
  }
}

/** Reads the rest of the padding after a first `=`; nothing may follow it. */
function readPadding(text: string, start: number, count: number): number {
  let at = start;
  const skipBreaks = (): void => {
    while (text.charCodeAt(at) === 10 || text.charCodeAt(at) === 13) at++;
  };
  if (count < 2) return corrupt(at - 1);
  if (count === 2) {
    skipBreaks();
    if (at >= text.length) return corrupt(text.length);
    if (text.charCodeAt(at) !== 61) return corrupt(at - 1);
    at++;
  }
  skipBreaks();
  return at < text.length ? corrupt(at) : at;
}

/** Base64url with or without padding, as `base64url.decode` and tokens have it. */
export function decodeBase64Url(text: string): Uint8Array {
  if (text.endsWith('=')) return decodeBase64(text, BASE64_URL);
  if (text.length % 4 === 1) return fail(`illegal base64url string: ${text}`);
  return decodeBase64(text.padEnd(Math.ceil(text.length / 4) * 4, '='), BASE64_URL);
}

export function encodeHex(bytes: Uint8Array): string {
  let out = '';
  holdText(bytes.length * 2);
  work(bytes.length >> 1);
  for (const byte of bytes) out += byte.toString(16).padStart(2, '0');
  return out;
}

/** The digit a byte stands for, or -1. */
const HEX_DIGITS = Int8Array.from({ length: 256 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? -1 : digit;
});

/** Errors: `BuiltinFailure` with Go's wording. */
export function decodeHex(text: string): Uint8Array {
  const source = utf8(text);
  work(source.length >> 3);
  const out = new Uint8Array(source.length >> 1);
  const nibble = (at: number): number => {
    const code = source[at] as number;
    const value = HEX_DIGITS[code] as number;
    if (value < 0) {
      const shown =
        code >= 32 && code < 127
          ? `U+00${code.toString(16).toUpperCase()} '${String.fromCharCode(code)}'`
          : `U+00${code.toString(16).toUpperCase().padStart(2, '0')}`;
      return fail(`encoding/hex: invalid byte: ${shown}`);
    }
    return value;
  };
  for (let i = 0; i < out.length; i++) out[i] = (nibble(i * 2) << 4) | nibble(i * 2 + 1);
  if (source.length % 2 === 1) {
    nibble(source.length - 1);
    return fail('encoding/hex: odd length hex string');
  }
  return out;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
