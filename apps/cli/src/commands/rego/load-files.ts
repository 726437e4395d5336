/** Reads what `-d` and path arguments name, as OPA does: `.rego` are modules, `.json` and `.yaml` data rooted by folder. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import {
  isRegoErrors,
  parseModule,
  type RegoError,
  RegoErrors,
  type syntax,
  toJson,
  type Value,
} from '@bailiwick/rego';
import {
  type Capabilities,
  checkParsing,
  type DataFile,
  errorText,
  mergeDocuments,
  parseDocument,
  Stopwatch,
} from '@bailiwick/rego/tools';
import { CommandFailure } from '../../failure.js';
import { type Bundle, BundleError, checkOverlaps, isPermitted, pathOutside, readBundles } from './bundle-files.js';
import { type NameFilter, NOTHING_IGNORED, nameFilter } from './name-filter.js';

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

const prefixed = (path: string, message: string): string =>
  message.startsWith(path) ? message : `${path}: ${message}`;

const systemMessage = (error: unknown, path: string): string =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
    ? `stat ${path}: no such file or directory`
    : prefixed(path, error instanceof Error ? error.message : String(error));

function* walk(file: string, path: readonly string[], depth: number, isIgnored: NameFilter): Generator<Found> {
  if (!statSync(file).isDirectory()) {
    yield { file, path, isNamed: depth === 0 };
    return;
  }
  const below = depth === 0 ? path : [...path, basename(file)];
  for (const name of readdirSync(file).sort())
    if (!isIgnored(name)) yield* walk(join(file, name), below, depth + 1, isIgnored);
}

/** `a.b:file.json` puts the content below `data.a.b`. */
function splitPrefix(argument: string): { prefix: readonly string[]; file: string } {
  if (argument.startsWith('file://')) return { prefix: [], file: argument.slice('file://'.length) };
  const at = argument.indexOf(':');
  if (at <= 0 || /^[A-Za-z]:[\\/]/.test(argument)) return { prefix: [], file: argument };
  return { prefix: argument.slice(0, at).split('.'), file: argument.slice(at + 1) };
}

function findFiles(paths: readonly string[], regoOnly: boolean, isIgnored: NameFilter): readonly Found[] {
  const found = new Map<string, Found>();
  for (const argument of paths) {
    const { prefix, file } = splitPrefix(argument);
    try {
      for (const each of walk(file, prefix, 0, isIgnored)) {
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
  findFiles(paths, true, NOTHING_IGNORED).map(({ file }) => file);

export interface LoadOptions {
  readonly version: syntax.RegoVersion;
  /** Folders and `.tar.gz` files. */
  readonly bundles?: readonly string[];
  /** Names of files and folders below the paths and in bundles that are left out, as patterns. */
  readonly ignore: readonly string[];
  /** Leaves data files alone. */
  readonly regoOnly?: boolean;
  /** What modules may be written in; default everything. */
  readonly capabilities?: Capabilities | undefined;
  /** Where the times of reading and parsing are added up. */
  readonly stopwatch?: Stopwatch;
}

/** Everything read so far, on the way to what a command works on. */
class Loading {
  private readonly options: LoadOptions;
  private readonly stopwatch: Stopwatch;
  readonly sources = new Map<string, string>();
  private readonly modules: syntax.Module[] = [];
  private readonly errors: RegoError[] = [];
  private readonly files: DataFile[] = [];

  constructor(options: LoadOptions) {
    this.options = options;
    this.stopwatch = options.stopwatch ?? new Stopwatch(() => 0);
  }

  addFile({ file, path }: Found): void {
    const { version } = this.options;
    const text = this.stopwatch.time('load_files', () => readFileSync(file, 'utf8'));
    if (!file.endsWith('.rego')) {
      this.files.push({ name: file, text, path });
      return;
    }
    try {
      this.addModule(file, text, version);
    } catch (error) {
      if (!isRegoErrors(error)) throw error;
      this.errors.push(...error.errors);
    }
  }

  private addModule(name: string, text: string, version: syntax.RegoVersion): syntax.Module {
    this.sources.set(name, text);
    checkParsing(this.options.capabilities, version);
    const module = this.stopwatch.time('module_parse', () =>
      parseModule(name, text, { version, dialect: this.options.capabilities }),
    );
    this.modules.push(module);
    return module;
  }

  addBundle(bundle: Bundle): void {
    const problem = `manifest roots [${bundle.roots.join(' ')}] do not permit`;
    const isModule = ({ name }: { readonly name: string }): boolean => name.endsWith('.rego');
    const ordered = [...bundle.files.filter(isModule), ...bundle.files.filter((file) => !isModule(file))];
    for (const { name, text, path, version = this.options.version } of ordered) {
      if (name.endsWith('.rego')) {
        const own = this.addBundled(bundle, name, text, version).package.path;
        if (!isPermitted(bundle, own))
          throw BundleError.in(bundle.name, `${problem} 'package ${own.join('.')}' in module '${name}'`);
        continue;
      }
      this.files.push({ name, text, path });
      const outside = pathOutside(bundle, toJson(parseDocument(name, text)), path);
      if (outside === undefined) continue;
      const where = `data at path '/${outside.join('/')}' (hint: check bundle directory structure)`;
      throw BundleError.in(bundle.name, `${problem} ${where}`);
    }
  }

  private addBundled(bundle: Bundle, name: string, text: string, version: syntax.RegoVersion): syntax.Module {
    try {
      return this.addModule(name, text, version);
    } catch (error) {
      if (!isRegoErrors(error)) throw error;
      throw BundleError.in(bundle.name, errorText(error, { sourceOf: () => text }), { cause: error });
    }
  }

  finish(): Loaded {
    if (this.errors.length > 0) throw new RegoErrors(this.errors);
    const data = this.stopwatch.time('data_parse', () => mergeDocuments(this.files));
    return { modules: this.modules, data, sources: this.sources };
  }
}

/** Errors: `LoadError`; its cause is `RegoErrors` when modules do not parse. */
export async function loadFiles(paths: readonly string[], options: LoadOptions): Promise<Loaded> {
  const { regoOnly = false, bundles = [] } = options;
  const loading = new Loading(options);
  try {
    const isIgnored = nameFilter(options.ignore);
    for (const found of findFiles(paths, regoOnly, isIgnored)) loading.addFile(found);
    const read = await readBundles(bundles, isIgnored);
    for (const bundle of read) loading.addBundle(bundle);
    checkOverlaps(read);
    return loading.finish();
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw new LoadError(error, loading.sources);
  }
}

/** `schema` for one file; for a folder `schema.a.b` for `a/b.json`. Errors: `LoadError`. */
export function loadSchemas(path: string | undefined): ReadonlyMap<string, Value> | undefined {
  if (path === undefined) return undefined;
  const schemas = new Map<string, Value>();
  try {
    const isFolder = statSync(path).isDirectory();
    for (const { file } of walk(path, [], 0, NOTHING_IGNORED)) {
      const parts = relative(path, file)
        .replace(/\.[^./\\]*$/, '')
        .split(/[\\/]/);
      const name = isFolder ? ['schema', ...parts].join('.') : 'schema';
      schemas.set(name, parseDocument(file, readFileSync(file, 'utf8')));
    }
    return schemas;
  } catch (error) {
    throw new LoadError(new Error(systemMessage(error, path), { cause: error }), new Map());
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
