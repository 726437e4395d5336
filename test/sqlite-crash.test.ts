/**
 * kill -9 of a process that writes with 64 concurrent callers, again and again on the same data folder: after each kill
 * every acknowledged transaction is there, whole, and no half of any other.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Embedded, openEmbedded } from '../apps/server/src/adapters/embedded/open-embedded.js';
import { transactionOf } from './crash/workload.js';

const root = new URL('..', import.meta.url).pathname;
/** Inside the repository, so that the bundle finds its packages. */
const folder = join(root, '.cache', `crash-${process.pid}`);
const rounds = Number(process.env['BAILIWICK_CRASH_ROUNDS'] ?? 20);

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints: [join(root, 'test/crash/writer.ts')],
    outfile: join(folder, 'writer.mjs'),
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
    conditions: ['bailiwick:source'],
    external: ['better-sqlite3'],
  });
  copyFileSync(join(root, 'apps/server/src/adapters/embedded/sqlite-worker.mjs'), join(folder, 'sqlite-worker.mjs'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Acknowledged = readonly [kind: string, name: string, number: number, revision: number];

/** Runs the writer, kills it `delayMs` after its first acknowledgement, returns all it acknowledged. */
function runAndKill(directory: string, round: number, delayMs: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [join(folder, 'writer.mjs'), directory, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged: Acknowledged[] = [];
  let isDoomed = false;
  createInterface(child.stdout).on('line', (line) => {
    if (!isDoomed) setTimeout(() => child.kill('SIGKILL'), delayMs);
    isDoomed = true;
    const [kind = '', name = '', number, revision, ...rest] = line.split(' ');
    // The last line may have been cut by the kill.
    if (revision !== undefined && revision !== '' && rest.length === 0)
      acknowledged.push([kind, name, Number(number), Number(revision)]);
  });
  return new Promise((resolve) => child.once('close', () => resolve(acknowledged)));
}

async function findLost({ keyValueStore, policyArchive, auditLog }: Embedded, acknowledged: readonly Acknowledged[]) {
  const { items } = await keyValueStore.range('/own/');
  const revisions = new Map(items.map((item) => [item.key, item.modRevision]));
  const values = new Map(items.map((item) => [item.key, item.value]));
  const lost: string[] = [];
  for (const [kind, name, number, revision] of acknowledged) {
    const [own] = transactionOf(name, number);
    const isThere =
      kind === 'kv'
        ? revisions.get(`/own/${name}/${number}`) === revision &&
          own?.kind === 'put' &&
          values.get(own.key) === own.value
        : kind === 'version'
          ? (await policyArchive.get(name, number)) !== undefined
          : (await auditLog.read(name, number - 1, 1))[0]?.seq === number;
    if (!isThere) lost.push(`${kind} ${name} ${number}`);
  }
  return lost;
}

/** The three keys that a transaction writes beside its own must be of the newest transaction of their writer, all. */
async function findHalves({ keyValueStore }: Embedded): Promise<string[]> {
  const newest = new Map<string, number>();
  for (const { key, modRevision } of (await keyValueStore.range('/own/', { keysOnly: true })).items) {
    const name = key.split('/')[2] ?? '';
    newest.set(name, Math.max(newest.get(name) ?? 0, modRevision));
  }
  const { items } = await keyValueStore.range('/again/');
  const halves = items.filter((item) => item.modRevision !== newest.get(item.key.split('/')[2] ?? ''));
  return items.length === newest.size * 3 ? halves.map((item) => item.key) : ['a key is missing'];
}

it(`loses no acknowledged transaction in ${rounds} rounds of kill -9 under 64 writers`, {
  timeout: 600_000,
}, async () => {
  const directory = join(folder, 'data');
  const acknowledged: Acknowledged[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const fresh = await runAndKill(directory, round, 20 + ((round * 37) % 180));
    expect(fresh.length).toBeGreaterThan(0);
    const embedded = await openEmbedded({ directory });
    try {
      expect(await findLost(embedded, fresh)).toEqual([]);
      expect(await findHalves(embedded)).toEqual([]);
      const last = Math.max(...fresh.map(([, , , revision]) => revision));
      expect((await embedded.keyValueStore.status()).revision).toBeGreaterThanOrEqual(last);
      acknowledged.push(...fresh);
    } finally {
      await embedded.close();
    }
  }
  const embedded = await openEmbedded({ directory });
  expect(await findLost(embedded, acknowledged)).toEqual([]);
  await embedded.close();
  console.log(`${rounds} rounds of kill -9: ${acknowledged.length} acknowledged writes, 0 lost, 0 halved`);
});
