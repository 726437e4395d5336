/**
 * kill -9 under concurrent writes, again and again on one data folder: every acknowledged write must be there afterwards, with exactly
 * one version and exactly one audit record.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditRecord } from '@bailiwick/contract';
import { verifyRecords } from '@bailiwick/contract/audit-chain';
import { expect } from 'vitest';
import { findFreePorts } from '../servers/processes.js';
import { repositoryRoot } from './harness.js';

const writers = 16;
const policies = 8;

/** One server on one data folder, started and killed as often as one likes. */
class Victim {
  readonly directory = mkdtempSync(join(tmpdir(), 'bailiwick-crash-'));
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;

  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = environment;
  }

  /** The administrator's token, the same after every start. */
  get token(): string {
    return readFileSync(join(this.directory, 'admin.token'), 'utf8').trim();
  }

  async start(port: number): Promise<void> {
    const started = spawn(process.execPath, [join(repositoryRoot, 'dist/bailiwick.mjs'), '--no-demo'], {
      env: {
        PATH: process.env['PATH'],
        BAILIWICK_PORT: String(port),
        BAILIWICK_DATA_DIR: this.directory,
        BAILIWICK_LOG_LEVEL: 'error',
        BAILIWICK_KEPT_VERSIONS: '1000000',
        BAILIWICK_DECISION_LOG: 'off',
        ...this.#environment,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#child = started;
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

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface Acknowledged {
  readonly policy: string;
  readonly version: number;
  readonly etag: string;
  readonly mark: string;
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

/** The trail, once every version has its record there (or after half a minute, to be looked at as it is). */
async function exportedRecords(url: string, token: string, versions: number): Promise<readonly AuditRecord[]> {
  for (let attempt = 0; ; attempt += 1) {
    const text = await (
      await fetch(`${url}/api/v1/audit/export`, { headers: { authorization: `Bearer ${token}` } })
    ).text();
    const records = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AuditRecord);
    const written = records.filter((record) => record.chain.startsWith('crash-') && record.result === 'success');
    if (written.length >= versions || attempt > 60) return records;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

export interface CrashOptions {
  readonly rounds: number;
  /** Settings of the server beside the usual: other stores. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Kills `rounds` times, then compares; throws (by vitest's expect) when anything is lost or doubled. Returns what it counted, for the report. */
export async function crashRounds({ rounds, environment = {} }: CrashOptions): Promise<string> {
  const victim = new Victim(environment);
  try {
    const [port = 0] = await findFreePorts(1);
    const url = `http://127.0.0.1:${port}`;
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < rounds; round += 1) acknowledged.push(...(await oneRound(victim, port)));
    await victim.start(port);
    return await compare(url, victim.token, { rounds, acknowledged });
  } finally {
    await victim.dispose();
  }
}

async function oneRound(victim: Victim, port: number): Promise<readonly Acknowledged[]> {
  await victim.start(port);
  const { token } = victim;
  let isOver = false;
  let sawFirst = (): void => undefined;
  const firstWrite = new Promise<void>((resolve) => {
    sawFirst = resolve;
  });
  const running = Array.from({ length: writers }, (_unused, writer) =>
    write(`http://127.0.0.1:${port}`, token, writer, { isOver: () => isOver, onWrite: sawFirst }),
  );
  await firstWrite;
  await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 300));
  await victim.kill();
  isOver = true;
  return (await Promise.all(running)).flat();
}

async function compare(
  url: string,
  token: string,
  told: { rounds: number; acknowledged: readonly Acknowledged[] },
): Promise<string> {
  const { rounds, acknowledged } = told;
  const names = Array.from({ length: policies }, (_unused, index) => `crash-${index}`);
  const listed = new Map<string, readonly Listed[]>();
  for (const name of names) listed.set(name, await allVersions(url, token, name));
  const versions = [...listed.values()].reduce((sum, items) => sum + items.length, 0);
  const records = await exportedRecords(url, token, versions);
  expect(verifyRecords(records, undefined).broken).toBeUndefined();
  for (const [policy, items] of listed) {
    // 1, 2, 3 … without a gap and without a double.
    expect(items.map((item) => item.version)).toEqual(items.map((_item, at) => items.length - at));
    const etags = new Map(items.map((item) => [item.version, item.etag]));
    expect(acknowledged.filter((one) => one.policy === policy && etags.get(one.version) !== one.etag)).toEqual([]);
    const audited = records
      .filter((record) => record.chain === policy && record.result === 'success')
      .map((record) => `"${record.etag_after}"`);
    expect([...audited].sort()).toEqual([...etags.values()].sort());
  }
  for (const one of acknowledged.slice(-20)) {
    const address = `${url}/policies/${one.policy}/versions/${one.version}`;
    const answer = await fetch(address, { headers: { authorization: `Bearer ${token}` } });
    expect(((await answer.json()) as { data: { mark: string } }).data.mark).toBe(one.mark);
  }
  expect(acknowledged.length).toBeGreaterThan(rounds);
  return `${rounds} kills, ${acknowledged.length} acknowledged writes, ${versions} versions, ${records.length} audit records: 0 lost, 0 doubled`;
}
