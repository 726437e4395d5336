/**
 * Bundles Rego for browsers: the client, and the worker with its rarely used built-ins in chunks of their own. In the worker
 * the engine's table of built-ins is the one that grows on demand.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

/** Writes `packages/rego/dist/browser`. */
export const buildRegoBrowser = () => build(regoBrowserOptions);

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildRegoBrowser();
