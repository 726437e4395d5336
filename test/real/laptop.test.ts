/** The specification's laptop mode as a user starts it: `npm run laptop`. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isEtcdInstalled } from '../servers/etcd.js';
import { isOpaInstalled } from '../servers/opa.js';
import { findFreePorts } from '../servers/processes.js';
import { repositoryRoot } from '../system/harness.js';

const until = async <T>(read: () => Promise<T | undefined>): Promise<T | undefined> => {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const value = await read().catch(() => undefined);
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
};

describe.skipIf(!isEtcdInstalled() || !isOpaInstalled())('laptop mode', () => {
  it('starts etcd, a real OPA and Bailiwick with one command, answers from what was PUT, and stops all three', async () => {
    const data = mkdtempSync(join(tmpdir(), 'bailiwick-laptop-'));
    const [port, opaPort, etcdPort] = await findFreePorts(3);
    const child = spawn(process.execPath, [join(repositoryRoot, 'scripts/laptop.mjs')], {
      env: {
        ...process.env,
        BAILIWICK_PORT: String(port),
        BAILIWICK_DATA_DIR: data,
        OPA_PORT: String(opaPort),
        ETCD_PORT: String(etcdPort),
        BAILIWICK_LOG_LEVEL: 'error',
      },
      stdio: 'ignore',
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      const isReady = await until(async () => ((await fetch(`http://127.0.0.1:${port}/readyz`)).ok ? true : undefined));
      expect(isReady).toBe(true);
      const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
      const put = await fetch(`http://127.0.0.1:${port}/policies/laptop`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          rego: 'package project.authz\n\ndefault allow = false\n\nallow { input.user.role == "admin" }',
          data: { valid_roles: ['admin', 'viewer'] },
        }),
      });
      expect(put.status).toBe(201);
      const answer = await until(async () => {
        const response = await fetch(`http://127.0.0.1:${opaPort}/v1/data/projects/laptop/project/authz/allow`, {
          method: 'POST',
          body: '{"input":{"user":{"role":"admin"}}}',
        });
        return ((await response.json()) as { result?: boolean }).result;
      });
      expect(answer).toBe(true);
    } finally {
      child.kill('SIGINT');
    }
    expect(await ended).toBe(0);
    await expect(fetch(`http://127.0.0.1:${opaPort}/health`)).rejects.toThrow();
    await expect(fetch(`http://127.0.0.1:${etcdPort}/health`)).rejects.toThrow();
    rmSync(data, { recursive: true, force: true });
  });
});
