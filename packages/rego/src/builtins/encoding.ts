/** Encodings of text: base64, base64url, hexadecimal, URL queries, JSON. */
import {
  compareStrings,
  entriesOf,
  formatTerm,
  isArray,
  isObject,
  JsonError,
  type JsonLayout,
  parseJson,
  setOwn,
  stringifyJson,
  toJsonValue,
  type Value,
  work,
} from '../values/index.js';
import { type Builtin, type BuiltinEntry, family } from './builtin.js';
import {
  BASE64,
  BASE64_URL,
  BASE64_URL_RAW,
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  encodeBase64,
  encodeHex,
  fromUtf8,
  utf8,
} from './bytes.js';
import { BuiltinFailure, fail } from './errors.js';
import { objectOperand, operand, operandError, stringOperand, typeError } from './operands.js';
import { any, anyOf, array, boolean, object, record, set, string } from './type-decl.js';
import { queryEscape, queryUnescape } from './url.js';

function convert(about: string, apply: (text: string) => string): BuiltinEntry {
  return {
    about,
    args: { x: string },
    result: { y: string },
    evaluate(args, context) {
      const text = stringOperand(args, 1);
      context.charge(text.length >> 4);
      return apply(text);
    },
  };
}

/** Whether reading succeeds; a value that is no string is just not valid. */
function validity(about: string, read: (text: string) => unknown): BuiltinEntry {
  return {
    about,
    args: { x: string },
    result: { result: boolean },
    evaluate([text]) {
      if (typeof text !== 'string') return false;
      try {
        read(text);
        return true;
      } catch (error) {
        if (error instanceof BuiltinFailure || error instanceof JsonError) return false;
        throw error;
      }
    },
  };
}

export function readJson(text: string): Value {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof JsonError) return fail(error.message);
    throw error;
  }
}

/** What json.marshal_with_options lays out; undefined for compact text. */
function layoutOf(args: readonly Value[]): JsonLayout | undefined {
  let [prefix, indent] = ['', '\t'];
  let isImplied = false;
  let isPretty: boolean | undefined;
  for (const [key, value] of entriesOf(objectOperand(args, 2))) {
    if (key === 'pretty') {
      if (typeof value !== 'boolean') throw operandError(2, 'key pretty failed cast to bool');
      isPretty = value;
    } else if (key === 'prefix' || key === 'indent') {
      if (typeof value !== 'string') throw operandError(2, `key ${key} failed cast to string: must be string`);
      isImplied = true;
      if (key === 'prefix') prefix = value;
      else indent = value;
    } else throw operandError(2, `object contained unknown key ${typeof key === 'string' ? key : formatTerm(key)}`);
  }
  return (isPretty ?? isImplied) ? { prefix, indent } : undefined;
}

function marshalWithOptions(args: readonly Value[]): string {
  const layout = layoutOf(args);
  const text = stringifyJson(operand(args, 1), layout);
  return layout === undefined ? text : layout.prefix + text;
}

function encodeQuery(value: Value): string {
  const source = toJsonValue(value);
  if (!isObject(source)) throw typeError(1, value, 'object');
  const wrong = (): Error => operandError(1, 'values must be string, array[string], or set[string]');
  const parts: [string, string][] = [];
  for (const [key, member] of entriesOf(source)) {
    const items = isArray(member) ? member : [member];
    for (const item of items) {
      if (typeof item !== 'string') throw wrong();
      parts.push([key as string, item]);
    }
  }
  parts.sort(([a], [b]) => compareStrings(a, b));
  return parts.map(([key, item]) => `${queryEscape(key)}=${queryEscape(item)}`).join('&');
}

function decodeQuery(query: string): Value {
  const out: Record<string, Value[]> = {};
  for (const part of query.split('&')) {
    work(8);
    if (part.includes(';')) fail('invalid semicolon separator in query');
    if (part === '') continue;
    const equals = part.indexOf('=');
    const key = queryUnescape(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? '' : queryUnescape(part.slice(equals + 1));
    const known = Object.hasOwn(out, key) ? out[key] : undefined;
    if (known === undefined) setOwn(out as Record<string, Value>, key, [value]);
    else known.push(value);
  }
  return out;
}

const layoutType = record({ indent: string, prefix: string, pretty: boolean }, { key: string, value: any });

export const encodingBuiltins: readonly Builtin[] = family('encoding', {
  'base64.encode': convert('Base64 of a string.', (text) => encodeBase64(utf8(text), BASE64)),
  'base64.decode': convert('The string a base64 text stands for.', (text) => fromUtf8(decodeBase64(text, BASE64))),
  'base64.is_valid': validity('Whether a string is base64.', (text) => decodeBase64(text, BASE64)),
  'base64url.encode': convert('Base64url of a string.', (text) => encodeBase64(utf8(text), BASE64_URL)),
  'base64url.encode_no_pad': convert('Base64url of a string, without padding.', (text) =>
    encodeBase64(utf8(text), BASE64_URL_RAW),
  ),
  'base64url.decode': convert('The string a base64url text stands for.', (text) => fromUtf8(decodeBase64Url(text))),
  'hex.encode': convert('The hexadecimal digits of a string’s bytes.', (text) => encodeHex(utf8(text))),
  'hex.decode': convert('The string hexadecimal digits stand for.', (text) => fromUtf8(decodeHex(text))),
  'urlquery.encode': convert('A string escaped for a URL’s query.', queryEscape),
  'urlquery.decode': convert('A string unescaped from a URL’s query.', queryUnescape),
  'urlquery.encode_object': {
    about: 'An object as a URL’s query, sorted by key.',
    args: { object: object(string, anyOf(string, array(string), set(string))) },
    result: { y: string },
    evaluate: (args) => encodeQuery(operand(args, 1)),
  },
  'urlquery.decode_object': {
    about: 'A URL’s query as an object of arrays.',
    args: { x: string },
    result: { object: object(string, array(string)) },
    evaluate: (args) => decodeQuery(stringOperand(args, 1)),
  },
  'json.marshal': {
    about: 'JSON text of a value.',
    args: { x: any },
    result: { y: string },
    evaluate: (args) => stringifyJson(operand(args, 1)),
  },
  'json.marshal_with_options': {
    about: 'JSON text of a value, on one line or indented.',
    args: { x: any, opts: layoutType },
    result: { y: string },
    evaluate: marshalWithOptions,
  },
  'json.unmarshal': {
    about: 'The value JSON text stands for.',
    args: { x: string },
    result: { y: any },
    evaluate(args, context) {
      const text = stringOperand(args, 1);
      context.charge(text.length >> 4);
      return readJson(text);
    },
  },
  'json.is_valid': validity('Whether a string is JSON.', parseJson),
});
