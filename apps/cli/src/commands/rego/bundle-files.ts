/**
 * Reads bundles as OPA does: a folder or a gzip tar with policies, `data.json` or `data.yaml` rooted by their folders, and a manifest
 * whose roots must hold everything in the bundle and nothing of another.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import type { syntax } from '@bailiwick/rego';
import { matchesPattern } from '@bailiwick/rego/tools';
import { extract } from 'tar-stream';
import type { NameFilter } from './name-filter.js';

export interface BundleFile {
  /** As it stands in the archive; in a folder with the folder's path. */
  readonly name: string;
  readonly text: string;
  /** The folders between the bundle and the file. */
  readonly path: readonly string[];
  /** What the manifest says of it. */
  readonly version: syntax.RegoVersion | undefined;
}

export interface Bundle {
  readonly name: string;
  /** Policies and data, by name. */
  readonly files: readonly BundleFile[];
  /** Slash-separated paths below `data`; the empty one is all of it. */
  readonly roots: readonly string[];
}

interface Manifest {
  readonly roots?: readonly string[];
  readonly rego_version?: number;
  /** By patterns of paths from the bundle's root on, which begin with a slash. */
  readonly file_rego_versions?: Readonly<Record<string, number>>;
}

/** What is wrong with bundles; each command says it in its own words, as in OPA. */
export class BundleError extends Error {
  readonly words: { readonly eval: string; readonly check: string; readonly test: string };

  constructor(words: BundleError['words'], options?: ErrorOptions) {
    super(words.check, options);
    this.words = words;
  }

  /** One bundle cannot be read. */
  static in(bundle: string, problem: string, options?: ErrorOptions): BundleError {
    return BundleError.loading(bundle, `bundle ${bundle}: ${problem}`, options);
  }

  static loading(bundle: string, text: string, options?: ErrorOptions): BundleError {
    const words = { eval: `loading error: ${text}`, check: text, test: `unable to load bundle ${bundle}: ${text}` };
    return new BundleError(words, options);
  }
}

const isContent = (name: string): boolean => /\.rego$|^data\.(json|ya?ml)$/.test(posix.basename(name));

const pathOf = (name: string): readonly string[] =>
  posix
    .dirname(name)
    .split('/')
    .filter((part) => part !== '' && part !== '.');

function readFolder(root: string, isIgnored: NameFilter): Map<string, string> {
  const texts = new Map<string, string>();
  const visit = (below: string): void => {
    for (const entry of readdirSync(posix.join(root, below), { withFileTypes: true })) {
      const name = posix.join(below, entry.name);
      if (isIgnored(entry.name)) continue;
      if (statSync(posix.join(root, name)).isDirectory()) visit(name);
      else if (isContent(name) || name === '.manifest') texts.set(name, readFileSync(posix.join(root, name), 'utf8'));
    }
  };
  visit('');
  return texts;
}

function unzip(archive: Buffer): Buffer {
  try {
    return gunzipSync(archive);
  } catch (error) {
    const isShort = error instanceof Error && 'code' in error && error.code === 'Z_BUF_ERROR';
    const cause = isShort || archive.length < 10 ? 'unexpected EOF' : 'gzip: invalid header';
    throw new Error(`bundle read failed: archive read failed: ${cause}`, { cause: error });
  }
}

async function readArchive(file: string, isIgnored: NameFilter): Promise<Map<string, string>> {
  const archive = extract();
  archive.end(unzip(readFileSync(file)));
  const texts = new Map<string, string>();
  for await (const entry of archive) {
    const { name, type } = entry.header;
    if (posix.normalize(name).split('/').some(isIgnored)) entry.resume();
    else if (type === 'file' && (isContent(name) || posix.normalize(name).replace(/^\//, '') === '.manifest')) {
      texts.set(name, (await buffer(entry)).toString('utf8'));
    } else entry.resume();
  }
  return texts;
}

function readManifest(text: string | undefined): Manifest {
  if (text === undefined) return {};
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`bundle load failed on manifest decode: ${cause}`, { cause: error });
  }
  return manifest;
}

/** What the manifest says of each file: the first pattern that matches, in the order of their texts, before the bundle's version. */
function versionsOf(manifest: Manifest): (path: string) => syntax.RegoVersion | undefined {
  const { rego_version: whole, file_rego_versions: files = {} } = manifest;
  const special = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  return (path) => {
    const version = special.find(([pattern]) => matchesPattern(pattern, path))?.[1] ?? whole;
    if (version === undefined || version === 1) return version === 1 ? 'v1' : undefined;
    if (version !== 0) throw new Error(`unknown bundle rego-version ${version} for file '${path}'`);
    return 'v0';
  };
}

const within = (path: string, root: string): boolean => root === '' || path === root || path.startsWith(`${root}/`);

/** Errors: `Error` without the bundle’s name. */
async function readOne(location: string, isIgnored: NameFilter): Promise<Bundle> {
  const isFolder = statSync(location).isDirectory();
  const texts = isFolder ? readFolder(location, isIgnored) : await readArchive(location, isIgnored);
  const found = [...texts].find(([name]) => posix.normalize(name).replace(/^\//, '') === '.manifest');
  const manifest = readManifest(found?.[1]);
  const versionOf = versionsOf(manifest);
  const files = [...texts]
    .filter(([name]) => isContent(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => ({
      name: isFolder ? posix.join(location, name) : name,
      text,
      path: pathOf(name),
      version: versionOf(posix.join('/', name)),
    }));
  const roots = (manifest.roots ?? ['']).map((root) => root.replace(/^\/+|\/+$/g, ''));
  return { name: location, files, roots };
}

const overlap = (root: string, other: string): boolean => within(root, other) || within(other, root);

/** Errors: `BundleError` when two bundles claim the same documents. */
export function checkOverlaps(bundles: readonly Bundle[]): void {
  for (const [index, one] of bundles.entries()) {
    for (const other of bundles.slice(index + 1)) {
      const root = one.roots.find((each) => other.roots.some((theirs) => overlap(each, theirs)));
      if (root === undefined) continue;
      const theirs = other.roots.find((each) => overlap(root, each));
      const list = (some: readonly Bundle[]): string =>
        `[${some
          .map(({ name }) => name)
          .sort()
          .join(', ')}]`;
      const empty = [one, other].filter(({ roots }) => roots.includes(''));
      const text =
        empty.length > 0
          ? `bundles ${list([one, other])} have overlapping roots and cannot be activated simultaneously because bundle(s) ${list(empty)} specify empty root paths ('') which overlap with any other bundle root`
          : `detected overlapping roots in manifests for these bundles: ${list([one, other])} (root ${root} is in multiple bundles)`;
      const merged = `manifest has overlapped roots: '${root}' and '${theirs}'`;
      throw new BundleError({ eval: `bundle activation failed: ${text}`, check: merged, test: text });
    }
  }
}

/** The first path in a document that no root permits. */
export function pathOutside(bundle: Bundle, document: unknown, path: readonly string[]): readonly string[] | undefined {
  if (isPermitted(bundle, path)) return undefined;
  const isOnTheWay = bundle.roots.some((root) => within(root, path.join('/')));
  if (!isOnTheWay || typeof document !== 'object' || document === null || Array.isArray(document)) return path;
  for (const [key, value] of Object.entries(document)) {
    const found = pathOutside(bundle, value, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a module or a document at this path may be in the bundle. */
export const isPermitted = ({ roots }: Bundle, path: readonly string[]): boolean =>
  roots.some((root) => within(path.join('/'), root));

/** Reads bundles in folders and in `.tar.gz` files. Errors: `Error` as OPA says it. */
export async function readBundles(locations: readonly string[], isIgnored: NameFilter): Promise<readonly Bundle[]> {
  const bundles: Bundle[] = [];
  for (const location of locations) {
    try {
      bundles.push(await readOne(location, isIgnored));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
        throw BundleError.loading(
          location,
          `error reading "${location}": stat ${location}: no such file or directory`,
          { cause: error },
        );
      throw BundleError.in(location, error instanceof Error ? error.message : String(error), { cause: error });
    }
  }
  return bundles;
}
