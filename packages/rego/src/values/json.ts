/**
 * JSON in and out: a strict reader that keeps numbers exact, and a writer that sorts keys and
 * escapes as Go's encoder does. Sets become sorted arrays, keys that are not strings their
 * own JSON text.
 */
import { BigNumber, fromDouble, numberText } from './big-number.js';
import { entriesOf, RegoSet, setOwn } from './collections.js';
import { isPlainObject, sortedKeys } from './compare.js';
import { JsonReader } from './json-reader.js';
import type { NumberValue, ObjectValue, Value } from './types.js';
import { holdText, work } from './work.js';

/** What `JSON.parse` gives, and `JSON.stringify` takes. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export { JsonError } from './json-reader.js';

/** Nesting beyond which reading and converting fail, so that no walk overflows the stack. */
export const MAX_JSON_DEPTH = 2000;

/** What text may hold that our reader must see: a number a double may not hold, or a negative zero. */
const NEEDS_READER = /(?:^|[[:,\s])(?:-0|-?(?:[\d.]{16}|[\d.]+[eE]))/;

/**
 * Reads one JSON document, keeping numbers exact.
 * Errors: `JsonError` with the offset. Cost: the engine's own parser when no number needs more.
 */
export function parseJson(text: string): Value {
  if (!NEEDS_READER.test(text)) {
    const value = parseNatively(text);
    if (value !== undefined) return value;
  }
  return new JsonReader(text, MAX_JSON_DEPTH).readDocument();
}

/** Units of text a step: about a quarter of a millisecond, and several when the processor is shared. */
const UNITS_A_STEP = 16_384;

/**
 * Reads one JSON document in steps, for what has to answer meanwhile: call `next` in turns of your own until it is done, then `value`
 * is the document. Errors: `JsonError`. Cost: about three times that of `parseJson` in all; a step is a millisecond and what the collector takes.
 */
export function parseJsonInSteps(text: string, unitsAStep: number = UNITS_A_STEP): Generator<undefined, Value> {
  return new JsonReader(text, MAX_JSON_DEPTH).readDocumentInSteps(unitsAStep);
}

function parseNatively(text: string): Value | undefined {
  let value: Value;
  try {
    value = JSON.parse(text) as Value;
  } catch {
    return undefined;
  }
  return isShallow(value, MAX_JSON_DEPTH) ? value : undefined;
}

function isShallow(value: Value, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  // What the platform's parser makes has no keys but its own.
  for (const key in value) {
    const member = (value as Record<string, Value>)[key] as Value;
    if (typeof member === 'object' && !isShallow(member, depth - 1)) return false;
  }
  return true;
}

/**
 * Takes a JavaScript value such as `JSON.parse` gives. Shares every part that needs no change.
 * Errors: `TypeError` for what JSON cannot hold.
 */
export function fromJson(value: unknown, depth: number = MAX_JSON_DEPTH): Value {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number') return fromFiniteNumber(value);
  if (typeof value !== 'object') throw new TypeError(`a ${typeof value} is not a Rego value`);
  if (depth === 0) throw new TypeError(`the value is nested deeper than ${MAX_JSON_DEPTH} levels`);
  return Array.isArray(value) ? fromArray(value, depth) : fromObject(value as Record<string, unknown>, depth);
}

function fromFiniteNumber(value: number): NumberValue {
  if (!Number.isFinite(value)) throw new TypeError(`${value} is not a Rego value`);
  return fromDouble(value);
}

function fromArray(source: readonly unknown[], depth: number): Value {
  let copy: Value[] | undefined;
  for (let i = 0; i < source.length; i++) {
    const value = fromJson(source[i], depth - 1);
    if (!Object.is(value, source[i])) copy ??= source.slice() as Value[];
    if (copy !== undefined) copy[i] = value;
  }
  return copy ?? (source as readonly Value[]);
}

function fromObject(source: Record<string, unknown>, depth: number): Value {
  if (source instanceof BigNumber || !isPlainObject(source as Value)) return source as unknown as Value;
  let copy: Record<string, Value> | undefined;
  for (const key of Object.keys(source)) {
    const value = fromJson(source[key], depth - 1);
    if (Object.is(value, source[key])) continue;
    copy ??= copyOf(source as Record<string, Value>);
    setOwn(copy, key, value);
  }
  return copy ?? (source as Record<string, Value>);
}

function copyOf(source: Record<string, Value>): Record<string, Value> {
  const copy: Record<string, Value> = {};
  for (const key of Object.keys(source)) setOwn(copy, key, source[key] as Value);
  return copy;
}

/** An object key as JSON writes it: strings as they are, the rest as their JSON text. */
export function jsonKey(key: Value): string {
  return typeof key === 'string' ? key : stringifyJson(key);
}

/** A plain JavaScript value. Numbers beyond a double lose digits: use `stringifyJson` to keep them. */
export function toJson(value: Value): JsonValue {
  if (value instanceof BigNumber) return value.toNumber();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof RegoSet) return value.sorted().map(toJson);
  const out: Record<string, JsonValue> = {};
  for (const [key, member] of entriesOf(value as ObjectValue)) {
    setOwn(out as Record<string, Value>, jsonKey(key), toJson(member) as Value);
  }
  return out;
}

/** The value with sets as arrays and string keys only, numbers kept exact: what JSON can say of it. */
export function toJsonValue(value: Value): Value {
  if (typeof value !== 'object' || value === null || value instanceof BigNumber) return value;
  work(1);
  if (Array.isArray(value)) return value.map(toJsonValue);
  if (value instanceof RegoSet) return value.sorted().map(toJsonValue);
  const out: Record<string, Value> = {};
  for (const [key, member] of entriesOf(value as ObjectValue)) setOwn(out, jsonKey(key), toJsonValue(member));
  return out;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings must escape them
const UNSAFE = /["\\<>&\u0000-\u001f\u2028\u2029\ud800-\udfff]/;
const HTML: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** A JSON string literal, with HTML's characters escaped as Go's encoder does. */
export function stringifyString(text: string): string {
  if (!UNSAFE.test(text)) return `"${text}"`;
  return JSON.stringify(text)
    .replace(/\\u(d[89a-f][0-9a-f]{2})/g, '\\ufffd')
    .replace(/[<>&\u2028\u2029]/g, (character) => HTML[character] as string);
}

/** Layout of JSON text: `indent` repeated a level, `prefix` at the start of each line. */
export interface JsonLayout {
  readonly prefix: string;
  readonly indent: string;
}

/** Compact JSON text with sorted keys, or laid out over lines. */
export function stringifyJson(value: Value, layout?: JsonLayout): string {
  const text = layout === undefined ? write(value) : writeIndented(value, layout, `\n${layout.prefix}`);
  holdText(text.length);
  return text;
}

/** Containers nested no deeper than this are written in steps, those inside of them at once. */
const MAX_STEPPED_DEPTH = 6;

/**
 * The text `stringifyJson` makes, in steps, for what has to answer meanwhile: call `next` in turns of your own until it is done. A step is
 * a millisecond, save for sorting the keys of a large object.
 */
export function* stringifyJsonInSteps(value: Value, unitsAStep: number = UNITS_A_STEP): Generator<undefined, string> {
  const chunks: string[] = [];
  let text = '';
  function* put(item: Value, depth: number): Generator<undefined, void> {
    if (text.length > unitsAStep) {
      chunks.push(text);
      text = '';
      yield;
    }
    if (depth < MAX_STEPPED_DEPTH && Array.isArray(item)) {
      let open = '[';
      for (const member of item as readonly Value[]) {
        text += open;
        open = ',';
        yield* put(member, depth + 1);
      }
      text += open === '[' ? '[]' : ']';
    } else if (depth < MAX_STEPPED_DEPTH && isPlainObject(item)) {
      let open = '{';
      for (const key of sortedKeys(item)) {
        text += `${open}${stringifyString(key)}:`;
        open = ',';
        yield* put(item[key] as Value, depth + 1);
      }
      text += open === '{' ? '{}' : '}';
    } else text += write(item);
  }
  yield* put(value, 0);
  chunks.push(text);
  return chunks.join('');
}

function writeScalar(value: null | boolean | number | string | BigNumber): string {
  if (typeof value === 'string') {
    if (value.length > LONG_TEXT) work(value.length >> 6);
    return stringifyString(value);
  }
  return typeof value === 'boolean' || value === null ? String(value) : numberText(value);
}

const LONG_TEXT = 256;

function write(value: Value): string {
  if (typeof value !== 'object' || value === null || value instanceof BigNumber) return writeScalar(value);
  work(1 + (Array.isArray(value) ? value.length >> 2 : 1));
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (value instanceof RegoSet) return `[${value.sorted().map(write).join(',')}]`;
  return `{${members(value as ObjectValue)
    .map(([key, member]) => `${stringifyString(key)}:${write(member)}`)
    .join(',')}}`;
}

/** Entries under their JSON keys, in the order of those. */
function members(object: ObjectValue): readonly (readonly [string, Value])[] {
  if (isPlainObject(object)) {
    const keys = sortedKeys(object);
    work(keys.length >> 1);
    return keys.map((key) => [key, object[key] as Value] as const);
  }
  const entries = [...entriesOf(object)].map(([key, value]) => [jsonKey(key), value] as const);
  return entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function writeIndented(value: Value, layout: JsonLayout, line: string): string {
  if (typeof value !== 'object' || value === null || value instanceof BigNumber) return writeScalar(value);
  work(2 + (line.length >> 3));
  const inner = line + layout.indent;
  if (Array.isArray(value) || value instanceof RegoSet) {
    const items = Array.isArray(value) ? value : value.sorted();
    if (items.length === 0) return '[]';
    return `[${items.map((item) => inner + writeIndented(item as Value, layout, inner)).join(',')}${line}]`;
  }
  const entries = members(value as ObjectValue);
  if (entries.length === 0) return '{}';
  const lines = entries.map(([key, item]) => `${inner}${stringifyString(key)}: ${writeIndented(item, layout, inner)}`);
  return `{${lines.join(',')}${line}}`;
}
