import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signLocalToken } from '../../apps/server/src/identity/local-keys.js';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server.stop();
});

/** A user's token, signed by the installation itself. */
const tokenFor = (subject: string, claims: { roles?: readonly string[]; project?: string } = {}): Promise<string> =>
  signLocalToken(server.running.platform.localKeys, {
    subject,
    roles: claims.roles ?? [],
    project: claims.project,
    audience: 'bailiwick',
    days: 1,
  });

async function putPolicy(name: string, rego: string, data: object = {}): Promise<void> {
  const current = await server.call('GET', `/policies/${name}`);
  const headers: Record<string, string> =
    current.status === 200 ? { 'if-match': current.headers.get('etag') ?? '' } : {};
  const answer = await server.call('PUT', `/policies/${name}?wait=applied`, { body: { rego, data }, headers });
  expect(answer.status, answer.text).toBeLessThan(300);
}

describe('a request through the gateway', () => {
  it('is allowed by the project’s policy, denied by its deny with the reason, and denied when nothing allows it', async () => {
    const member = await tokenFor('ann', { project: 'demo' });
    const allowed = await server.call('GET', '/demo/hello?x=1', { token: member });
    expect(allowed.json).toMatchObject({ demo: true, user: 'ann', path: '/demo/hello?x=1' });
    const denied = await server.call('GET', '/demo/vault/1', { token: member });
    expect(denied.json).toMatchObject({ status: 403, reasons: ['the vault is closed to everybody'] });
    expect((await server.call('POST', '/demo/hello', { token: member, body: {} })).status).toBe(403);
    expect((await server.call('GET', '/demo/hello', { token: null })).status).toBe(401);
  });

  it('follows a changed policy at once', async () => {
    const token = await tokenFor('bob', { roles: ['intern'], project: 'demo' });
    const before = (await server.call('GET', '/policies/demo')).json;
    await putPolicy('demo', 'package demo.authz\n\nallow if "boss" in input.claims.roles\n');
    expect((await server.call('GET', '/demo/hello', { token })).status).toBe(403);
    await putPolicy('demo', before.rego, before.data);
    expect((await server.call('GET', '/demo/hello', { token })).status).toBe(200);
  });

  it('is denied when the token is for another project, unless the platform allows it', async () => {
    const token = await tokenFor('eve', { roles: ['editor'], project: 'other' });
    expect((await server.call('GET', '/demo/hello', { token })).status).toBe(403);
    expect((await server.call('GET', '/demo/hello')).status).toBe(200);
  });

  it('does not let a client pretend to have been verified', async () => {
    const token = await tokenFor('ann', { project: 'demo' });
    const answer = await server.call('GET', '/demo/hello', {
      token,
      headers: { 'x-userinfo': Buffer.from('{"sub":"root"}').toString('base64') },
    });
    expect(answer.json.user).toBe('ann');
  });

  it.each([
    '/demo/../policies/platform',
    '/demo/%2e%2e/vault',
    '/demo/%2fvault',
    '/demo//vault',
    '/demo/.%2e/x',
    '/demo/a%00b',
    '/demo/%zz',
  ])('is refused when its path can be read in two ways: %s', async (path) => {
    const { request } = await import('node:http');
    const status = await new Promise((resolve, reject) => {
      request(
        { host: '127.0.0.1', port: server.running.port, path, headers: { authorization: `Bearer ${server.token}` } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(400);
  });
});

describe('projects', () => {
  it('may use the same package and never see each other', async () => {
    await putPolicy('left', 'package project.authz\n\nallow := data.secret == "left"\n', { secret: 'left' });
    await putPolicy(
      'right',
      'package project.authz\n\nallow := data.secret == "right"\n\nother := data.projects.left\n',
      { secret: 'right' },
    );
    const ask = async (path: string) => (await server.call('POST', `/v1/data/${path}`, { body: {} })).json;
    expect((await ask('projects/left/project/authz/allow')).result).toBe(true);
    expect((await ask('projects/right/project/authz/allow')).result).toBe(true);
    expect(await ask('projects/right/project/authz/other')).not.toHaveProperty('result');
  });

  it('read the platform’s data, and its changes, under data.platform', async () => {
    await putPolicy('reader', 'package reader\n\ngreeting := data.platform.greeting\n');
    const platform = (await server.call('GET', '/policies/platform')).json;
    await putPolicy('platform', platform.rego, { ...platform.data, greeting: 'hello' });
    expect((await server.call('POST', '/v1/data/projects/reader/reader/greeting', { body: {} })).json.result).toBe(
      'hello',
    );
  });

  it('cannot use built-ins that reach outside', async () => {
    const refused = await server.call('PUT', '/policies/outside', {
      body: {
        rego: 'package a\n\nallow if http.send({"method": "get", "url": "http://127.0.0.1"}).status_code == 200\n',
      },
    });
    expect(refused.json).toMatchObject({ status: 400, reason: 'policy.does_not_compile' });
  });
});

describe('OPA’s REST API', () => {
  it('answers /v1/data, /v0/data, /v1/query, /v1/policies and /health as OPA does', async () => {
    await putPolicy(
      'opa',
      'package app\n\nimport rego.v1\n\ndefault allow := false\n\nallow if input.user == data.owner\n',
      { owner: 'ann' },
    );
    expect(
      (await server.call('POST', '/v1/data/projects/opa/app/allow', { body: { input: { user: 'ann' } } })).json,
    ).toEqual({ result: true });
    expect(
      (await server.call('GET', `/v1/data/projects/opa/app/allow?input=${encodeURIComponent('{"user":"bob"}')}`)).json,
    ).toEqual({ result: false });
    expect(
      (await server.call('POST', '/v1/data/app/allow?project=opa', { body: { input: { user: 'ann' } } })).json,
    ).toEqual({ result: true });
    expect((await server.call('POST', '/v1/data/projects/opa/app/nothing', { body: {} })).json).toEqual({});
    expect((await server.call('POST', '/v0/data/projects/opa/app/allow', { body: { user: 'ann' } })).text.trim()).toBe(
      'true',
    );
    expect((await server.call('POST', '/v0/data/projects/opa/app/nothing', { body: {} })).status).toBe(404);
    expect((await server.call('POST', '/v1/query?project=opa', { body: { query: 'x := data.owner' } })).json).toEqual({
      result: [{ x: 'ann' }],
    });
    expect((await server.call('POST', '/v1/query', { body: { query: 'x = ' } })).json).toMatchObject({
      code: 'invalid_parameter',
    });
    expect((await server.call('GET', '/v1/policies')).json.result).toContainEqual(
      expect.objectContaining({ id: 'projects/opa/rego.rego' }),
    );
    expect((await server.call('GET', '/health', { token: null })).json).toMatchObject({ connected: true });
    expect((await server.call('POST', '/v1/data/app/allow', { token: null, body: {} })).status).toBe(401);
  });

  it('answers APISIX’s opa plugin: the token in the forwarded headers is verified, the route’s label names the project', async () => {
    const token = await tokenFor('ann', { project: 'demo' });
    const input = {
      type: 'http',
      request: { method: 'GET', path: '/demo/hello', headers: { authorization: `Bearer ${token}` }, query: {} },
      route: { labels: { project: 'demo' } },
    };
    const ask = async (value: unknown) =>
      (await server.call('POST', '/v1/data/bailiwick/authz', { body: { input: value } })).json.result;
    expect(await ask(input)).toEqual({ allow: true });
    expect(await ask({ ...input, request: { ...input.request, headers: {} } })).toEqual({
      allow: false,
      status_code: 403,
    });
    expect(await ask({ ...input, request: { ...input.request, path: '/demo/vault' } })).toEqual({
      allow: false,
      status_code: 403,
      reason: 'the vault is closed to everybody',
    });
  });
});

describe('the decision log', () => {
  it('finds a decision, says why it was made, and makes it again at its old revision', async () => {
    await putPolicy('logged', 'package logged\n\nallow if input.method == "GET"\n');
    const input = {
      claims: { sub: 'log-reader', project: 'logged' },
      method: 'GET',
      path: '/logged',
      project: 'logged',
    };
    const { decision_id: id } = (await server.call('POST', '/v1/data/bailiwick/authz', { body: { input } })).json;
    await putPolicy('logged', 'package logged\n\nallow if input.method == "POST"\n');
    const found = await server.call('GET', '/api/v1/decisions?project=logged');
    expect(found.json.items.find((item: { decision_id: string }) => item.decision_id === id)).toMatchObject({
      result: { allow: true },
      requested_by: 'log-reader',
    });
    const explained = await server.call('GET', `/api/v1/decisions/${id}/explanation`);
    expect(explained.json).toMatchObject({ allowed: true, reproduced: true });
    const steps = explained.json.policies.find((item: { policy: string }) => item.policy === 'logged').trace;
    expect(steps).toContainEqual(expect.objectContaining({ file: 'logged.rego', row: 3 }));
  });

  it('leaves out what a mask rule names', async () => {
    await putPolicy('masked', 'package masked\n\nallow := true\n\nmask contains "/input/claims/email"\n');
    const input = {
      claims: { sub: 'm', email: 'm@example.org', project: 'masked' },
      method: 'GET',
      path: '/m',
      project: 'masked',
    };
    await server.call('POST', '/v1/data/bailiwick/authz', { body: { input } });
    const found = await server.call('GET', '/api/v1/decisions?project=masked&actor=m');
    const [entry] = found.json.items;
    expect(entry.erased).toEqual(['/input/claims/email']);
    expect(JSON.stringify(entry)).not.toContain('m@example.org');
  });

  it('never holds the caller’s token', async () => {
    await server.call('GET', '/demo/hello');
    const found = await server.call('GET', '/api/v1/decisions?limit=20');
    expect(found.text).not.toContain(server.token);
  });
});

describe('a check', () => {
  it('says which logged decisions a draft would flip, for whom and by which rule', async () => {
    await putPolicy('checked', 'package checked\n\ndefault allow := false\n\nallow if input.method == "GET"\n');
    for (const method of ['GET', 'POST']) {
      await server.call('POST', '/v1/data/bailiwick/authz', {
        body: {
          input: { claims: { sub: `${method}-user`, project: 'checked' }, method, path: '/c', project: 'checked' },
        },
      });
    }
    const draft = 'package checked\n\ndefault allow := false\n\nallow if input.method == "POST"\n\ntest_ok if true\n';
    const report = await server.call('POST', '/policies/checked/check', { body: { rego: draft } });
    expect(report.json).toMatchObject({
      ok: false,
      errors: [],
      tests: [{ name: 'test_ok', passed: true }],
      replayed: 2,
      gained: ['POST-user'],
      lost: ['GET-user'],
    });
    const gained = report.json.flips.find((flip: { after: boolean }) => flip.after);
    expect(gained).toMatchObject({ actor: 'POST-user', before: false, because: [{ file: 'checked.rego', row: 5 }] });
    expect((await server.call('GET', '/policies/checked')).json.rego).not.toBe(draft);
  });

  it('gives compile errors with their positions', async () => {
    const report = await server.call('POST', '/policies/checked/check', {
      body: { rego: 'package checked\n\nallow if {' },
    });
    expect(report.json).toMatchObject({ ok: false, errors: [{ code: 'rego_parse_error', row: 3 }] });
  });
});
