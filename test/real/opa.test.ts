/** A real OPA kept current by push and by bundle, with policies in v0 and v1, and the decision rule in Rego against our own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isOpaInstalled, type OpaServer, startOpa } from '../servers/opa.js';
import { findFreePorts } from '../servers/processes.js';
import { startTestServer, type TestServer } from '../system/harness.js';

const v0 =
  'package project.authz\n\ndefault allow = false\n\nallow { input.user.role == "admin" }\n\ndeny[reason] { input.path == "/closed"; reason := "closed" }\n';
const v1 =
  'package project.authz\n\ndefault allow := false\n\nallow if input.claims.role in data.roles\n\ngreeting := data.platform.greeting\n';

const until = async <T>(read: () => Promise<T>, isDone: (value: T) => boolean): Promise<T> => {
  let value = await read();
  for (let attempt = 0; attempt < 400 && !isDone(value); attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    value = await read();
  }
  return value;
};

async function ask(opa: OpaServer, path: string, input: unknown): Promise<unknown> {
  const answer = await fetch(`${opa.url}/v1/data/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input }),
  });
  return ((await answer.json()) as { result?: unknown }).result;
}

async function write(server: TestServer, name: string, rego: string, data: object = {}): Promise<void> {
  const current = await server.call('GET', `/policies/${name}`);
  const headers: Record<string, string> =
    current.status === 200 ? { 'if-match': current.headers.get('etag') ?? '' } : {};
  const answer = await server.call('PUT', `/policies/${name}?wait=applied`, { body: { rego, data }, headers });
  expect(answer.status, answer.text).toBeLessThan(300);
}

/** The same questions to a real OPA and to us must have the same answers. */
async function expectSameDecisions(server: TestServer, opa: OpaServer): Promise<void> {
  for (const project of ['old', 'new', 'nobody']) {
    for (const role of ['admin', 'viewer']) {
      for (const path of ['/x', '/closed']) {
        for (const claimed of [project, 'other', undefined]) {
          const claims = { sub: 'u', role, ...(claimed === undefined ? {} : { project: claimed }) };
          const input = { claims, user: claims, project, path, method: 'GET' };
          const ours = (await server.call('POST', '/v1/data/bailiwick/authz/allow', { body: { input } })).json.result;
          expect(await ask(opa, 'bailiwick/authz/allow', input), JSON.stringify(input)).toBe(ours);
        }
      }
    }
  }
}

describe.skipIf(!isOpaInstalled())('a real OPA kept current by REST push', () => {
  let opa: OpaServer;
  let server: TestServer;
  beforeAll(async () => {
    opa = await startOpa();
    server = await startTestServer({ demo: 'false', opaUrls: opa.url });
  });
  afterAll(async () => {
    await server.stop();
    await opa.stop();
  });

  it('answers from what was PUT, in v0 and v1, with projects apart', async () => {
    await write(server, 'old', v0, { note: 1 });
    await write(server, 'new', v1, { roles: ['viewer'] });
    expect(
      await until(
        () => ask(opa, 'projects/old/project/authz/allow', { user: { role: 'admin' } }),
        (value) => value === true,
      ),
    ).toBe(true);
    expect(
      await until(
        () => ask(opa, 'projects/new/project/authz/allow', { claims: { role: 'viewer' } }),
        (value) => value === true,
      ),
    ).toBe(true);
    expect(await ask(opa, 'projects/new/project/authz/allow', { claims: { role: 'admin' } })).toBe(false);
    expect(await ask(opa, 'projects/old/note', {})).toBe(1);
  });

  it('decides as we do', async () => {
    await expectSameDecisions(server, opa);
  });

  it('forgets what is deleted', async () => {
    const current = await server.call('GET', '/policies/old');
    await server.call('DELETE', '/policies/old', { headers: { 'if-match': current.headers.get('etag') ?? '' } });
    expect(
      await until(
        () => ask(opa, 'projects/old', {}),
        (value) => value === undefined,
      ),
    ).toBeUndefined();
  });

  it('gets everything again after it was restarted', async () => {
    await opa.restart();
    expect(
      await until(
        () => ask(opa, 'projects/new/project/authz/allow', { claims: { role: 'viewer' } }),
        (value) => value === true,
      ),
    ).toBe(true);
  });
});

describe.skipIf(!isOpaInstalled())('a real OPA that pulls', () => {
  let opa: OpaServer;
  let server: TestServer;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bailiwick-opa-'));
    const [port = 0] = await findFreePorts(1);
    server = await startTestServer({ demo: 'false', port: String(port) });
    const configuration = join(folder, 'opa.yaml');
    writeFileSync(
      configuration,
      `services:\n  bailiwick:\n    url: ${server.url}\n    credentials:\n      bearer:\n        token: ${server.token}\ndiscovery:\n  service: bailiwick\n  resource: /opa/discovery.tar.gz\n`,
    );
    opa = await startOpa(['--config-file', configuration]);
  });
  afterAll(async () => {
    await opa.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('finds its bundle by discovery, long-polls it and answers from what was PUT, in v0 and v1', async () => {
    await write(server, 'old', v0, { note: 1 });
    await write(server, 'new', v1, { roles: ['viewer'] });
    const platform = (await server.call('GET', '/policies/platform')).json;
    await write(server, 'platform', platform.rego, { ...platform.data, greeting: 'hello' });
    expect(
      await until(
        () => ask(opa, 'projects/new/project/authz/greeting', {}),
        (value) => value === 'hello',
      ),
    ).toBe('hello');
    expect(
      await until(
        () => ask(opa, 'projects/old/project/authz/allow', { user: { role: 'admin' } }),
        (value) => value === true,
      ),
    ).toBe(true);
  });

  it('decides as we do', async () => {
    await expectSameDecisions(server, opa);
  });

  it('gets a change within a second of long polling', async () => {
    const started = performance.now();
    await write(server, 'new', v1, { roles: ['admin'] });
    expect(
      await until(
        () => ask(opa, 'projects/new/project/authz/allow', { claims: { role: 'admin' } }),
        (value) => value === true,
      ),
    ).toBe(true);
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  it('sends its status and its decision logs', async () => {
    const opas = await until(
      () => server.call('GET', '/api/v1/opas'),
      (answer) => answer.json.items.length > 0,
    );
    expect(opas.json.items[0].status).toHaveProperty('bundles');
    const logged = await until(
      () => server.call('GET', '/api/v1/decisions?limit=1000'),
      (answer) => answer.json.items.some((item: { path: string }) => item.path === 'projects/new/project/authz/allow'),
    );
    expect(logged.json.items.map((item: { path: string }) => item.path)).toContain('projects/new/project/authz/allow');
  });
});
