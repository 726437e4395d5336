/**
 * What `npm start`, `npm test` and `npx bailiwick` do first on any checkout: install when the lock file changed, build when a
 * source changed. Uses nothing but Node, because on a fresh clone there is nothing else.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache');

/** Installs the dependencies when the lock file is not the one last installed from. */
export function ensureInstalled() {
  const lockHash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.bailiwick-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash) return;
  process.stderr.write('Installing dependencies (first time: one or two minutes) …\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const result = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    // The embedding model runs on the processor; its runtime would fetch 200 MB for graphics cards.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL_CUDA: 'skip' },
  });
  if (result.status !== 0) {
    process.stderr.write('`npm ci` failed; its messages are above.\n');
    process.exit(result.status ?? 1);
  }
  writeFileSync(stamp, lockHash);
}

/** Builds `dist/` when any source is newer than the last build. */
export async function ensureBuilt() {
  const stamp = join(cache, 'build-stamp');
  const now = sourceStamp();
  if (existsSync(stamp) && existsSync(join(root, 'dist', 'bailiwick.mjs')) && readFileSync(stamp, 'utf8') === now)
    return;
  process.stderr.write('Building …\n');
  const { build } = await import('./build.mjs');
  await build();
  mkdirSync(cache, { recursive: true });
  writeFileSync(stamp, now);
}

/** One line a source file: path, size, time of change; cheap enough to ask at every start. */
function sourceStamp() {
  const lines = [];
  for (const folder of ['packages', 'apps', 'scripts', 'deploy']) collect(join(root, folder), lines);
  lines.push(readFileSync(join(root, 'package-lock.json')).length.toString());
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

function collect(folder, lines) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) collect(path, lines);
    else if (!entry.name.endsWith('.test.ts')) {
      const { size, mtimeMs } = statSync(path);
      lines.push(`${path} ${size} ${mtimeMs}`);
    }
  }
}
