/**
 * `npm run conformance -- SUITE [DIR] [OPTIONS]`: runs a folder of language-neutral cases. Suites: rego (DIR is needed), flags, gateway (the
 * embedded one, or any by `--url URL --file APISIX_YAML`).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './prepare.mjs';

/** A suite without a default folder has no cases of its own. */
const suites = {
  rego: { entry: 'packages/rego/conformance/main.ts' },
  flags: { entry: 'packages/evaluation/conformance/main.ts', directory: join('..', 'shared', 'conformance', 'flags') },
  gateway: { entry: 'conformance/gateway/main.ts', directory: join('conformance', 'gateway', 'cases') },
};
const [suite, ...words] = process.argv.slice(2);
const [given, ...rest] = words[0]?.startsWith('--') ? [undefined, ...words] : words;
const directory = given ?? suites[suite]?.directory;
// A folder that was named must be there; a default one may be missing, and the suite says what it left out.
if (suites[suite] === undefined || directory === undefined || (given !== undefined && !existsSync(given))) {
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
await build({ ...bundleOptions, entryPoints: { [suite]: suites[suite].entry }, outdir: folder, logLevel: 'error' });
const result = spawnSync(process.execPath, [join(folder, `${suite}.mjs`), directory, ...rest], { stdio: 'inherit' });
process.exit(result.status ?? 1);
