/**
 * Laying values over each other. A layer is a value with, for each object in it, whether it replaces what lies below or
 * is laid over it. JSON alone would not do: `{a: 1}`, then `5`, then `{b: 2}` gives `{b: 2}` from the left and
 * `{a: 1, b: 2}` from the right. With the mark kept, `overlay` is associative and `undefined` is its identity, so that
 * layers may be put together in any grouping (and cached).
 */
import { isObject, type JsonObject, type JsonValue, pointer, setOwn } from '../json.js';

/** `S` is whatever says where a part came from. */
export type Layer<S> =
  | { readonly kind: 'leaf'; readonly value: JsonValue; readonly source: S }
  | {
      readonly kind: 'object';
      readonly fields: ReadonlyMap<string, Layer<S>>;
      readonly replaces: boolean;
      readonly source: S;
    };

/** A value as a layer. `deep`: its objects are laid over what lies below; otherwise they take its place. */
export function layerOf<S>(value: JsonValue, source: S, mode: 'replace' | 'deep'): Layer<S> {
  if (!isObject(value)) return { kind: 'leaf', value, source };
  const fields = new Map<string, Layer<S>>();
  for (const [key, field] of Object.entries(value as JsonObject)) fields.set(key, layerOf(field, source, mode));
  return { kind: 'object', fields, replaces: mode === 'replace', source };
}

/** `upper` laid over `lower`. */
export function overlay<S>(lower: Layer<S> | undefined, upper: Layer<S> | undefined): Layer<S> | undefined {
  if (upper === undefined) return lower;
  if (lower === undefined || upper.kind === 'leaf' || upper.replaces) return upper;
  if (lower.kind === 'leaf') return { ...upper, replaces: true };
  const fields = new Map(lower.fields);
  for (const [key, field] of upper.fields) {
    const laid = overlay(fields.get(key), field);
    if (laid !== undefined) fields.set(key, laid);
  }
  return { kind: 'object', fields, replaces: lower.replaces, source: upper.source };
}

/** The value of a layer. */
export function layerValue<S>(layer: Layer<S>): JsonValue {
  if (layer.kind === 'leaf') return layer.value;
  const value: Record<string, JsonValue> = {};
  for (const [key, field] of layer.fields) setOwn(value, key, layerValue(field));
  return value;
}

/** JSON pointer of each leaf (and of each empty object) → where it came from. */
export function sourcesOf<S>(layer: Layer<S>, path = '', into = new Map<string, S>()): Map<string, S> {
  if (layer.kind === 'leaf' || layer.fields.size === 0) into.set(path, layer.source);
  else for (const [key, field] of layer.fields) sourcesOf(field, pointer(path, key), into);
  return into;
}

/** `upper` laid deeply over `lower`, as values. */
export function mergeDeep(lower: JsonValue, upper: JsonValue): JsonValue {
  const laid = overlay(layerOf(lower, undefined, 'deep'), layerOf(upper, undefined, 'deep'));
  return laid === undefined ? upper : layerValue(laid);
}
