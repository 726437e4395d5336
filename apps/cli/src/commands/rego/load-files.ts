/** Reads what `-d` and path arguments name, as OPA does: `.rego` are modules, `.json` and `.yaml` data rooted by folder. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isRegoErrors, parseModule, type RegoError, RegoErrors, type syntax, type Value } from '@bailiwick/rego';
import { type DataFile, mergeDocuments, parseDocument } from '@bailiwick/rego/tools';
import { CommandFailure } from '../../failure.js';

export interface Loaded {
  readonly modules: readonly syntax.Module[];
  readonly data: Value;
  /** By name, of every module, also those that do not parse. */
  readonly sources: ReadonlyMap<string, string>;
}

interface Found {
  readonly file: string;
  readonly path: readonly string[];
  /** Named itself, not found in a folder. */
  readonly isNamed: boolean;
}

/** Thrown with the texts read so far, so that messages can show the lines in question. */
export class LoadError extends Error {
  readonly sources: ReadonlyMap<string, string>;

  constructor(cause: unknown, sources: ReadonlyMap<string, string>) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.sources = sources;
  }
}

const systemMessage = (error: unknown, path: string): string =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
    ? `stat ${path}: no such file or directory`
    : `${path}: ${error instanceof Error ? error.message : String(error)}`;

function* walk(file: string, path: readonly string[], depth: number): Generator<Found> {
  if (!statSync(file).isDirectory()) {
    yield { file, path, isNamed: depth === 0 };
    return;
  }
  const below = depth === 0 ? path : [...path, basename(file)];
  for (const name of readdirSync(file).sort()) yield* walk(join(file, name), below, depth + 1);
}

/** `a.b:file.json` puts the content below `data.a.b`. */
function splitPrefix(argument: string): { prefix: readonly string[]; file: string } {
  if (argument.startsWith('file://')) return { prefix: [], file: argument.slice('file://'.length) };
  const at = argument.indexOf(':');
  if (at <= 0 || /^[A-Za-z]:[\\/]/.test(argument)) return { prefix: [], file: argument };
  return { prefix: argument.slice(0, at).split('.'), file: argument.slice(at + 1) };
}

function findFiles(paths: readonly string[], regoOnly: boolean): readonly Found[] {
  const found = new Map<string, Found>();
  for (const argument of paths) {
    const { prefix, file } = splitPrefix(argument);
    try {
      for (const each of walk(file, prefix, 0)) {
        const isData = /\.(json|ya?ml)$/.test(each.file) || each.isNamed;
        if (each.file.endsWith('.rego') || (isData && !regoOnly)) {
          found.set(`${each.path.join('.')}:${each.file}`, each);
        }
      }
    } catch (error) {
      throw new LoadError(new Error(systemMessage(error, file)), new Map());
    }
  }
  return [...found.values()];
}

/** Every `.rego` file below the paths. Errors: `LoadError`. */
export const findModules = (paths: readonly string[]): readonly string[] =>
  findFiles(paths, true).map(({ file }) => file);

/** What a bundle in a folder holds: policies, and the data files with the names bundles give them. */
function findBundled(folders: readonly string[]): readonly Found[] {
  return folders.flatMap((folder) => {
    try {
      if (!statSync(folder).isDirectory()) throw new Error('only bundles in folders can be read');
    } catch (error) {
      throw new LoadError(new Error(systemMessage(error, folder)), new Map());
    }
    return findFiles([folder], false).filter(({ file }) => /\.rego$|(^|[\\/])data\.(json|ya?ml)$/.test(file));
  });
}

export interface LoadOptions {
  readonly version: syntax.RegoVersion;
  /** Folders that hold bundles. */
  readonly bundles?: readonly string[];
  /** Leaves data files alone. */
  readonly regoOnly?: boolean;
}

/** Errors: `LoadError`; its cause is `RegoErrors` when modules do not parse. */
export function loadFiles(paths: readonly string[], { version, regoOnly = false, bundles = [] }: LoadOptions): Loaded {
  const sources = new Map<string, string>();
  const modules: syntax.Module[] = [];
  const errors: RegoError[] = [];
  const files: DataFile[] = [];
  try {
    for (const { file, path } of [...findFiles(paths, regoOnly), ...findBundled(bundles)]) {
      const text = readFileSync(file, 'utf8');
      if (!file.endsWith('.rego')) {
        files.push({ name: file, text, path });
        continue;
      }
      sources.set(file, text);
      try {
        modules.push(parseModule(file, text, { version }));
      } catch (error) {
        if (!isRegoErrors(error)) throw error;
        errors.push(...error.errors);
      }
    }
    if (errors.length > 0) throw new RegoErrors(errors);
    return { modules, data: mergeDocuments(files), sources };
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw new LoadError(error, sources);
  }
}

/** A file's text; `-` is standard input. */
export function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new CommandFailure(systemMessage(error, path), 2);
  }
}

/** The input document. Errors: `Error` naming the file. */
export const readInput = (path: string): Value => parseDocument(path, readText(path));
