import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { frame, type ScriptedServer, startScriptedServer } from './scripted-server.js';

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
let server: ScriptedServer;
let folder: string;
beforeEach(async () => {
  server = await startScriptedServer();
  // Here, so that it finds the package by its name.
  folder = mkdtempSync(join(import.meta.dirname, '.readme-'));
});
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
  await server.stop();
});

it('the example of the README does what it says', async () => {
  const [, example = ''] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  const targeting = { if: [{ '==': [{ var: 'plan' }, 'gold'] }, 'on', null] };
  const flags = {
    'new-checkout': { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting },
  };
  const entries = [{ id: '1', key: 'page.size', value: 50 }];
  server.greeting = [frame('put', { epoch: 'a', revision: 3, document: { entries, flags: { flags } } })];
  vi.stubEnv('BAILIWICK_URL', server.url);
  vi.stubEnv('BAILIWICK_KEY', 'bwk_x');
  const said = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const kept = join(folder, 'cache.json');
  const file = join(folder, 'example.ts');
  writeFileSync(file, example.replace('./data/bailiwick-cache.json', kept));
  await import(/* @vite-ignore */ file);
  const lines = said.mock.calls.map(([line]) => line as unknown);
  said.mockRestore();
  expect(lines).toEqual([50, 'TARGETING_MATCH']);
  expect(existsSync(kept)).toBe(true);
  expect(server.usage).toHaveLength(1);
});
