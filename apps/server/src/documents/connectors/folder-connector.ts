/**
 * Files of a folder on this machine, under roots that the operator allows. Hidden files, `node_modules`, and what a `.gitignore` or
 * `.bailiwickignore` names are left out. Links are not followed: what they lead to inside of the folder is found anyway, and outside is none of
 * our business; a file is opened without following links and looked at again once it is open.
 */
import { constants } from 'node:fs';
import { lstat, open, opendir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import {
  type Connector,
  type ConnectorItem,
  type ConnectorRun,
  connectorError,
  isConnectorError,
  skipped,
} from './connector.js';

export interface FolderOptions {
  readonly path: string;
  /** Folders that may be read, with everything below. */
  readonly allowedRoots: readonly string[];
  /** 50 MiB. */
  readonly maxFileBytes?: number;
  /** 100,000. */
  readonly maxFiles?: number;
  /** 64. */
  readonly maxDepth?: number;
}

const defaults = { maxFileBytes: 50 * 1024 * 1024, maxFiles: 100_000, maxDepth: 64 };
const ignoreFiles = ['.gitignore', '.bailiwickignore'];
const maxIgnoreBytes = 1024 * 1024;

export const isWithin = (root: string, path: string): boolean =>
  path === root || path.startsWith(root === sep ? sep : root + sep);

/** The folder's real path. Errors: `connector.not_allowed`, `connector.unreachable`. */
export async function allowedFolder(path: string, allowedRoots: readonly string[]): Promise<string> {
  // Only an allowed place may be told from one that is not there.
  const refused = connectorError('connector.not_allowed');
  const roots = await Promise.all(allowedRoots.map((root) => realpath(root).catch(() => undefined)));
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || !roots.some((root) => root !== undefined && isWithin(root, real))) throw refused;
  if (!(await stat(real)).isDirectory()) throw connectorError('connector.unreachable', 'It is no folder.');
  return real;
}

interface Rules {
  readonly folder: string;
  readonly rules: Ignore;
}

async function rulesOf(folder: string): Promise<Rules | undefined> {
  const rules = ignore();
  let hasAny = false;
  for (const name of ignoreFiles) {
    const path = join(folder, name);
    const entry = await lstat(path).catch(() => undefined);
    if (!entry?.isFile() || entry.size > maxIgnoreBytes) continue;
    rules.add(await readFile(path, 'utf8').catch(() => ''));
    hasAny = true;
  }
  return hasAny ? { folder, rules } : undefined;
}

/** The innermost file of rules that says something decides, as Git has it. */
function isIgnored(path: string, isFolder: boolean, stack: readonly Rules[]): boolean {
  for (const { folder, rules } of [...stack].reverse()) {
    const verdict = rules.test(relative(folder, path).split(sep).join('/') + (isFolder ? '/' : ''));
    if (verdict.ignored) return true;
    if (verdict.unignored) return false;
  }
  return false;
}

export function openFolderConnector(options: FolderOptions): Connector {
  const limits = { ...defaults, ...options };

  async function readBytes(root: string, path: string): Promise<Uint8Array> {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      (error: unknown) => {
        throw connectorError('connector.unreachable', undefined, error);
      },
    );
    try {
      const opened = await file.stat();
      // A folder above it may have become a link since it was listed.
      const real = await realpath(path);
      const there = await stat(real);
      if (!isWithin(root, real) || there.ino !== opened.ino || there.dev !== opened.dev)
        throw connectorError('connector.leads_outside');
      if (!opened.isFile()) throw connectorError('connector.unreachable', 'It is no file.');
      if (opened.size > limits.maxFileBytes) throw connectorError('connector.too_large');
      const bytes = Buffer.alloc(opened.size);
      const { bytesRead } = await file.read(bytes, 0, opened.size, 0);
      return bytes.subarray(0, bytesRead);
    } catch (error) {
      throw isConnectorError(error) ? error : connectorError('connector.unreachable', undefined, error);
    } finally {
      await file.close();
    }
  }

  async function* list({ seen = new Map(), signal }: ConnectorRun = {}): AsyncGenerator<ConnectorItem> {
    const root = await allowedFolder(options.path, options.allowedRoots);
    const present = new Set<string>();
    let files = 0;

    async function* walk(folder: string, above: readonly Rules[], depth: number): AsyncGenerator<ConnectorItem> {
      if (depth > limits.maxDepth)
        throw connectorError('connector.too_large', `At most ${limits.maxDepth} folders in each other are read.`);
      const own = await rulesOf(folder);
      const stack = own ? [...above, own] : above;
      for await (const entry of await opendir(folder)) {
        signal?.throwIfAborted();
        const path = join(folder, entry.name);
        if (entry.name.startsWith('.') || entry.name === 'node_modules' || isIgnored(path, entry.isDirectory(), stack))
          continue;
        if (entry.isDirectory()) yield* walk(path, stack, depth + 1);
        else if (entry.isSymbolicLink()) {
          const target = await realpath(path).catch(() => undefined);
          if (target !== undefined && !isWithin(root, target))
            yield skipped(`folder:${path}`, 'connector.leads_outside');
        } else if (entry.isFile()) {
          if (++files > limits.maxFiles)
            throw connectorError('connector.too_large', `At most ${limits.maxFiles} files are read.`);
          yield* file(path);
        }
      }
    }

    async function* file(path: string): AsyncGenerator<ConnectorItem> {
      const source = `folder:${path}`;
      const about = await lstat(path, { bigint: true }).catch(() => undefined);
      if (!about?.isFile()) return;
      present.add(source);
      if (about.size > BigInt(limits.maxFileBytes)) {
        yield skipped(source, 'connector.too_large');
        return;
      }
      // A changed time of change cannot be forged by its owner, a changed time of writing can.
      const mark = `${about.size}-${about.mtimeNs}-${about.ctimeNs}`;
      if (seen.get(source) === mark) return;
      yield { kind: 'found', source, name: basename(path), mark, bytes: () => readBytes(root, path) };
    }

    yield* walk(root, [], 0);
    for (const source of seen.keys()) if (!present.has(source)) yield { kind: 'gone', source };
  }

  return { list };
}
