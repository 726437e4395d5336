/** Rollouts from outside: a value, a flag, step by step, with guards, freezes and a worker that is replaced. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false', rolloutTickMs: '20' });
});
afterAll(() => server.stop());

let counter = 0;
const fresh = (what: string): string => {
  counter += 1;
  return `${what}-${counter}`;
};

const shop = { app_id: 'shop', environment: 'prod' };

async function post(path: string, body: unknown, status = 201) {
  const answer = await server.call('POST', path, { body });
  expect([answer.status, answer.json?.detail]).toEqual([status, status < 400 ? undefined : answer.json?.detail]);
  return answer.json;
}

async function entry(value: unknown, more: Record<string, unknown> = {}) {
  return await post('/api/v1/configs', { ...shop, key: fresh('value'), value, ...more });
}

const rollout = async (target: unknown, strategy: unknown, more: Record<string, unknown> = {}) =>
  await post('/api/v1/rollouts', { key: fresh('rollout'), target, strategy, ...more });
const command = async (id: string, name: string, body: unknown = {}, status = 200) =>
  await post(`/api/v1/rollouts/${id}/${name}`, body, status);
const read = async (id: string) => (await server.call('GET', `/api/v1/rollouts/${id}`)).json;

/** How many of 1,000 people get which value. */
async function share(key: string, people = 200): Promise<Map<unknown, number>> {
  const counts = new Map<unknown, number>();
  for (let i = 0; i < people; i += 1) {
    const body = { ...shop, keys: [key], context: { targetingKey: `user-${i}` } };
    const { json } = await server.call('POST', '/api/v1/configs/fetch', { body });
    counts.set(json.values[key], (counts.get(json.values[key]) ?? 0) + 1);
  }
  return counts;
}

const everybody = { kind: 'targeting', audience: { users: ['ada'] } };

describe('a rollout of a value', () => {
  it('reaches people by its timetable, and becomes the value when it is complete', async () => {
    const { id, key } = await entry('old');
    const steps = [
      { percent: 10, after_s: 0 },
      // Far enough apart that a slow machine has paused it before the next.
      { percent: 50, after_s: 3 },
      { percent: 100, after_s: 4 },
    ];
    const made = await rollout({ kind: 'config', id, value: 'new' }, { kind: 'percentage', steps });
    expect(made).toMatchObject({ state: 'draft', percent: 0, ...shop });
    expect((await share(key, 20)).get('new')).toBeUndefined();
    expect(await command(made.id, 'start')).toMatchObject({ state: 'running', percent: 10 });
    await command(made.id, 'pause');
    const tenth = (await share(key)).get('new') ?? 0;
    expect(tenth).toBeGreaterThan(5);
    expect(tenth).toBeLessThan(40);
    await command(made.id, 'resume');
    await vi.waitFor(async () => expect((await read(made.id)).state).toBe('completed'), { timeout: 15_000 });
    expect(
      (await read(made.id)).events.map((one: { kind: string; percent: number }) => [one.kind, one.percent]),
    ).toEqual([
      ...[
        ['created', 0],
        ['started', 10],
        ['paused', 10],
        ['resumed', 10],
        ['stepped', 50],
        ['stepped', 100],
        ['completed', 100],
      ],
    ]);
    const now = await server.call('GET', `/api/v1/configs/${id}`);
    expect(now.json).toMatchObject({ value: 'new', version: 2, updated_by: 'rollout-worker' });
  }, 30_000);

  it('by audience gives it to those named, and to all when it is promoted', async () => {
    const { id, key } = await entry(1);
    const made = await rollout(
      { kind: 'config', id, value: 2 },
      { kind: 'targeting', audience: { users: ['ada'], groups: ['beta'] } },
    );
    await command(made.id, 'start');
    const valueFor = async (context: unknown) =>
      (await server.call('POST', '/api/v1/configs/fetch', { body: { ...shop, keys: [key], context } })).json.values[
        key
      ];
    expect(await valueFor({ targetingKey: 'ada' })).toBe(2);
    expect(await valueFor({ targetingKey: 'bob', groups: ['beta'] })).toBe(2);
    expect(await valueFor({ targetingKey: 'bob' })).toBe(1);
    await command(made.id, 'promote');
    expect(await valueFor({ targetingKey: 'bob' })).toBe(2);
    expect((await read(made.id)).state).toBe('completed');
  });

  it('that is rolled back leaves the value as it was', async () => {
    const { id, key } = await entry('safe');
    const made = await rollout(
      { kind: 'config', id, value: 'risky' },
      { kind: 'percentage', steps: [{ percent: 100, after_s: 0 }] },
      { bake_s: 600 },
    );
    await command(made.id, 'start');
    expect((await share(key, 5)).get('risky')).toBe(5);
    await command(made.id, 'rollback', { reason: 'looks bad' });
    expect((await share(key, 5)).get('safe')).toBe(5);
    expect((await read(made.id)).events.at(-1)).toMatchObject({ kind: 'rolled_back', reason: 'looks bad' });
    expect((await server.call('GET', `/api/v1/configs/${id}`)).json.version).toBe(1);
  });

  it('keeps a secret secret, old and new', async () => {
    const { id, key } = await entry('old-hush', { sensitive: true });
    const made = await rollout({ kind: 'config', id, value: 'new-hush' }, everybody);
    expect(JSON.stringify(made)).not.toContain('hush');
    await command(made.id, 'start');
    const body = { ...shop, keys: [key], context: { targetingKey: 'ada' } };
    expect((await server.call('POST', '/api/v1/configs/fetch', { body })).json.values[key]).toBe('new-hush');
    await command(made.id, 'abort');
    expect((await server.call('GET', `/api/v1/rollouts/${made.id}/versions`)).text).not.toContain('hush');
  });
});

it('a rollout of a flag answers those in it by the new definition', async () => {
  const boolean = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' };
  const flag = await post('/api/v1/flags', { ...shop, key: fresh('flag'), ...boolean });
  const target = { kind: 'flag', id: flag.id, definition: { ...boolean, defaultVariant: 'on' } };
  const made = await rollout(target, everybody);
  await command(made.id, 'start');
  const valueFor = async (targetingKey: string) =>
    (
      await server.call('POST', `/ofrep/v1/evaluate/flags/${flag.key}?app_id=shop&environment=prod`, {
        body: { context: { targetingKey } },
      })
    ).json.value;
  expect([await valueFor('ada'), await valueFor('bob')]).toEqual([true, false]);
  await command(made.id, 'promote');
  expect(await valueFor('bob')).toBe(true);
  expect((await server.call('GET', `/api/v1/flags/${flag.id}`)).json.defaultVariant).toBe('on');
});

describe('a guard', () => {
  it('that fires rolls back by itself', async () => {
    const { id, key } = await entry('calm');
    const made = await rollout(
      { kind: 'config', id, value: 'wild' },
      {
        kind: 'percentage',
        steps: [
          { percent: 50, after_s: 0 },
          { percent: 100, after_s: 3600 },
        ],
      },
      { guards: [{ kind: 'denial_rate', project: 'guarded', max: 0.2, min_samples: 10 }] },
    );
    await command(made.id, 'start');
    await vi.waitFor(async () => expect((await read(made.id)).guards_say[0].verdict).toBe('unknown'));
    expect((await read(made.id)).state).toBe('running');
    const traffic = server.running.platform.traffic;
    for (let i = 0; i < 15; i += 1) traffic.count('denial_rate', 'guarded', true);
    await vi.waitFor(async () => expect((await read(made.id)).state).toBe('rolled_back'), { timeout: 5_000 });
    expect((await share(key, 5)).get('calm')).toBe(5);
    expect((await read(made.id)).guards_say[0]).toMatchObject({ verdict: 'unhealthy', measured: 1 });
  });

  it('holds a canary back until it says healthy', async () => {
    const { id } = await entry(1);
    const made = await rollout(
      { kind: 'config', id, value: 2 },
      { kind: 'canary', percent: 5, duration_s: 0.1 },
      { guards: [{ kind: 'error_rate', project: 'bird', max: 0.1, min_samples: 10 }] },
    );
    await command(made.id, 'start');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await read(made.id)).toMatchObject({ state: 'running', percent: 5 });
    const { traffic } = server.running.platform;
    for (let i = 0; i < 20; i += 1) traffic.count('error_rate', 'bird', false);
    await vi.waitFor(async () => expect((await read(made.id)).state).toBe('completed'), { timeout: 5_000 });
  });
});

it('a ramp as AWS AppConfig has it grows by itself, and backs out by itself when a guard fires on the way', async () => {
  const { id, key } = await entry('before');
  const growth = { kind: 'linear', factor: 20, duration_s: 2.5 };
  const made = await rollout(
    { kind: 'config', id, value: 'after' },
    { kind: 'percentage', growth },
    { bake_s: 600, guards: [{ kind: 'error_rate', project: 'ramp', max: 0.05, min_samples: 50 }] },
  );
  const { traffic } = server.running.platform;
  const healthy = setInterval(() => {
    for (let i = 0; i < 20; i += 1) traffic.count('error_rate', 'ramp', false);
  }, 50);
  await command(made.id, 'start');
  const seen = new Set<number>();
  await vi.waitFor(
    async () => {
      const { percent } = await read(made.id);
      seen.add(percent);
      expect(percent).toBeGreaterThanOrEqual(60);
    },
    { timeout: 10_000, interval: 20 },
  );
  expect([...seen]).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.size).toBeGreaterThanOrEqual(3);
  clearInterval(healthy);
  for (let i = 0; i < 5_000; i += 1) traffic.count('error_rate', 'ramp', true);
  await vi.waitFor(async () => expect((await read(made.id)).state).toBe('rolled_back'), { timeout: 5_000 });
  expect((await share(key, 10)).get('before')).toBe(10);
  const audit = await server.call(
    'GET',
    `/api/v1/reports/changes?resource=/api/v1/rollouts/${made.id}&actor=rollout-worker`,
  );
  expect(audit.json.items[0].action).toBe('rollout.rolled_back');
}, 30_000);

describe('refused', () => {
  it('is a second rollout of the same target, a command out of place, and a value that would not do', async () => {
    const { id } = await entry(5, { schema: { type: 'integer', maximum: 10 } });
    const bad = await server.call('POST', '/api/v1/rollouts', {
      body: { key: fresh('r'), target: { kind: 'config', id, value: 11 }, strategy: { kind: 'immediate' } },
    });
    expect([bad.status, bad.json.reason]).toEqual([400, 'config.invalid_value']);
    const made = await rollout({ kind: 'config', id, value: 6 }, everybody);
    const second = await server.call('POST', '/api/v1/rollouts', {
      body: { key: fresh('r'), target: { kind: 'config', id, value: 7 }, strategy: { kind: 'immediate' } },
    });
    expect([second.status, second.json.reason]).toEqual([409, 'rollout.target_taken']);
    expect((await command(made.id, 'resume', {}, 409)).reason).toBe('rollout.state');
    await command(made.id, 'start');
    const { revision } = await read(made.id);
    const headers = { 'if-match': `"${revision}"` };
    const running = await server.call('DELETE', `/api/v1/rollouts/${made.id}`, { headers });
    expect(running.json.reason).toBe('rollout.under_way');
  });

  it('is a strategy that makes no sense, with where and why', async () => {
    const { id } = await entry(1);
    const steps = [
      { percent: 50, after_s: 0 },
      { percent: 20, after_s: 10 },
    ];
    const answer = await server.call('POST', '/api/v1/rollouts', {
      body: { key: fresh('r'), target: { kind: 'config', id, value: 2 }, strategy: { kind: 'percentage', steps } },
    });
    expect([answer.status, answer.json.reason]).toEqual([400, 'rollout.invalid']);
    expect(answer.json.faults[0].path).toContain('steps');
  });
});

it('a freeze stops changes and steps of its scope, but no retreat', async () => {
  const scope = { app_id: 'frozen', environment: 'prod' };
  const made = await post('/api/v1/configs', { ...scope, key: 'a', value: 1 });
  const going = await rollout(
    { kind: 'config', id: made.id, value: 2 },
    {
      kind: 'percentage',
      steps: [
        { percent: 10, after_s: 0 },
        { percent: 100, after_s: 1.5 },
      ],
    },
  );
  await command(going.id, 'start');
  const [from, to] = [-60_000, 3_600_000].map((ms) => new Date(Date.now() + ms).toISOString());
  const freeze = await server.call('POST', '/api/v1/freezes', {
    body: { key: 'holidays', app_id: 'frozen', from, to, description: 'holidays' },
  });
  expect(freeze.status).toBe(201);
  const refused = await server.call('POST', '/api/v1/configs', { body: { ...scope, key: 'b', value: 1 } });
  expect([refused.status, refused.json.reason]).toEqual([409, 'freeze.holds']);
  await new Promise((resolve) => setTimeout(resolve, 1_800));
  expect(await read(going.id)).toMatchObject({ state: 'running', percent: 10 });
  expect((await post('/api/v1/configs', { ...shop, key: fresh('free'), value: 1 })).version).toBe(1);
  expect((await command(going.id, 'rollback')).state).toBe('rolled_back');
  const headers = { 'if-match': freeze.headers.get('etag') as string };
  await server.call('DELETE', `/api/v1/freezes/${freeze.json.id}`, { headers });
  expect((await post('/api/v1/configs', { ...scope, key: 'b', value: 1 })).version).toBe(1);
});
