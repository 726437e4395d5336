/** `bailiwick types`: what it writes compiles, and refuses what is wrong. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot, startTestServer, type TestServer } from './harness.js';

const folder = join(repositoryRoot, '.cache', 'types-test');
const file = join(folder, 'app.ts');
let server: TestServer;
let key: string;
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  server = await startTestServer({ demo: 'false' });
  const shop = { app_id: 'shop', environment: 'prod' };
  const create = async (kind: string, body: Record<string, unknown>): Promise<void> => {
    expect((await server.call('POST', `/api/v1/${kind}`, { body })).text).toContain('"id"');
  };
  await create('configs', { key: 'page.size', value: 20 });
  await create('configs', { ...shop, key: 'title', value: 'hello' });
  await create('configs', {
    ...{ ...shop, key: 'limits', value: { max: 3, mode: 'soft' } },
    schema: {
      type: 'object',
      properties: {
        max: { type: 'integer' },
        mode: { enum: ['soft', 'hard'] },
        tags: { type: 'array', items: { type: 'string' } },
      },
      required: ['max', 'mode'],
    },
  });
  await create('configs', { app_id: 'other', key: 'not.ours', value: 1 });
  const flag = { state: 'ENABLED', defaultVariant: 'on' };
  await create('flags', { ...shop, ...flag, key: 'dark', variants: { on: true, off: false } });
  await create('flags', { ...shop, ...flag, key: 'theme', variants: { on: { color: 'red' } } });
  const { json } = await server.call('POST', '/api/v1/api-keys', { body: { name: 's', kind: 'server', ...shop } });
  key = json.key as string;
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});

/** Not synchronously: the server is in this process. */
async function run(token: string, ...more: string[]): Promise<{ status: number | null; text: string }> {
  const scope = ['--app', 'shop', '--environment', 'prod', '--url', server.url, '--token', token];
  const child = spawn(process.execPath, [join(repositoryRoot, 'dist/cli.mjs'), 'types', ...scope, ...more]);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  return await new Promise((resolve) => child.once('close', (status) => resolve({ status, text })));
}

/** The compiler's messages about each of some programs that use the file; compiled together, because that takes seconds. */
function faultsOf(programs: readonly string[]): readonly (readonly string[])[] {
  const paths = programs.map((program, index) => {
    const path = join(folder, `use-${index}.ts`);
    const start = `import { createAppClient } from './app.js';\nconst client = createAppClient({ isOffline: true });\n`;
    writeFileSync(path, `${start}${program}\n`);
    return path;
  });
  const config = ts.readConfigFile(join(repositoryRoot, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, repositoryRoot);
  const compiled = ts.createProgram(paths, { ...options, incremental: false });
  return [file, ...paths].map((path) =>
    compiled
      .getSemanticDiagnostics(compiled.getSourceFile(path))
      .map((one) => ts.flattenDiagnosticMessageText(one.messageText, ' ')),
  );
}

it('is bad usage without an app: exit code 2', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(repositoryRoot, 'dist/cli.mjs'), 'types'], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([2, expect.stringContaining('--app')]);
});

describe('bailiwick types', () => {
  it('writes the keys of an app with their types, the schema’s where there is one', async () => {
    expect(await run(server.token, '--out', file)).toEqual({ status: 0, text: '' });
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('"page.size": number;');
    expect(text).toContain('"title": string;');
    expect(text).toContain(
      '{ readonly "max": number; readonly "mode": "soft" | "hard"; readonly "tags"?: readonly string[] }',
    );
    expect(text).toContain('"dark": boolean;');
    expect(text).toContain('"theme": JsonObject;');
    expect(text).not.toContain('not.ours');
    const good = `const size: number = client.config('page.size', 5);
      const max: number = client.config('limits', { max: 1, mode: 'soft' }).max;
      const dark: boolean = client.flagDetails('dark', false, { targetingKey: 'a' }).value;
      void client.ready(); void [size, max, dark];`;
    const bad = [`client.config('page.siz', 5);`, `client.config('page.size', 'x');`, `client.flag('title', true);`];
    const [own, right, ...wrong] = faultsOf([good, ...bad]);
    expect([own, right]).toEqual([[], []]);
    expect(wrong.map((faults) => faults.length)).toEqual([1, 1, 1]);
  }, 60_000);

  it('does with a server key too, without schemas', async () => {
    const { status, text } = await run(key);
    expect(status).toBe(0);
    expect(text).toContain('"limits": JsonObject;');
  });

  it('fails a check when the file is another', async () => {
    expect((await run(server.token, '--out', file, '--check')).status).toBe(0);
    writeFileSync(file, '// old');
    expect(await run(server.token, '--out', file, '--check')).toMatchObject({ status: 1 });
    expect((await run('bwk_nobody')).status).toBe(1);
  });
});
