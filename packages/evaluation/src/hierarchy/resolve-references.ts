/**
 * Resolves the references of a set of raw values. Each key is resolved once; cycles are named, chains and the size of
 * an expanded value are bounded (a value that names ten others that name ten others … is refused, not built).
 * Whether a key has a fault depends on the values alone, never on the order in which keys are asked for.
 */
import type { Fault } from '../fault.js';
import { isObject, type JsonObject, type JsonValue, pointer, setOwn } from '../json.js';
import { namesIn, parseTemplate, type Template } from './templates.js';

export interface ReferenceLimits {
  /** How long a chain of references may be. */
  readonly maxDepth: number;
  /** The largest expanded value: code units of its strings plus one for every value in it. */
  readonly maxSize: number;
}

export const DEFAULT_REFERENCE_LIMITS: ReferenceLimits = { maxDepth: 64, maxSize: 1_048_576 };

/** A resolved key: `value` is deeply frozen, or `fault` says why there is none. */
export interface Resolved {
  readonly value: JsonValue | undefined;
  readonly fault?: Fault;
  readonly size: number;
  readonly depth: number;
}

class ReferenceFault extends Error {
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** Thrown to the key that was asked for: those on the way are not too deep themselves. */
class ChainTooLong extends Error {}

interface Expansion {
  readonly key: string;
  size: number;
  depth: number;
}

/** Every key that the strings of a value name. */
export function referencedKeys(value: JsonValue, into = new Set<string>()): Set<string> {
  if (typeof value === 'string' && value.includes('${')) {
    const template = parseTemplate(value);
    if (!('error' in template)) for (const name of namesIn(template)) into.add(name);
  } else if (Array.isArray(value)) for (const item of value as readonly JsonValue[]) referencedKeys(item, into);
  else if (isObject(value)) for (const item of Object.values(value as JsonObject)) referencedKeys(item, into);
  return into;
}

/** Whether a value may name keys: it does unless this is false. Cost: one look for an object that was met before. */
export const mayRefer = (value: JsonValue): boolean =>
  typeof value === 'object' && value !== null
    ? plainOf(value) === undefined
    : typeof value === 'string' && value.includes('${');

export interface ResolverOptions {
  readonly limits?: ReferenceLimits;
  /** What is known of a key from elsewhere: nothing that it depends on is different here. */
  readonly known?: (key: string) => Resolved | undefined;
}

/** A view on raw values, resolved as they are asked for. `read` gives the raw value of a key, or undefined. */
export class ReferenceResolver {
  readonly #read: (key: string) => JsonValue | undefined;
  readonly #limits: ReferenceLimits;
  readonly #known: (key: string) => Resolved | undefined;
  readonly #done = new Map<string, Resolved>();
  readonly #stack: string[] = [];

  constructor(read: (key: string) => JsonValue | undefined, options: ResolverOptions = {}) {
    this.#read = read;
    this.#limits = options.limits ?? DEFAULT_REFERENCE_LIMITS;
    this.#known = options.known ?? (() => undefined);
  }

  /** The value of a key with its references resolved; undefined when there is no such key. */
  resolve(key: string): Resolved | undefined {
    const done = this.#done.get(key) ?? this.#known(key);
    if (done !== undefined) return done;
    const raw = this.#read(key);
    if (raw === undefined) return undefined;
    const resolved = this.#resolveRaw(key, raw);
    this.#done.set(key, resolved);
    return resolved;
  }

  #resolveRaw(key: string, raw: JsonValue): Resolved {
    if (this.#stack.length >= this.#limits.maxDepth) throw new ChainTooLong();
    const plain = plainOf(raw);
    if (plain !== undefined && plain.size <= this.#limits.maxSize) return { ...plain, depth: 1 };
    this.#stack.push(key);
    const expansion: Expansion = { key, size: 0, depth: 1 };
    try {
      const value = this.#expand(raw, '', expansion);
      if (expansion.depth > this.#limits.maxDepth) throw new ChainTooLong();
      return { value, size: expansion.size, depth: expansion.depth };
    } catch (error) {
      if (error instanceof ChainTooLong) {
        if (this.#stack.length > 1) throw error;
        const message = `its references go more than ${this.#limits.maxDepth} keys deep; shorten the chain`;
        return failed({ path: pointer('', key), code: 'reference.too_deep', message });
      }
      if (error instanceof ReferenceFault) return failed(error.fault);
      throw error;
    } finally {
      this.#stack.pop();
    }
  }

  /** The circle that a key being resolved closes, named from its first key on, so that it reads the same wherever it was entered. */
  #cycle(key: string): Resolved {
    const circle = this.#stack.slice(this.#stack.indexOf(key));
    const first = circle.reduce((least, one) => (one < least ? one : least));
    const from = circle.indexOf(first);
    const names = [...circle.slice(from), ...circle.slice(0, from), first].join(' → ');
    return failed({
      path: pointer('', key),
      code: 'reference.cycle',
      message: `references go round: ${names}; break the circle`,
    });
  }

  #fail(expansion: Expansion, path: string, code: string, message: string): ReferenceFault {
    return new ReferenceFault({ path: `${pointer('', expansion.key)}${path}`, code, message });
  }

  #grow(expansion: Expansion, size: number, path: string): void {
    expansion.size += size;
    if (expansion.size <= this.#limits.maxSize) return;
    const message = `the value grows past ${this.#limits.maxSize} when its references are resolved`;
    throw this.#fail(expansion, path, 'reference.too_large', message);
  }

  #expand(raw: JsonValue, path: string, expansion: Expansion): JsonValue {
    if (typeof raw === 'string') {
      if (raw.includes('${')) return this.#fill(this.#parse(raw, path, expansion), path, expansion);
      this.#grow(expansion, raw.length + 1, path);
      return raw;
    }
    this.#grow(expansion, 1, path);
    if (Array.isArray(raw)) {
      const items = raw as readonly JsonValue[];
      return Object.freeze(items.map((item, index) => this.#expand(item, pointer(path, index), expansion)));
    }
    if (!isObject(raw)) return raw;
    const result: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(raw as JsonObject))
      setOwn(result, name, this.#expand(value, pointer(path, name), expansion));
    return Object.freeze(result);
  }

  #parse(text: string, path: string, expansion: Expansion): Template {
    const template = parseTemplate(text);
    if ('error' in template) throw this.#fail(expansion, path, 'reference.syntax', template.error);
    return template;
  }

  #fill(template: Template, path: string, expansion: Expansion): JsonValue {
    const [first] = template.parts;
    if (template.parts.length === 1 && first !== undefined && first.kind === 'reference')
      return this.#look(first, path, expansion, 'whole');
    let text = '';
    this.#grow(expansion, 1, path);
    for (const part of template.parts) {
      if (part.kind === 'text') {
        this.#grow(expansion, part.text.length, path);
        text += part.text;
        continue;
      }
      const value = this.#look(part, path, expansion, 'inside');
      if (typeof value === 'object' && value !== null) {
        const message = `\${${part.name}} is an object or a list and cannot stand inside a text; let it be the whole value`;
        throw this.#fail(expansion, path, 'reference.not_scalar', message);
      }
      text += String(value);
    }
    return text;
  }

  /** What a reference stands for. As the whole value a default is read as JSON where it is JSON (`${port:8080}` is a number). */
  #look(
    part: { readonly name: string; readonly fallback?: Template },
    path: string,
    expansion: Expansion,
    position: 'whole' | 'inside',
  ): JsonValue {
    const found = this.#find(part.name, path, expansion);
    if (found !== undefined) return found;
    if (part.fallback === undefined) {
      const message = `\${${part.name}} names no key that is set here; set it, or give a default: \${${part.name}:…}`;
      throw this.#fail(expansion, path, 'reference.unknown', message);
    }
    const value = this.#fill(part.fallback, path, expansion);
    const isPlain = part.fallback.parts.every(({ kind }) => kind === 'text');
    return position === 'whole' && isPlain ? jsonOrText(String(value)) : value;
  }

  /** The key itself, or the longest key that `name` continues with a dotted path into its value. */
  #find(name: string, path: string, expansion: Expansion): JsonValue | undefined {
    for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) {
      const key = name.slice(0, end);
      const resolved = this.#stack.includes(key) ? this.#cycle(key) : this.resolve(key);
      if (resolved === undefined) continue;
      if (resolved.fault !== undefined) {
        // Those on a cycle share its fault; those that lead to a faulty key get one of their own.
        const isCycle = resolved.fault.code === 'reference.cycle';
        const message = isCycle ? resolved.fault.message : `\${${name}} names '${key}', which has a fault of its own`;
        throw this.#fail(expansion, path, isCycle ? 'reference.cycle' : 'reference.faulty', message);
      }
      const value = end === name.length ? resolved.value : valueAt(resolved.value, name.slice(end + 1));
      if (value === undefined) continue;
      expansion.depth = Math.max(expansion.depth, resolved.depth + 1);
      this.#grow(expansion, resolved.size, path);
      return value;
    }
    return undefined;
  }
}

/** A value without references: frozen, and as large as `#grow` would have it. */
interface Plain {
  readonly value: JsonValue;
  readonly size: number;
}

/**
 * By the object itself, which nobody changes: from one environment to the next most entries are the very same, and so are their frozen values
 * then. Undefined in it: there are references.
 */
const plainValues = new WeakMap<object, Plain | undefined>();

function plainOf(raw: JsonValue): Plain | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  if (!plainValues.has(raw)) plainValues.set(raw, freezePlain(raw));
  return plainValues.get(raw);
}

function freezePlain(raw: JsonValue): Plain | undefined {
  if (typeof raw === 'string') return raw.includes('${') ? undefined : { value: raw, size: raw.length + 1 };
  let size = 1;
  const frozen = (inner: JsonValue): JsonValue | undefined => {
    const plain = freezePlain(inner);
    size += plain?.size ?? 0;
    return plain?.value;
  };
  if (Array.isArray(raw)) {
    const items: JsonValue[] = [];
    for (const item of raw as readonly JsonValue[]) {
      const value = frozen(item);
      if (value === undefined) return undefined;
      items.push(value);
    }
    return { value: Object.freeze(items), size };
  }
  if (!isObject(raw)) return { value: raw, size };
  const result: Record<string, JsonValue> = {};
  for (const [name, inner] of Object.entries(raw as JsonObject)) {
    const value = frozen(inner);
    if (value === undefined) return undefined;
    setOwn(result, name, value);
  }
  return { value: Object.freeze(result), size };
}

const failed = (fault: Fault): Resolved => ({ value: undefined, fault, size: 0, depth: 0 });

function jsonOrText(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

function valueAt(value: JsonValue | undefined, dotted: string): JsonValue | undefined {
  let at: JsonValue | undefined = value;
  for (const step of dotted.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as JsonObject)[step];
  }
  return at;
}
