/** Makes values of what the reader finds: tags, merge keys, keys that are not strings, aliases. */
import {
  fromDouble,
  isArray,
  isNumber,
  isObject,
  numberText,
  type ObjectValue,
  setOwn,
  sortedKeys,
  toDouble,
  type Value,
} from '../../values/index.js';
import { BASE64, decodeBase64, fromUtf8 } from '../bytes.js';
import { NOT_FINITE, resolvePlain } from './scalars.js';

/** Text that is not YAML, or YAML that is not JSON. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
}

/** A merge key, apart from the string `<<`. */
export const MERGE: unique symbol = Symbol('merge');
export type Key = Value | typeof MERGE;

export interface Entry {
  readonly key: Key;
  readonly value: Value;
}

const STANDARD = 'tag:yaml.org,2002:';

export function shortTag(tag: string): string {
  return tag.startsWith(STANDARD) ? `!!${tag.slice(STANDARD.length)}` : tag;
}

/** A plain scalar under a tag, which may be empty. */
export function plainValue(text: string, tag: string): Value {
  if (NOT_FINITE.has(text) && (tag === '' || tag === '!!float')) {
    throw new YamlError(
      `json: unsupported value: ${text.includes('n') && /nan/i.test(text) ? 'NaN' : text.startsWith('-') ? '-Inf' : '+Inf'}`,
    );
  }
  return tagged(resolvePlain(text), text, tag);
}

/** A value forced to a tag. Errors: `YamlError` when it does not fit. */
export function tagged(value: Value, text: string, tag: string): Value {
  const wrong = (): never => {
    throw new YamlError(`yaml: cannot decode !!str \`${text}\` as a ${tag}`);
  };
  const plain = typeof value === 'string' ? resolvePlain(text) : value;
  switch (tag) {
    case '!!str':
    case '!':
      return text;
    case '!!int':
      return isNumber(plain) ? plain : wrong();
    case '!!float':
      return isNumber(plain) ? fromDouble(toDouble(plain)) : wrong();
    case '!!bool':
      return typeof plain === 'boolean' ? plain : wrong();
    case '!!null':
      return plain === null ? plain : wrong();
    case '!!binary':
      return fromUtf8(decodeBase64(text.replace(/\s/g, ''), BASE64));
    default:
      return value;
  }
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'boolean') return String(key);
  if (isNumber(key)) return numberText(key);
  throw new YamlError(key === null ? 'unsupported map key of type: <nil>' : 'yaml: invalid map key');
}

function mergeInto(target: Record<string, Value>, source: Value): void {
  if (isArray(source)) {
    for (const item of source) mergeInto(target, item);
    return;
  }
  if (!isObject(source)) throw new YamlError('yaml: map merge requires map or sequence of maps as the value');
  for (const key of sortedKeys(source as ObjectValue)) {
    const name = key as string;
    if (!Object.hasOwn(target, name)) setOwn(target, name, (source as Record<string, Value>)[name] as Value);
  }
}

/** An object of entries: later ones win, merged ones only fill gaps. */
export function toObject(entries: readonly Entry[]): Value {
  const out: Record<string, Value> = {};
  for (const { key, value } of entries) if (key !== MERGE) setOwn(out, keyText(key), value);
  for (const { key, value } of entries) if (key === MERGE) mergeInto(out, value);
  return out;
}
