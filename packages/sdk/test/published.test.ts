/** What is published: sizes, what it imports, and that it runs with nothing beside it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sdkOptions } from '../../../scripts/sdk-build.mjs';

let folder: string;
let metafile: Metafile;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bailiwick-sdk-dist-'));
  ({ metafile } = await build({ ...sdkOptions, outdir: folder, metafile: true, outExtension: { '.js': '.mjs' } }));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const output = (entry: string): string => {
  const path = Object.keys(metafile.outputs).find((one) => one.endsWith(`/${entry}.mjs`));
  if (path === undefined) throw new Error(`${entry} is not there`);
  return path;
};

/** An entry and the chunks that it needs. */
function filesOf(entry: string): readonly string[] {
  const found = new Set<string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    for (const one of metafile.outputs[path]?.imports ?? []) if (one.external !== true) visit(one.path);
  };
  visit(output(entry));
  return [...found];
}

/** `path` is relative to the repository. */
const read = (path: string): Buffer =>
  readFileSync(join(folder, path.includes('/chunks/') ? 'chunks' : '', basename(path)));

describe('what is published', () => {
  /** Bytes after gzip, with all chunks; and what it may import. */
  const limits: [string, number, RegExp][] = [
    ['index', 28_000, /^$/],
    ['node', 1_000, /^node:(crypto|fs\/promises|path)$/],
    ['openfeature-server', 3_000, /^@openfeature\/server-sdk$/],
    ['openfeature-web', 3_000, /^@openfeature\/web-sdk$/],
  ];
  for (const [entry, limit, allowed] of limits)
    it(`is small, and needs nothing but its peer: ${entry}`, () => {
      const files = filesOf(entry);
      const bytes = files.reduce((sum, path) => sum + gzipSync(read(path), { level: 9 }).length, 0);
      const imports = files.flatMap((path) => metafile.outputs[path]?.imports ?? []).filter((one) => one.external);
      expect(imports.map((one) => one.path).filter((path) => !allowed.test(path))).toEqual([]);
      console.log(`${entry}: ${bytes} bytes`);
      expect(bytes).toBeLessThan(limit);
    });

  it('runs where nothing else is installed', () => {
    const program = `import { createClient } from '${join(folder, 'index.mjs')}';
      import { fileStorage } from '${join(folder, 'node.mjs')}';
      const snapshot = { epoch: 'a', revision: 1, document: { entries: [{ id: '1', key: 'k', value: 7 }], flags: { flags: {} } } };
      const client = createClient({ isOffline: true, snapshot, storage: fileStorage('${join(folder, 'kept.json')}') });
      await client.ready();
      process.stdout.write(String(client.config('k', 0)));
      await client.close();`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      ...{ cwd: folder, encoding: 'utf8', timeout: 20_000 },
    });
    expect([stdout, stderr]).toEqual(['7', '']);
  });
});
