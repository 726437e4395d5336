/** JSON text whose objects keep the order given, as Go writes structs; Rego values inside keep exact numbers. */
import { stringifyJson, stringifyString, type Value } from '../values/index.js';

/** Marks a Rego value inside of a document: written with sorted keys, sets as arrays. */
export class RegoJson {
  readonly value: Value;

  constructor(value: Value) {
    this.value = value;
  }
}

/** A number as it was written. */
export class WrittenJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Undefined members are left out, as Go's `omitempty` does. */
export type OrderedJson =
  | null
  | boolean
  | number
  | string
  | RegoJson
  | WrittenJson
  | readonly OrderedJson[]
  | { readonly [key: string]: OrderedJson | undefined };

/** Text indented by two spaces a level, with a newline at its end. */
export function orderedJson(document: OrderedJson): string {
  return `${write(document, '')}\n`;
}

function write(node: OrderedJson, margin: string): string {
  if (node instanceof RegoJson) return stringifyJson(node.value, { prefix: margin, indent: '  ' });
  if (node instanceof WrittenJson) return node.text;
  if (typeof node === 'string') return stringifyString(node);
  if (typeof node !== 'object' || node === null) return String(node);
  const inner = `${margin}  `;
  if (Array.isArray(node)) {
    if (node.length === 0) return '[]';
    return `[\n${node.map((item) => inner + write(item as OrderedJson, inner)).join(',\n')}\n${margin}]`;
  }
  const lines: string[] = [];
  for (const [key, value] of Object.entries(node)) {
    if (value !== undefined) lines.push(`${inner}${stringifyString(key)}: ${write(value as OrderedJson, inner)}`);
  }
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n${margin}}`;
}
