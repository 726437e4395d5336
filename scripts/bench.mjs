/** `npm run bench -- NAME [ARGS]`: builds and runs `bench/NAME.ts`. Results go to `bench/results/`. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './prepare.mjs';

const [name, ...args] = process.argv.slice(2);
const names = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length));
if (name === undefined || !existsSync(join(root, 'bench', `${name}.bench.ts`))) {
  console.error(`Which benchmark? npm run bench -- ${names.join(' | ')}`);
  process.exit(2);
}
ensureInstalled();
await ensureBuilt();
const { build } = await import('esbuild');
const { buildThreads, bundleOptions } = await import('./build.mjs');
const folder = join(root, '.cache', 'bench');
await build({ ...bundleOptions, entryPoints: { [name]: `bench/${name}.bench.ts` }, outdir: folder, logLevel: 'error' });
await buildThreads(folder);
const result = spawnSync(process.execPath, ['--expose-gc', join(folder, `${name}.mjs`), ...args], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(result.status ?? 1);
