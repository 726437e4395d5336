/**
 * Runs `reading-process.ts` from the sources, under the test runner: Node 20 reads no TypeScript, so it is bundled here as the process starts.
 * In `dist` the bundle itself has this name (`scripts/build.mjs`).
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';
import { bundleOptions } from '../../../../../scripts/build.mjs';

const folder = join(bundleOptions.absWorkingDir, '.cache', 'reading-process');
const { outputFiles } = buildSync({
  ...bundleOptions,
  entryPoints: ['apps/server/src/documents/reading/reading-process.ts'],
  outdir: folder,
  sourcemap: false,
  write: false,
});
const [bundle] = outputFiles;
const file = join(folder, `${createHash('sha256').update(bundle.contents).digest('hex').slice(0, 16)}.mjs`);
if (!existsSync(file)) {
  mkdirSync(folder, { recursive: true });
  const part = `${file}.${process.pid}.${process.hrtime.bigint()}`;
  writeFileSync(part, bundle.contents);
  renameSync(part, file);
}
await import(pathToFileURL(file).href);
