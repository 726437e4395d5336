/** A policy rolled out step by step: by share, by instance, in shadow, with a guard that takes it back. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { allowRole, startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false', rolloutTickMs: '20', instanceId: 'instance-a' });
});
afterAll(() => server.stop());

let counter = 0;

/** A project that allows `reader`, and the rollout of a version that allows `writer` instead. */
async function rolledOut(
  strategy: unknown,
  more: Record<string, unknown> = {},
  next = allowRole('writer'),
  data: Record<string, unknown> = {},
) {
  counter += 1;
  const project = `project-${counter}`;
  const put = await server.call('PUT', `/policies/${project}?wait=applied`, { body: { rego: allowRole('reader') } });
  expect(put.status).toBe(201);
  const body = { key: project, target: { kind: 'policy', project, rego: next, data }, strategy, ...more };
  const made = await server.call('POST', '/api/v1/rollouts', { body });
  expect([made.status, made.json.detail]).toEqual([201, undefined]);
  const id = made.json.id as string;
  return { id, project };
}

const command = async (id: string, name: string) =>
  (await server.call('POST', `/api/v1/rollouts/${id}/${name}`, { body: {} })).json;
const read = async (id: string) => (await server.call('GET', `/api/v1/rollouts/${id}`)).json;

/** Whether somebody with the role is allowed, as the gateway would ask. */
function isAllowed(project: string, sub: string, role: string, requestId = 'r'): boolean {
  return server.running.platform.decisions.decide({
    caller: { actor: sub, claims: { sub, roles: [role], project } },
    ...{ method: 'GET', path: '/x', headers: {}, query: {}, project, requestId },
  }).allowed;
}

const half = {
  kind: 'percentage',
  steps: [
    { percent: 50, after_s: 0 },
    { percent: 100, after_s: 3_600 },
  ],
};
const users = Array.from({ length: 500 }, (_, i) => `user-${i}`);

describe('a rollout of a policy', () => {
  it('decides a share of the people by the new version, and becomes the policy when it is complete', async () => {
    const { id, project } = await rolledOut({
      kind: 'percentage',
      steps: [
        { percent: 20, after_s: 0 },
        { percent: 100, after_s: 3_600 },
      ],
    });
    expect(isAllowed(project, 'ada', 'reader')).toBe(true);
    await command(id, 'start');
    const byNew = users.filter((sub) => isAllowed(project, sub, 'writer'));
    const byOld = users.filter((sub) => isAllowed(project, sub, 'reader'));
    expect(byNew.length).toBeGreaterThan(50);
    expect(byNew.length).toBeLessThan(150);
    expect([...byNew, ...byOld].sort()).toEqual([...users].sort());
    expect((await server.call('GET', `/policies/${project}`)).json.rego).toContain('reader');
    expect((await command(id, 'promote')).state).toBe('completed');
    expect((await server.call('GET', `/policies/${project}`)).json.rego).toContain('writer');
    await vi.waitFor(() => expect(users.every((sub) => isAllowed(project, sub, 'writer'))).toBe(true));
    const [newest] = (await server.call('GET', `/policies/${project}/versions`)).json.items;
    expect(newest).toMatchObject({ version: 2, actor: 'rollout-worker' });
  });

  it('goes by requests, or by instances, when that is what it sticks to', async () => {
    const byRequest = await rolledOut(half, { sticky_attribute: 'request_id' });
    await command(byRequest.id, 'start');
    const shares = users.filter((id) => isAllowed(byRequest.project, 'ada', 'writer', id)).length;
    expect(shares).toBeGreaterThan(180);
    expect(shares).toBeLessThan(320);
    const audience = { users: ['instance-a'] };
    const byInstance = await rolledOut({ kind: 'targeting', audience }, { sticky_attribute: 'instance' });
    await command(byInstance.id, 'start');
    expect(users.every((sub) => isAllowed(byInstance.project, sub, 'writer'))).toBe(true);
    const elsewhere = await rolledOut(
      { kind: 'targeting', audience: { users: ['instance-b'] } },
      { sticky_attribute: 'instance' },
    );
    await command(elsewhere.id, 'start');
    expect(users.some((sub) => isAllowed(elsewhere.project, sub, 'writer'))).toBe(false);
  });

  it('decides by large versions too, several at once, once they are compiled', async () => {
    // Large enough to be compiled and read in slices, and more of them than are kept as read.
    const words = Array.from({ length: 30_000 }, (_unused, index) => `word-${index}`);
    const padding = Array.from({ length: 800 }, (_unused, index) => `unused_${index} := ${index}\n`).join('');
    const projects: string[] = [];
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const rego = `${allowRole('writer')}\n${padding}named := data.words[0]\n`;
      const strategy = { kind: 'targeting', audience: { users: ['ada'] } };
      const { id, project } = await rolledOut(strategy, {}, rego, { words: [name, ...words] });
      await command(id, 'start');
      projects.push(project);
      ids.push(id);
    }
    await vi.waitFor(() => {
      for (const project of projects) expect(isAllowed(project, 'ada', 'writer')).toBe(true);
    });
    for (const project of projects) expect(isAllowed(project, 'bob', 'reader')).toBe(true);
    for (const id of ids) await command(id, 'abort');
  });

  it('in shadow changes nothing, counts what would differ, and adopts nothing', async () => {
    const { id, project } = await rolledOut(
      { kind: 'percentage', steps: [{ percent: 100, after_s: 0 }] },
      { shadow: true, bake_s: 600 },
    );
    await command(id, 'start');
    for (const sub of users.slice(0, 40)) expect(isAllowed(project, sub, 'reader')).toBe(true);
    for (const sub of users.slice(0, 10)) expect(isAllowed(project, sub, 'nobody')).toBe(false);
    expect((await read(id)).differences).toEqual({ compared: 50, differing: 40 });
    const ended = await command(id, 'abort');
    expect(ended.state).toBe('aborted');
    expect((await server.call('GET', `/policies/${project}`)).json.rego).toContain('reader');
  });

  it('is taken back by itself when its own decisions are denied too often', async () => {
    const guards = [{ kind: 'denial_rate', max: 0.5, min_samples: 20 }];
    const { id, project } = await rolledOut(half, { guards, bake_s: 600 });
    await command(id, 'start');
    for (const sub of users.slice(0, 200)) isAllowed(project, sub, 'reader');
    await vi.waitFor(async () => expect((await read(id)).state).toBe('rolled_back'), { timeout: 5_000 });
    expect(users.every((sub) => isAllowed(project, sub, 'reader'))).toBe(true);
  });

  it('does not overwrite what somebody else wrote meanwhile', async () => {
    const { id, project } = await rolledOut({
      kind: 'percentage',
      steps: [
        { percent: 10, after_s: 0 },
        { percent: 100, after_s: 3_600 },
      ],
    });
    await command(id, 'start');
    const etag = (await server.call('GET', `/policies/${project}`)).headers.get('etag') as string;
    await server.call('PUT', `/policies/${project}?wait=applied`, {
      body: { rego: allowRole('other') },
      headers: { 'if-match': etag },
    });
    const ended = await command(id, 'promote');
    expect(ended.events.at(-1)).toMatchObject({ kind: 'rolled_back', reason: 'the policy was changed meanwhile' });
    expect((await server.call('GET', `/policies/${project}`)).json.rego).toContain('other');
  });
});

it('what would be refused as a write is refused as a rollout', async () => {
  const put = await server.call('PUT', '/policies/refused', { body: { rego: allowRole('reader') } });
  expect(put.status).toBe(201);
  const attempt = async (rego: string, project = 'refused') =>
    await server.call('POST', '/api/v1/rollouts', {
      body: { key: 'r', target: { kind: 'policy', project, rego }, strategy: { kind: 'immediate' } },
    });
  expect((await attempt('package x\n\nallow if {')).json.errors?.[0]?.row).toBeGreaterThan(0);
  expect((await attempt(allowRole('x'), 'absent')).json.reason).toBe('policy.not_found');
  const lockout = await attempt('package platform.authz\n\ndefault allow := false\n', 'platform');
  expect([lockout.status, lockout.json.reason]).toEqual([400, 'policy.lockout']);
});
