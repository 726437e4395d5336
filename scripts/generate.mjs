/**
 * Generates what derives from code: the pages of `docs/reference` about settings and Rego's built-ins, the API's description, Rego's
 * capabilities, and the WebAssembly of the vector search from its text. `--check` fails when a file differs.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import wabt from 'wabt';
import { bundleOptions } from './build.mjs';
import { root } from './prepare.mjs';

const isCheck = process.argv.includes('--check');
const folder = join(root, '.cache', 'generate');
mkdirSync(folder, { recursive: true });
await build({
  ...bundleOptions,
  entryPoints: { reference: 'scripts/reference.ts' },
  outdir: folder,
  logLevel: 'error',
});
const { copyFileSync } = await import('node:fs');
copyFileSync(join(root, 'apps/server/src/adapters/embedded/sqlite-worker.mjs'), join(folder, 'sqlite-worker.mjs'));
const { settingsPage, openApiDocument, builtinsPage, capabilitiesDocument } = await import(
  pathToFileURL(join(folder, 'reference.mjs')).href
);
/** The binary of a `.wat` file as a module with one constant. */
async function webAssembly(path, constant) {
  const { parseWat } = await wabt();
  const { buffer } = parseWat(path, readFileSync(join(root, path), 'utf8'), { simd: true }).toBinary({});
  const source = path.split('/').at(-1);
  return `/** ${source} as WebAssembly, base64. Generated: change the source and run \`node scripts/generate.mjs\`. */\nexport const ${constant} =\n  '${Buffer.from(buffer).toString('base64')}';\n`;
}

const retrieval = 'apps/server/src/documents/retrieval';
const data = mkdtempSync(join(tmpdir(), 'bailiwick-generate-'));
const files = {
  'docs/reference/settings.md': settingsPage(),
  'docs/reference/rego-builtins.md': builtinsPage(),
  'packages/rego/capabilities.json': capabilitiesDocument(),
  [`${retrieval}/int8-scores.generated.ts`]: await webAssembly(`${retrieval}/int8-scores.wat`, 'int8Scores'),
  'docs/reference/openapi.json': await openApiDocument(data, root),
};
rmSync(data, { recursive: true, force: true });

let differs = false;
for (const [path, content] of Object.entries(files)) {
  const file = join(root, path);
  if (isCheck && (!existsSync(file) || readFileSync(file, 'utf8') !== content)) {
    differs = true;
    console.log(`${path} is not what the code says: run \`node scripts/generate.mjs\`.`);
  }
  if (!isCheck) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}
process.exit(differs ? 1 : 0);
