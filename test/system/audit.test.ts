import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowRole, repositoryRoot, startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false' });
});
afterAll(async () => {
  await server.stop();
});

const sealed = async (): Promise<void> => {
  // The root chain is signed at most once a second.
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const root = await server.call('GET', '/api/v1/audit?chain=root&limit=1');
    const newest = await server.call('GET', '/api/v1/audit?limit=1');
    if (root.json.items[0]?.ts >= newest.json.items[0]?.ts) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

/** The CLI as a user runs it; answers its exit code and what it printed. */
function verify(file: string, key: string): { code: number; text: string } {
  try {
    return {
      code: 0,
      text: execFileSync(
        process.execPath,
        [join(repositoryRoot, 'dist/cli.mjs'), 'audit', 'verify', file, '--public-key', key],
        { encoding: 'utf8', stdio: 'pipe' },
      ),
    };
  } catch (error) {
    const { status, stderr } = error as { status: number; stderr: string };
    return { code: status, text: stderr };
  }
}

describe('the audit trail', () => {
  it('holds one record for every write, successful or refused, with who, when, what and both ETags', async () => {
    const headers = { 'x-request-id': 'audit-test-1' };
    const first = await server.call('PUT', '/policies/audited', { body: { rego: allowRole('a') }, headers });
    const second = await server.call('PUT', '/policies/audited', {
      body: { rego: allowRole('b') },
      headers: { 'if-match': first.headers.get('etag') ?? '' },
    });
    await server.call('PUT', '/policies/audited', { body: { rego: allowRole('c') }, headers: { 'if-match': '"1"' } });
    await server.call('PUT', '/policies/audited', {
      body: { rego: 'nonsense' },
      headers: { 'if-match': second.headers.get('etag') ?? '' },
    });
    const { items } = (await server.call('GET', '/api/v1/audit?chain=audited')).json;
    expect(items.map((item: { action: string; result: string }) => `${item.action} ${item.result}`)).toEqual([
      'policy.write validation_error',
      'policy.write conflict',
      'policy.replace success',
      'policy.create success',
    ]);
    const bare = (answer: { headers: Headers }): string => (answer.headers.get('etag') ?? '').replaceAll('"', '');
    expect(items[3]).toMatchObject({
      actor: 'bootstrap-admin',
      resource: '/policies/audited',
      etag_before: null,
      etag_after: bare(first),
      request_id: 'audit-test-1',
      client_ip: '127.0.0.1',
    });
    expect(items[2]).toMatchObject({ etag_before: bare(first), etag_after: bare(second) });
  });

  it('records reads of sensitive things', async () => {
    await server.call('GET', '/api/v1/decisions');
    expect((await server.call('GET', '/api/v1/audit?action=decision.search')).json.items).toHaveLength(1);
  });

  it('is verified offline, and names the first link that was broken', async () => {
    await sealed();
    const exported = (await server.call('GET', '/api/v1/audit/export')).text;
    const file = join(server.directory, 'export.jsonl');
    const key = join(server.directory, 'audit-public-key.pem');
    writeFileSync(file, exported);
    expect(verify(file, key)).toMatchObject({ code: 0, text: expect.stringContaining('OK') });

    const lines = exported.trim().split('\n');
    const index = lines.findIndex((line) => line.includes('"policy.replace"'));
    const tampered = [...lines];
    tampered[index] = (lines[index] ?? '').replace('bootstrap-admin', 'somebody-else');
    writeFileSync(file, tampered.join('\n'));
    expect(verify(file, key)).toMatchObject({ code: 2, text: expect.stringContaining(`line ${index + 1}`) });

    writeFileSync(file, lines.filter((_line, at) => at !== index).join('\n'));
    expect(verify(file, key)).toMatchObject({ code: 2, text: expect.stringContaining('missing') });

    // The newest record of a chain cut off: only the signed root knows that it was there.
    const last = lines.findLastIndex((line) => line.includes('"chain":"audited"'));
    writeFileSync(file, lines.filter((_line, at) => at !== last).join('\n'));
    expect(verify(file, key)).toMatchObject({ code: 2, text: expect.stringContaining('signed root') });

    const forged = lines.map((line) => line.replace(/"signature":"../, '"signature":"AA'));
    writeFileSync(file, forged.join('\n'));
    expect(verify(file, key)).toMatchObject({ code: 2, text: expect.stringContaining('signature') });
    expect(readFileSync(key, 'utf8')).toContain('PUBLIC KEY');
  });
});

describe('conditions of a scope', () => {
  it('lets a second person approve, binds the approval to the content, and uses it up', async () => {
    const strict = await startTestServer({ requireApproval: 'guarded' });
    try {
      const other = (
        await strict.call('POST', '/api/v1/api-keys', { body: { name: 'second', roles: ['platform-admin'] } })
      ).json.key;
      const put = (rego: string) => strict.call('PUT', '/policies/guarded', { body: { rego } });
      const asked = await put(allowRole('a'));
      expect(asked.json).toMatchObject({ status: 409, reason: 'policy.approval_required' });
      const { id } = asked.json.approval;
      expect((await strict.call('POST', `/api/v1/approvals/${id}/approve`)).json).toMatchObject({
        status: 403,
        reason: 'approval.own',
      });
      expect((await strict.call('POST', `/api/v1/approvals/${id}/approve`, { token: other })).status).toBe(200);
      expect((await put(allowRole('edited'))).json).toMatchObject({ reason: 'policy.approval_required' });
      expect((await put(allowRole('a'))).status).toBe(201);
      const current = await strict.call('GET', '/policies/guarded');
      const again = await strict.call('PUT', '/policies/guarded', {
        body: { rego: allowRole('a') },
        headers: { 'if-match': current.headers.get('etag') ?? '' },
      });
      expect(again.json).toMatchObject({ reason: 'policy.approval_required' });
    } finally {
      await strict.stop();
    }
  });

  it('demands a clean check, or the word that the flips are meant', async () => {
    const strict = await startTestServer({ requireCleanCheck: 'projects' });
    try {
      const token = strict.token;
      const first = await strict.call('PUT', '/policies/clean?wait=applied', { body: { rego: allowRole('a') }, token });
      const input = {
        claims: { sub: 'u', roles: ['a'], project: 'clean' },
        method: 'GET',
        path: '/',
        project: 'clean',
      };
      await strict.call('POST', '/v1/data/bailiwick/authz', { body: { input } });
      const headers = { 'if-match': first.headers.get('etag') ?? '' };
      const refused = await strict.call('PUT', '/policies/clean', { body: { rego: allowRole('b') }, headers });
      expect(refused.json).toMatchObject({
        status: 409,
        reason: 'policy.check_not_clean',
        flips: [{ actor: 'u', before: true, after: false }],
      });
      expect(
        (await strict.call('PUT', '/policies/clean?acknowledge_flips=1', { body: { rego: allowRole('b') }, headers }))
          .status,
      ).toBe(200);
    } finally {
      await strict.stop();
    }
  });
});
