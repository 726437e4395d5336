/**
 * kill -9 under concurrent writes, again and again on one data folder: every acknowledged write must be there afterwards, with exactly
 * one version and exactly one audit record. CRASH_ROUNDS sets how often (default 8; the figure we publish is 200).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditRecord } from '@bailiwick/contract';
import { verifyRecords } from '@bailiwick/contract/audit-chain';
import { afterAll, expect, it } from 'vitest';
import { repositoryRoot } from './harness.js';

const rounds = Number(process.env['CRASH_ROUNDS'] ?? 8);
const writers = 16;
const policies = 8;
const directory = mkdtempSync(join(tmpdir(), 'bailiwick-crash-'));
let child: ChildProcess | undefined;

afterAll(() => {
  child?.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Acknowledged {
  readonly policy: string;
  readonly version: number;
  readonly etag: string;
  readonly mark: string;
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

async function start(port: number): Promise<void> {
  const started = spawn(process.execPath, [join(repositoryRoot, 'dist/bailiwick.mjs'), '--no-demo'], {
    env: {
      PATH: process.env['PATH'],
      BAILIWICK_PORT: String(port),
      BAILIWICK_DATA_DIR: directory,
      BAILIWICK_LOG_LEVEL: 'error',
      BAILIWICK_KEPT_VERSIONS: '1000000',
      BAILIWICK_DECISION_LOG: 'off',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  child = started;
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const isReady = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return;
    if (started.exitCode !== null) throw new Error(`the server ended with ${started.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the server did not become ready');
}

async function kill(): Promise<void> {
  const ended = new Promise((resolve) => child?.once('exit', resolve));
  child?.kill('SIGKILL');
  await ended;
}

/** Writes until the server dies; returns what it acknowledged. */
async function write(
  url: string,
  token: string,
  writer: number,
  round: { isOver: () => boolean; onWrite: () => void },
): Promise<Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  for (let count = 0; !round.isOver(); count += 1) {
    const policy = `crash-${(writer + count) % policies}`;
    const mark = `${writer}-${count}-${Math.random()}`;
    try {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const etag = (await fetch(`${url}/policies/${policy}`, { headers })).headers.get('etag');
      const answer = await fetch(`${url}/policies/${policy}`, {
        method: 'PUT',
        headers: { ...headers, ...(etag === null ? {} : { 'if-match': etag }) },
        body: JSON.stringify({ rego: 'package crash\n\nallow := true\n', data: { mark } }),
      });
      if (answer.status !== 200 && answer.status !== 201) continue;
      const receipt = (await answer.json()) as { version: number; etag: string };
      round.onWrite();
      acknowledged.push({ policy, version: receipt.version, etag: receipt.etag, mark });
    } catch {
      // The server was killed under this request: it is not acknowledged, and may or may not have happened.
    }
  }
  return acknowledged;
}

interface Listed {
  readonly version: number;
  readonly etag: string;
}

async function allVersions(url: string, token: string, policy: string): Promise<readonly Listed[]> {
  const items: Listed[] = [];
  for (let cursor: string | undefined; ; ) {
    const answer = await fetch(
      `${url}/policies/${policy}/versions?limit=1000${cursor === undefined ? '' : `&cursor=${cursor}`}`,
      { headers: { authorization: `Bearer ${token}` } },
    );
    const page = (await answer.json()) as { items: Listed[]; next?: string };
    items.push(...(page.items ?? []));
    cursor = page.next;
    if (cursor === undefined) return items;
  }
}

async function exportedRecords(url: string, token: string): Promise<readonly AuditRecord[]> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const ready = (await (await fetch(`${url}/readyz`)).json()) as { outbox_depth: number };
    if (ready.outbox_depth === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const text = await (
    await fetch(`${url}/api/v1/audit/export`, { headers: { authorization: `Bearer ${token}` } })
  ).text();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord);
}

it(
  `loses and doubles nothing in ${rounds} rounds of kill -9 under ${writers} writers`,
  async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await start(port);
      const token = readFileSync(join(directory, 'admin.token'), 'utf8').trim();
      let isOver = false;
      let sawFirst = (): void => undefined;
      const firstWrite = new Promise<void>((resolve) => {
        sawFirst = resolve;
      });
      const running = Array.from({ length: writers }, (_unused, writer) =>
        write(url, token, writer, { isOver: () => isOver, onWrite: sawFirst }),
      );
      await firstWrite;
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 300));
      await kill();
      isOver = true;
      acknowledged.push(...(await Promise.all(running)).flat());
    }
    await start(port);
    const token = readFileSync(join(directory, 'admin.token'), 'utf8').trim();
    const records = await exportedRecords(url, token);
    expect(verifyRecords(records, undefined).broken).toBeUndefined();

    let versions = 0;
    for (let index = 0; index < policies; index += 1) {
      const policy = `crash-${index}`;
      const listed = await allVersions(url, token, policy);
      versions += listed.length;
      // 1, 2, 3 … without a gap and without a double.
      expect(listed.map((item) => item.version)).toEqual(listed.map((_item, at) => listed.length - at));
      const etags = new Map(listed.map((item) => [item.version, item.etag]));
      const lost = acknowledged.filter((write) => write.policy === policy && etags.get(write.version) !== write.etag);
      expect(lost).toEqual([]);
      const audited = records
        .filter((record) => record.chain === policy && record.result === 'success')
        .map((record) => `"${record.etag_after}"`);
      expect([...audited].sort()).toEqual([...etags.values()].sort());
    }
    const newest = acknowledged.slice(-20);
    for (const write of newest) {
      const stored = (await (
        await fetch(`${url}/policies/${write.policy}/versions/${write.version}`, {
          headers: { authorization: `Bearer ${token}` },
        })
      ).json()) as { data: { mark: string } };
      expect(stored.data.mark).toBe(write.mark);
    }
    console.log(
      `${rounds} kills, ${acknowledged.length} acknowledged writes, ${versions} versions, ${records.length} audit records: 0 lost, 0 doubled`,
    );
    expect(acknowledged.length).toBeGreaterThan(rounds);
    await kill();
  },
  rounds * 5_000 + 60_000,
);
