/** `npm run fuzz:rego -- --programs N --seed N`: random programs on a real OPA and on our engine. Needs `opa`. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './prepare.mjs';

ensureInstalled();
const { build } = await import('esbuild');
const { bundleOptions } = await import('./build.mjs');
const folder = join(root, '.cache', 'fuzz');
mkdirSync(folder, { recursive: true });
await build({
  ...bundleOptions,
  entryPoints: { rego: 'packages/rego/fuzz/main.ts' },
  outdir: folder,
  logLevel: 'error',
});
const result = spawnSync(
  process.execPath,
  ['--enable-source-maps', join(folder, 'rego.mjs'), ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);
process.exit(result.status ?? 1);
