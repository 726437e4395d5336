/** UUIDs (RFC 4122). */
import { fromBigInt, type Value } from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { encodeHex } from './bytes.js';
import { stringOperand } from './operands.js';
import { any, object, string } from './type-decl.js';

function dashed(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function randomUuid(seed: string, context: BuiltinContext): string {
  const key = `uuid.rfc4122/${seed}`;
  const known = context.cache.get(key) as string | undefined;
  if (known !== undefined) return known;
  const source = context.random(key);
  const bytes = Uint8Array.from({ length: 16 }, () => Math.floor(source.next() * 256));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const uuid = dashed(encodeHex(bytes));
  context.cache.set(key, uuid);
  return uuid;
}

const DASHED = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The 32 digits, from any form Go's library takes: plain, with a prefix, in braces, without dashes. */
function digitsOf(text: string): string | undefined {
  let bare = text;
  if (/^urn:uuid:/i.test(text) && text.length === 45) bare = text.slice(9);
  else if (text.length === 38) bare = text.slice(1, -1);
  else if (text.length === 32) return /^[0-9a-f]{32}$/i.test(text) ? text.toLowerCase() : undefined;
  return DASHED.test(bare) ? bare.replaceAll('-', '').toLowerCase() : undefined;
}

function variantOf(byte: number): string {
  if ((byte & 0xc0) === 0x80) return 'RFC4122';
  if ((byte & 0xe0) === 0xc0) return 'Microsoft';
  return (byte & 0xe0) === 0xe0 ? 'Future' : 'Reserved';
}

function addressKind(byte: number): string {
  return `${byte & 2 ? 'local' : 'global'}:${byte & 1 ? 'multicast' : 'unicast'}`;
}

const DOMAINS = ['Person', 'Group', 'Org'];
/** 100 ns intervals between the Gregorian reform and 1970. */
const GREGORIAN_OFFSET = 122192928000000000n;

function parse(text: string): Value | undefined {
  const hex = digitsOf(text);
  if (hex === undefined) return undefined;
  const byte = (at: number): number => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
  const version = byte(6) >> 4;
  const out: Record<string, Value> = { version, variant: variantOf(byte(8)) };
  if (version !== 1 && version !== 2) return out;
  const intervals = BigInt(`0x${hex.slice(13, 16)}${hex.slice(8, 12)}${hex.slice(0, 8)}`);
  out['time'] = fromBigInt(BigInt.asIntN(64, (intervals - GREGORIAN_OFFSET) * 100n));
  out['nodeid'] = (hex.slice(20).match(/../g) ?? []).join('-');
  out['macvariables'] = addressKind(byte(10));
  out['clocksequence'] = ((byte(8) & 0x3f) << 8) | byte(9);
  if (version === 2) {
    out['id'] = Number.parseInt(hex.slice(0, 8), 16);
    out['domain'] = DOMAINS[byte(9)] ?? `Domain${byte(9)}`;
  }
  return out;
}

export const uuidBuiltins: readonly Builtin[] = family('uuid', {
  'uuid.rfc4122': {
    about: 'A random UUID, the same for the same seed within a query.',
    nondeterministic: true,
    capability: 'random',
    args: { k: string },
    result: { output: string },
    evaluate: (args, context) => randomUuid(stringOperand(args, 1), context),
  },
  'uuid.parse': {
    about: 'What a UUID says of its making; undefined when the string is none.',
    args: { uuid: string },
    result: { result: object(string, any) },
    evaluate: (args) => parse(stringOperand(args, 1)),
  },
});
