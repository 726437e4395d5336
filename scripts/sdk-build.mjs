/**
 * Builds `packages/sdk/dist`: each entry as one file that needs nothing but its peer (what the entries share is in chunks beside them), and the
 * types, with those of the evaluation put beside them. The sizes are what `packages/sdk/test/published.test.ts` holds them to.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { root } from './prepare.mjs';

const folder = join(root, 'packages/sdk');
const names = ['index', 'node', 'openfeature-server', 'openfeature-web'];

export const sdkEntries = Object.fromEntries(names.map((name) => [name, `packages/sdk/src/${name}.ts`]));

/** esbuild's options; `outdir` is the caller's to change. */
export const sdkOptions = {
  absWorkingDir: root,
  entryPoints: sdkEntries,
  outdir: 'packages/sdk/dist',
  bundle: true,
  splitting: true,
  minify: true,
  keepNames: false,
  platform: 'neutral',
  target: 'es2022',
  format: 'esm',
  conditions: ['bailiwick:source'],
  external: ['node:*', '@openfeature/*'],
  chunkNames: 'chunks/[name]-[hash]',
  legalComments: 'none',
  sourcemap: true,
  logLevel: 'warning',
};

/** Writes everything. */
export async function buildSdk() {
  rmSync(join(folder, 'dist'), { recursive: true, force: true });
  await build(sdkOptions);
  await writeTypes();
}

/** TypeScript's declarations of the SDK and of the evaluation, which is named by its path instead of by its package. */
async function writeTypes() {
  const { default: ts } = await import('typescript');
  const outDir = join(folder, 'dist/types');
  const read = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, root);
  const program = ts.createProgram(
    // Named too: what is found through node_modules is not written.
    [...Object.values(sdkEntries), 'packages/evaluation/src/index.ts'].map((path) => join(root, path)),
    {
      ...options,
      ...{ noEmit: false, declaration: true, emitDeclarationOnly: true, incremental: false },
      ...{ tsBuildInfoFile: undefined, rootDir: join(root, 'packages'), outDir },
    },
  );
  mkdirSync(outDir, { recursive: true });
  program.emit();
  const evaluation = join(outDir, 'evaluation/src/index.js');
  for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, 'utf8');
    const beside = relative(entry.parentPath, evaluation);
    const changed = text.replaceAll(`'@bailiwick/evaluation'`, `'${beside.startsWith('.') ? beside : `./${beside}`}'`);
    if (changed !== text) writeFileSync(path, changed);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildSdk();
