/** Builds `dist/`: the server and the command line as one bundle each, and the files they read beside them; Rego for browsers, and the SDK. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as esbuild } from 'esbuild';
import { root } from './prepare.mjs';

/** Not bundled: native modules, and packages that find files beside themselves at run time. */
const external = ['better-sqlite3', 'swagger-ui-dist', 'oidc-provider', 'mongodb', 'etcd3', '@opentelemetry/*'];

/** How every bundle of this repository is made. */
export const bundleOptions = {
  absWorkingDir: root,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  format: 'esm',
  conditions: ['bailiwick:source'],
  external,
  sourcemap: true,
  legalComments: 'none',
  logLevel: 'warning',
  // Some bundled CommonJS packages call require(); ES modules have none of their own.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

/** Puts the files of the server's threads and reading processes into a folder, beside the bundle that starts them. */
export async function buildThreads(folder) {
  copyFileSync(join(root, 'apps/server/src/adapters/embedded/sqlite-worker.mjs'), join(folder, 'sqlite-worker.mjs'));
  copyFileSync(join(root, 'apps/server/src/adapters/onnx/onnx-worker.mjs'), join(folder, 'onnx-worker.mjs'));
  await esbuild({
    ...bundleOptions,
    entryPoints: { 'reading-program': 'apps/server/src/documents/reading/reading-process.ts' },
    outdir: folder,
    sourcemap: false,
  });
}

/** Bundles everything into `dist/`; takes about a second. */
export async function build() {
  const dist = join(root, 'dist');
  mkdirSync(dist, { recursive: true });
  await esbuild({
    ...bundleOptions,
    entryPoints: { bailiwick: 'apps/server/src/main.ts', cli: 'apps/cli/src/main.ts' },
    outdir: 'dist',
  });
  await buildThreads(dist);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { buildRegoBrowser } = await import('./rego-browser.mjs');
  const { buildSdk } = await import('./sdk-build.mjs');
  const [, bytes] = await Promise.all([build(), buildRegoBrowser(), buildSdk()]);
  console.log(`Rego for browsers: ${bytes} bytes compressed before the first evaluation`);
}
