/** Data from files: JSON and YAML read, rooted by their folders, and merged into one document. */
import { readYaml } from '../builtins/yaml/reader.js';
import { entriesOf, isObject, ObjectBuilder, parseJson, type Value } from '../values/index.js';

export interface DataFile {
  /** Its name, for errors; `.yaml` and `.yml` are YAML, anything else JSON. */
  readonly name: string;
  readonly text: string;
  /** Where its content stands below `data`: the folders between. */
  readonly path: readonly string[];
}

/** Reads one document. Errors: `Error` naming the file. */
export function parseDocument(name: string, text: string): Value {
  try {
    return /\.ya?ml$/.test(name) ? readYaml(text) : parseJson(text);
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function merge(base: Value, added: Value, file: string, path: readonly string[]): Value {
  if (!isObject(base) || !isObject(added)) {
    throw new Error(`${file}: merge error: conflict at ${['data', ...path].join('.')}`);
  }
  const builder = new ObjectBuilder();
  const before = new Map([...entriesOf(base)]);
  for (const [key, value] of before) builder.set(key, value);
  for (const [key, value] of entriesOf(added)) {
    const known = before.get(key);
    builder.set(key, known === undefined ? value : merge(known, value, file, [...path, String(key)]));
  }
  return builder.build();
}

/** The document all files make together. Errors: `Error` when one is no object or two disagree. */
export function mergeDocuments(files: readonly DataFile[]): Value {
  let data: Value = {};
  for (const { name, text, path } of files) {
    let document = parseDocument(name, text);
    if (path.length === 0 && !isObject(document)) throw new Error(`${name}: document must be of type object`);
    for (const key of [...path].reverse()) {
      const builder = new ObjectBuilder();
      builder.set(key, document);
      document = builder.build();
    }
    data = merge(data, document, name, []);
  }
  return data;
}
