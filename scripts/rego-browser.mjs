/**
 * Bundles Rego for browsers: the client, and the worker with its rarely used built-ins in chunks of their own. In the worker
 * the engine's table of built-ins is the one that grows on demand.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { root } from './prepare.mjs';

const builtins = join(root, 'packages/rego/src/builtins');

/** `builtins/index.ts`, which has every family, gives way to `builtins/on-demand.ts`. */
export const builtinsOnDemand = {
  name: 'builtins-on-demand',
  setup(bundle) {
    bundle.onResolve({ filter: /(^|\/)(builtins\/)?index\.js$/ }, ({ path, resolveDir }) =>
      join(resolveDir, path) === join(builtins, 'index.js') ? { path: join(builtins, 'on-demand.ts') } : undefined,
    );
  },
};

/** esbuild's options; `entryPoints` and `outdir` are the caller's to add to. */
export const regoBrowserOptions = {
  absWorkingDir: root,
  entryPoints: { index: 'packages/rego/src/browser/index.ts', worker: 'packages/rego/src/browser/worker.ts' },
  outdir: 'packages/rego/dist/browser',
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'browser',
  target: 'es2022',
  format: 'esm',
  conditions: ['bailiwick:source'],
  plugins: [builtinsOnDemand],
  chunkNames: 'chunks/[name]-[hash]',
  legalComments: 'none',
  logLevel: 'warning',
};

/** What a page loads before the first evaluation, in bytes after gzip at its best level: what every server can send. */
export const MAX_GZIP_BYTES = 120_000;

/** The files an entry needs at once: its own and those it imports, not those it may import later. */
export function filesAtOnce(metafile, entry) {
  const found = new Set();
  const visit = (path) => {
    if (found.has(path)) return;
    found.add(path);
    for (const { path: imported, kind } of metafile.outputs[path]?.imports ?? [])
      if (kind === 'import-statement') visit(imported);
  };
  visit(entry);
  return found;
}

/** Writes `packages/rego/dist/browser`. Fails when a page would have to load more than it may. */
export async function buildRegoBrowser() {
  const { metafile } = await build({ ...regoBrowserOptions, metafile: true });
  const outputs = Object.keys(metafile.outputs);
  const entries = outputs.filter((path) => /\/(index|worker)\.js$/.test(path));
  const atOnce = new Set(entries.flatMap((entry) => [...filesAtOnce(metafile, entry)]));
  let bytes = 0;
  for (const path of atOnce) bytes += gzipSync(readFileSync(join(root, path)), { level: 9 }).length;
  if (bytes > MAX_GZIP_BYTES)
    throw new Error(`the browser bundle of Rego is ${bytes} bytes, more than ${MAX_GZIP_BYTES}`);
  return bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(`${await buildRegoBrowser()} bytes at once`);
