/** `npm run check`: format, lint, types, import fences, dead code, generated files. Prints what each took; runs all before it fails. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureInstalled, root } from './prepare.mjs';

ensureInstalled();
const bin = (name) => join(root, 'node_modules', '.bin', name);
const steps = [
  ['format and lint', bin('biome'), ['check', '--error-on-warnings', '.']],
  ['types', bin('tsc'), ['-p', 'tsconfig.json']],
  ['typed lint', bin('eslint'), ['--max-warnings', '0', '.']],
  ['import fences', process.execPath, [join(root, 'scripts', 'fences.mjs')]],
  ['dead code', bin('knip'), []],
  ['generated files', process.execPath, [join(root, 'scripts', 'generate.mjs'), '--check']],
];
let hasFailed = false;
for (const [name, command, args] of steps) {
  const startedMs = Date.now();
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const isOk = result.status === 0;
  process.stdout.write(`${isOk ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)\n`);
  if (!isOk) {
    hasFailed = true;
    process.stdout.write(`${result.stdout}${result.stderr}\n`);
  }
}
process.exit(hasFailed ? 1 : 0);
