/** What a browser loads before the first evaluation stays below 120 KB compressed; the rest comes when a module asks for it. */
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { filesAtOnce, MAX_GZIP_BYTES, regoBrowserOptions } from '../../../scripts/rego-browser.mjs';

describe('the browser bundle', async () => {
  const result = await build({ ...regoBrowserOptions, write: false, metafile: true });
  const outputs = Object.keys(result.metafile.outputs);
  const outputOf = (source: string): string =>
    outputs.find((path) => result.metafile.outputs[path]?.entryPoint === `packages/rego/src/${source}`) ?? '';
  const contents = (path: string): Uint8Array => {
    const file = result.outputFiles.find((one) => one.path.endsWith(`/${path}`));
    if (file === undefined) throw new Error(`${path} was not built`);
    return file.contents;
  };

  it('loads less than 120 KB at once: client, worker and core built-ins', () => {
    const atOnce = [outputOf('browser/index.ts'), ...filesAtOnce(result.metafile, outputOf('browser/worker.ts'))];
    let gzip = 0;
    let brotli = 0;
    for (const path of atOnce) {
      gzip += gzipSync(contents(path), { level: 9 }).length;
      brotli += brotliCompressSync(contents(path)).length;
    }
    console.log(`at once: ${atOnce.length} files, ${gzip} bytes gzip, ${brotli} bytes brotli`);
    expect(gzip).toBeLessThan(MAX_GZIP_BYTES);
  });

  it('leaves the rare families to chunks of their own', () => {
    const atOnce = filesAtOnce(result.metafile, outputOf('browser/worker.ts'));
    for (const family of [
      'graphql-documents',
      'tokens',
      'certificates',
      'yaml-text',
      'json-schemas',
      'templates',
      'aws',
      'networks',
      'times',
    ]) {
      const chunk = outputOf(`builtins/${family}.ts`);
      expect(chunk, family).not.toBe('');
      expect(atOnce.has(chunk), family).toBe(false);
    }
  });

  it('keeps the engine out of the client', () => {
    const client = [...filesAtOnce(result.metafile, outputOf('browser/index.ts'))];
    expect(client.reduce((sum, path) => sum + contents(path).length, 0)).toBeLessThan(12_000);
  });
});
