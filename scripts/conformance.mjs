/** `npm run conformance -- SUITE DIR`: runs a folder of language-neutral cases against our implementation. Suites: rego. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './prepare.mjs';

const suites = { rego: 'packages/rego/conformance/main.ts' };
const [suite, directory, ...rest] = process.argv.slice(2);
if (suites[suite] === undefined || directory === undefined || !existsSync(directory)) {
  console.error(
    `usage: npm run conformance -- ${Object.keys(suites).join('|')} DIR\n       DIR is a folder of case files${directory === undefined ? '' : `; ${directory} is not there`}.`,
  );
  process.exit(2);
}
ensureInstalled();
const { build } = await import('esbuild');
const { bundleOptions } = await import('./build.mjs');
const folder = join(root, '.cache', 'conformance');
mkdirSync(folder, { recursive: true });
await build({ ...bundleOptions, entryPoints: { [suite]: suites[suite] }, outdir: folder, logLevel: 'error' });
const result = spawnSync(process.execPath, [join(folder, `${suite}.mjs`), directory, ...rest], { stdio: 'inherit' });
process.exit(result.status ?? 1);
