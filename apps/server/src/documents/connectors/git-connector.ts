/**
 * Files of a Git repository's newest commit: a shallow, bare clone into a temporary folder, read by object and never checked out, so there are no
 * links to follow and no filters to run. The cursor is the commit: a repository that still has it is not cloned again; a file's mark is its
 * object's id, so of a new commit only the changed files are read.
 */
import { mkdir, mkdtemp, opendir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { type Connector, type ConnectorItem, type ConnectorRun, connectorError, skipped } from './connector.js';
import { parseGitAddress, pinGitAddress } from './git-address.js';
import { type GitRun, runGit } from './git-command.js';

export interface GitOptions {
  readonly url: string;
  /** The repository's own default branch when not given. */
  readonly branch?: string;
  /** Only what is below this folder of the repository. */
  readonly folder?: string;
  /** An `Authorization` header for https: `Bearer …` or `Basic …`. */
  readonly authorization?: string;
  readonly mayBePrivate?: boolean;
  /** Where `file:` addresses may lead. */
  readonly allowedRoots?: readonly string[];
  readonly limits?: Partial<GitLimits>;
}

export interface GitLimits {
  /** Of the clone, on disk. */
  readonly maxBytes: number;
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  /** For all of it, the reading of files included. */
  readonly maxSeconds: number;
}

const defaultLimits: GitLimits = {
  maxBytes: 1024 * 1024 * 1024,
  maxFileBytes: 50 * 1024 * 1024,
  maxFiles: 100_000,
  maxSeconds: 600,
};
const watchMs = 250;
const maxListBytes = 64 * 1024 * 1024;

async function folderBytes(path: string): Promise<number> {
  let bytes = 0;
  for await (const entry of await opendir(path, { recursive: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size;
  return bytes;
}

interface Tree {
  readonly id: string;
  readonly path: string;
  readonly bytes: number;
}

/** Plain files only: no links (120000), no submodules (160000), nothing hidden. */
function parseTree(output: Buffer): Tree[] {
  const files: Tree[] = [];
  for (const line of output.toString('utf8').split('\0')) {
    const match = /^100(?:644|755) blob ([0-9a-f]{40,64}) +(\d+)\t([\s\S]+)$/.exec(line);
    const path = match?.[3] ?? '';
    if (!match || path.split('/').some((part) => part.startsWith('.') || part === 'node_modules')) continue;
    files.push({ id: match[1] as string, path, bytes: Number(match[2]) });
  }
  return files;
}

/** Errors: `connector.invalid_address` for an address, branch or folder that cannot be one. */
export function openGitConnector(options: GitOptions): Connector {
  const address = parseGitAddress(options.url);
  const limits = { ...defaultLimits, ...options.limits };
  const { branch = 'HEAD', folder = '', authorization, mayBePrivate = false, allowedRoots = [] } = options;
  if (!/^[\w][\w./+-]*$/.test(branch) || branch.includes('..'))
    throw connectorError('connector.invalid_address', 'That is no branch.');
  if (/^[-/]|(?:^|\/)\.\.(?:\/|$)|\0/.test(folder))
    throw connectorError('connector.invalid_address', 'That is no folder of a repository.');
  const base = `git:${address.repository}/`;

  async function* read(run: ConnectorRun, home: string, signal: AbortSignal): AsyncGenerator<ConnectorItem> {
    const { seen = new Map(), cursor } = run;
    const pinned = await pinGitAddress(address, { mayBePrivate, allowedRoots });
    const secret =
      authorization === undefined ? [] : [['http.extraHeader', `Authorization: ${authorization}`] as const];
    const common = {
      ...{ folder: home, protocol: address.protocol, signal, settings: [...pinned.settings, ...secret] },
      ...(pinned.sshCommand === undefined ? {} : { sshCommand: pinned.sshCommand }),
    };
    const git = (args: readonly string[], more: Partial<GitRun> = {}): Promise<Buffer> =>
      runGit({ ...common, args, maxOutputBytes: maxListBytes, ...more });

    const reference = branch === 'HEAD' ? 'HEAD' : `refs/heads/${branch}`;
    const listed = (await git(['ls-remote', '--exit-code', '--', address.url, reference])).toString();
    const commit = /^([0-9a-f]{40,64})\t/.exec(listed)?.[1];
    if (commit === undefined) throw connectorError('connector.unreachable', 'It has no such branch.');
    if (commit !== cursor) {
      await clone(git, home, signal);
      yield* changes(git, seen);
    }
    yield { kind: 'cursor', cursor: commit };
  }

  async function clone(
    git: (args: readonly string[], more?: Partial<GitRun>) => Promise<Buffer>,
    home: string,
    signal: AbortSignal,
  ): Promise<void> {
    const tooLarge = new AbortController();
    const watch = setInterval(() => {
      void folderBytes(home).then(
        (bytes) =>
          bytes > limits.maxBytes &&
          tooLarge.abort(connectorError('connector.too_large', `At most ${limits.maxBytes} bytes are copied.`)),
        () => undefined,
      );
    }, watchMs);
    const args = [
      'clone',
      '--quiet',
      '--bare',
      '--depth',
      '1',
      '--single-branch',
      '--no-tags',
      '--no-local',
      '--template=',
    ];
    try {
      await git([...args, ...(branch === 'HEAD' ? [] : ['--branch', branch]), '--', address.url, join(home, 'copy')], {
        signal: AbortSignal.any([signal, tooLarge.signal]),
      });
    } finally {
      clearInterval(watch);
    }
    // It may have been quicker than the watch.
    if ((await folderBytes(home)) > limits.maxBytes)
      throw connectorError('connector.too_large', `At most ${limits.maxBytes} bytes are copied.`);
  }

  async function* changes(
    git: (args: readonly string[], more?: Partial<GitRun>) => Promise<Buffer>,
    seen: ReadonlyMap<string, string>,
  ): AsyncGenerator<ConnectorItem> {
    const copy = ['--git-dir', 'copy'];
    const below = folder.replace(/\/+$/, '');
    const files = parseTree(
      await git([...copy, 'ls-tree', '-r', '-l', '-z', 'HEAD', '--', ...(below === '' ? [] : [`${below}/`])]),
    );
    if (files.length > limits.maxFiles)
      throw connectorError('connector.too_large', `At most ${limits.maxFiles} files are read.`);
    const present = new Set<string>();
    for (const { id, path, bytes } of files) {
      const source = base + path;
      present.add(source);
      if (seen.get(source) === id) continue;
      if (bytes > limits.maxFileBytes) yield skipped(source, 'connector.too_large');
      else
        yield {
          ...{ kind: 'found', source, name: posix.basename(path), mark: id },
          bytes: () => git([...copy, 'cat-file', 'blob', id], { maxOutputBytes: limits.maxFileBytes }),
        };
    }
    for (const source of seen.keys()) if (!present.has(source)) yield { kind: 'gone', source };
  }

  return {
    async *list(run: ConnectorRun = {}) {
      const late = new AbortController();
      const timer = setTimeout(
        () => late.abort(connectorError('connector.takes_too_long', `At most ${limits.maxSeconds} s are given.`)),
        limits.maxSeconds * 1000,
      );
      const home = await mkdtemp(join(tmpdir(), 'bailiwick-git-'));
      try {
        await mkdir(join(home, '.config'), { recursive: true });
        yield* read(run, home, run.signal ? AbortSignal.any([run.signal, late.signal]) : late.signal);
      } finally {
        clearTimeout(timer);
        await rm(home, { recursive: true, force: true });
      }
    },
  };
}
