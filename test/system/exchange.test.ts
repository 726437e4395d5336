/** Import, export, snapshots and reports from outside. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot, startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false' });
});
afterAll(() => server.stop());

const importFile = async (body: Record<string, unknown>) =>
  await server.call('POST', '/api/v1/configs/import', { body });
const exported = async (query: string) => (await server.call('GET', `/api/v1/configs/export?${query}`)).text;
const values = async (scope: Record<string, unknown>) =>
  (await server.call('POST', '/api/v1/configs/fetch', { body: scope })).json.values;

describe('an import', () => {
  it('reads a plain map, .env and YAML into a scope, in one write', async () => {
    const yaml = 'limits:\n  max: 5\n  min: 1\nname: "a: b"\nlist: [1, 2]\n';
    const first = await importFile({ format: 'yaml', content: yaml, app_id: 'one' });
    expect(first.json).toMatchObject({
      dry_run: false,
      created: ['config limits', 'config name', 'config list'],
      unchanged: 0,
    });
    const env = await importFile({
      format: 'env',
      content: 'DB_HOST=localhost\nDB_NAME="with space"\n# no\n',
      app_id: 'one',
    });
    expect(env.json.created).toEqual(['config DB_HOST', 'config DB_NAME']);
    expect(await values({ app_id: 'one' })).toEqual({
      ...{ limits: { max: 5, min: 1 }, name: 'a: b', list: [1, 2] },
      ...{ DB_HOST: 'localhost', DB_NAME: 'with space' },
    });
    const again = await importFile({ format: 'yaml', content: yaml, app_id: 'one' });
    expect(again.json).toMatchObject({ created: [], updated: [], unchanged: 3 });
  });

  it('is tried without writing, and replaces what is not in the file when that is asked', async () => {
    const request = { format: 'json', content: { limits: { max: 6 } }, app_id: 'one', mode: 'replace' };
    const tried = await importFile({ ...request, dry_run: true });
    const expected = {
      updated: ['config limits'],
      deleted: ['config name', 'config list', 'config DB_HOST', 'config DB_NAME'],
    };
    expect(tried.json).toMatchObject({ dry_run: true, ...expected });
    expect((await values({ app_id: 'one' })).name).toBe('a: b');
    const done = await importFile(request);
    expect(done.json).toMatchObject({ dry_run: false, ...expected });
    expect(await values({ app_id: 'one' })).toEqual({ limits: { max: 6 } });
  });

  it('is all or nothing: one bad entry refuses the file, and says which', async () => {
    const content = {
      configs: [
        { key: 'good', value: 1 },
        { key: 'bad', value: 'x', schema: { type: 'number' } },
      ],
    };
    const answer = await importFile({ format: 'json', content });
    expect([answer.status, answer.json.reason]).toEqual([400, 'config.invalid_value']);
    expect(answer.json.detail).toContain('bad');
    expect((await server.call('GET', '/api/v1/configs?key=good')).json.items).toEqual([]);
  });

  const hostile: [string, Record<string, unknown>][] = [
    ['YAML that is none', { format: 'yaml', content: 'a: [1' }],
    ['YAML with a key twice', { format: 'yaml', content: 'a: 1\na: 2' }],
    [
      'a YAML bomb',
      {
        format: 'yaml',
        content: `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
          .split('')
          .map((one, i) => `${one}: &${one} [${Array(9).fill(`*${'abcdefg'[i]}`).join(',')}]`)
          .join('\n')}`,
      },
    ],
    ['JSON that is none', { format: 'json', content: '{' }],
    ['nothing at all', { format: 'json', content: {} }],
    ['a list', { format: 'json', content: '[1]' }],
  ];
  for (const [what, body] of hostile)
    it(`refuses ${what}`, async () => {
      const answer = await importFile(body);
      expect([answer.status, answer.json.reason]).toEqual([400, 'import.unreadable']);
    });

  it('brings flags of flagd and of Unleash, which keep their own rules', async () => {
    const flagd = {
      flags: {
        blue: {
          state: 'ENABLED',
          variants: { on: true, off: false },
          defaultVariant: 'off',
          targeting: { if: [{ $ref: 'staff' }, 'on'] },
        },
      },
      $evaluators: { staff: { '==': [{ var: 'role' }, 'staff'] } },
    };
    expect((await importFile({ format: 'flagd', content: flagd, app_id: 'two' })).json.created).toEqual([
      'flag blue',
      'segment staff',
    ]);
    const unleash = {
      version: 2,
      features: [
        {
          name: 'green light',
          enabled: true,
          strategies: [
            {
              name: 'flexibleRollout',
              parameters: { rollout: '100', stickiness: 'default', groupId: 'g' },
              segments: [1],
            },
          ],
        },
      ],
      segments: [{ id: 1, constraints: [{ contextName: 'region', operator: 'IN', values: ['eu'] }] }],
    };
    expect((await importFile({ format: 'unleash', content: unleash, app_id: 'two' })).json.created).toEqual([
      'flag green light',
    ]);
    const evaluate = async (key: string, context: unknown) =>
      (
        await server.call('POST', `/ofrep/v1/evaluate/flags/${encodeURIComponent(key)}?app_id=two`, {
          body: { context },
        })
      ).json.value;
    expect(await evaluate('blue', { role: 'staff' })).toBe(true);
    expect(await evaluate('blue', { role: 'guest' })).toBe(false);
    expect(await evaluate('green light', { targetingKey: 'u', region: 'eu' })).toBe(true);
    expect(await evaluate('green light', { targetingKey: 'u', region: 'us' })).toBe(false);
    expect(JSON.parse(await exported('format=flagd&app_id=two')).flags.blue.targeting).toEqual(
      flagd.flags.blue.targeting,
    );
    expect(JSON.parse(await exported('format=unleash&app_id=two')).features).toEqual(unleash.features);
  });
});

it('an export comes back as it was, without secrets', async () => {
  await importFile({
    format: 'json',
    content: {
      configs: [
        { key: 'a', app_id: 'three', value: { x: 1 }, merge: 'deep', schema: { type: 'object' }, description: 'first' },
        { key: 'b', app_id: 'three', environment: 'prod', value: 'it’s "quoted"', depends_on: ['a'] },
        { key: 'c', app_id: 'three', value: 'very-hidden', sensitive: true },
      ],
    },
  });
  for (const format of ['json', 'yaml']) {
    const text = await exported(`format=${format}&app_id=three`);
    expect(text).not.toContain('very-hidden');
    expect((await importFile({ format, content: text })).json).toMatchObject({
      created: [],
      updated: [],
      unchanged: 2,
    });
  }
  expect(await exported('format=env&app_id=three&environment=prod')).toBe(`A='{"x":1}'\nB='it’s "quoted"'\n`);
});

it('a snapshot brings its scope back, and nothing else', async () => {
  await importFile({ format: 'json', content: { kept: 1, changed: 1, gone: 1 }, app_id: 'four' });
  const taken = await server.call('POST', '/api/v1/snapshots', {
    body: { key: 'before', app_id: 'four', description: 'good' },
  });
  expect(taken.status).toBe(201);
  await importFile({ format: 'json', content: { kept: 1, changed: 2, added: 1 }, app_id: 'four', mode: 'replace' });
  await importFile({ format: 'json', content: { elsewhere: 1 }, app_id: 'five' });
  const path = `/api/v1/snapshots/${taken.json.id}/restore`;
  const tried = await server.call('POST', `${path}?dry_run=true`);
  const expected = { created: ['config gone'], updated: ['config changed'], deleted: ['config added'], unchanged: 1 };
  expect(tried.json).toMatchObject({ dry_run: true, ...expected });
  expect((await server.call('POST', path)).json).toMatchObject({ dry_run: false, ...expected });
  expect(await values({ app_id: 'four' })).toEqual({ kept: 1, changed: 1, gone: 1 });
  expect(await values({ app_id: 'five' })).toEqual({ elsewhere: 1 });
});

it('a report says who changed what when, as JSON and as CSV that no spreadsheet executes', async () => {
  const { json } = await server.call('GET', '/api/v1/reports/changes?app_id=four&limit=2');
  expect(json.items).toHaveLength(2);
  expect(json.items[0]).toMatchObject({
    actor: 'bootstrap-admin',
    action: 'config.restore',
    app_id: 'four',
    result: 'success',
  });
  const rest = await server.call('GET', `/api/v1/reports/changes?app_id=four&cursor=${json.next}`);
  expect(rest.json.items[0].revision).toBeLessThanOrEqual(json.items[1].revision);
  const csv = await server.call('GET', '/api/v1/reports/changes?app_id=four&format=csv');
  expect(csv.headers.get('content-type')).toContain('text/csv');
  expect(csv.text.split('\r\n')[0]).toBe(
    'ts,actor,action,resource,app_id,environment,revision,etag_before,etag_after,result,request_id,client_ip,audit_id',
  );
  const future = new Date(Date.now() + 60_000).toISOString();
  expect((await server.call('GET', `/api/v1/reports/changes?from=${future}`)).json.items).toEqual([]);
});

describe('a report', () => {
  const report = async (query: string) => await server.call('GET', `/api/v1/reports/changes?${query}`);
  const write = async (key: string, headers: Record<string, string> = {}, token?: string) => {
    const body = { key, app_id: 'audited', environment: 'prod', value: 'not-in-reports' };
    const answer = await server.call('POST', '/api/v1/configs', {
      ...{ body, headers },
      ...(token === undefined ? {} : { token }),
    });
    expect(answer.status).toBe(201);
    return { id: answer.json.id as string, etag: answer.headers.get('etag') as string };
  };

  it('is by resource, actor and period, and shows no value', async () => {
    const other = await server.call('POST', '/api/v1/api-keys', {
      body: { name: 'auditor', roles: ['platform-admin'] },
    });
    const { id, etag } = await write('audited.a');
    await write('audited.b', {}, other.json.key);
    const removed = await server.call('DELETE', `/api/v1/configs/${id}`, { headers: { 'if-match': etag } });
    expect(removed.status).toBe(204);
    const all = (await report('app_id=audited')).json.items as Record<string, string>[];
    expect(all.map(({ action }) => action)).toEqual(['config.delete', 'config.create', 'config.create']);
    expect(JSON.stringify(all)).not.toContain('not-in-reports');
    const theirs = (await report(`actor=${encodeURIComponent(`api-key:${other.json.id}`)}`)).json.items;
    expect(theirs.map(({ resource }: { resource: string }) => resource)).toEqual([all[1]?.['resource']]);
    const resource = all[0]?.['resource'] as string;
    const ofOne = (await report(`resource=${encodeURIComponent(resource)}`)).json.items as Record<string, string>[];
    expect(ofOne.map(({ action }) => action)).toEqual(['config.delete', 'config.create']);
    expect(ofOne[1]?.['etag_after']).toBe(ofOne[0]?.['etag_before']);
    const middle = all[1]?.['ts'] as string;
    const until = (await report(`app_id=audited&to=${encodeURIComponent(middle)}`)).json.items as { ts: string }[];
    const since = (await report(`app_id=audited&from=${encodeURIComponent(middle)}`)).json.items as { ts: string }[];
    expect(until.every(({ ts }) => ts <= middle)).toBe(true);
    expect(since.every(({ ts }) => ts >= middle)).toBe(true);
    expect(new Set([...until, ...since].map((one) => JSON.stringify(one))).size).toBe(3);
  });

  it('as CSV has the rows of the JSON, page after page, and nothing that a spreadsheet would execute', async () => {
    await write('audited.c', { 'x-request-id': '-2-3' });
    const { items } = (await report('app_id=audited')).json as { items: Record<string, string>[] };
    expect(items[0]?.['request_id']).toBe('-2-3');
    const lines: string[] = [];
    let query = 'app_id=audited&format=csv&limit=2';
    for (;;) {
      const page = await report(query);
      expect(page.headers.get('content-disposition')).toContain('changes.csv');
      const [head = '', ...rows] = page.text.split('\r\n');
      expect(rows.pop()).toBe('');
      lines.push(...rows);
      const at = head.split(',').indexOf('request_id');
      if (query.includes('cursor') === false) expect(rows[0]?.split(',')[at]).toBe("'-2-3");
      const next = /<\?cursor=(.+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
      if (next === undefined) break;
      query = `app_id=audited&format=csv&limit=2&cursor=${next}`;
    }
    expect(lines).toHaveLength(items.length);
    for (const [at, { audit_id, action, resource }] of items.entries()) {
      expect(lines[at]?.endsWith(`,${audit_id}`)).toBe(true);
      expect(lines[at]).toContain(`,${action},${resource},`);
    }
  });

  it('with a period that is none is refused', async () => {
    for (const query of ['from=yesterday', 'limit=0', 'format=xml']) expect((await report(query)).status).toBe(400);
  });
});

describe('a snapshot', () => {
  const scope = { app_id: 'kept', environment: 'prod' };
  const flag = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' };

  it('brings flags, segments and secrets back as they were, in one revision, and can be undone by another one', async () => {
    await importFile({
      format: 'json',
      content: {
        configs: [{ ...scope, key: 'hush', value: 'first-secret', sensitive: true }],
        flags: [{ ...scope, key: 'dark', ...flag }],
        segments: [{ ...scope, key: 'staff', rule: { '==': [{ var: 'plan' }, 'staff'] } }],
      },
    });
    const take = async (key: string) => {
      const taken = await server.call('POST', '/api/v1/snapshots', { body: { key, ...scope } });
      expect([taken.status, taken.text.includes('-secret')]).toEqual([201, false]);
      return taken.json.id as string;
    };
    const restore = async (id: string) => {
      const answer = await server.call('POST', `/api/v1/snapshots/${id}/restore`);
      expect([answer.status, answer.text.includes('-secret')]).toEqual([200, false]);
      return answer.json;
    };
    const now = async () => (await server.call('POST', '/api/v1/configs/fetch', { body: scope })).json;
    const first = await take('first');
    await importFile({
      format: 'json',
      content: {
        configs: [{ ...scope, key: 'hush', value: 'second-secret', sensitive: true }],
        flags: [{ ...scope, key: 'dark', ...flag, defaultVariant: 'on' }],
        segments: [{ ...scope, key: 'staff', rule: { '==': [{ var: 'plan' }, 'gold'] } }],
      },
    });
    const second = await take('second');
    const before = await now();
    expect(before.values.hush).toBe('second-secret');
    expect(await restore(first)).toMatchObject({ updated: expect.arrayContaining(['config hush', 'flag dark']) });
    const after = await now();
    expect([after.values.hush, after.revision]).toEqual(['first-secret', before.revision + 2]);
    const dark = await server.call('POST', '/ofrep/v1/evaluate/flags/dark?app_id=kept&environment=prod', {
      body: { context: {} },
    });
    expect(dark.json.variant).toBe('off');
    await restore(second);
    expect((await now()).values.hush).toBe('second-secret');
    expect(await restore(second)).toMatchObject({ created: [], updated: [], deleted: [] });
  });

  it('that is not there cannot be restored', async () => {
    const answer = await server.call('POST', '/api/v1/snapshots/5f0c9c1e-0000-4000-8000-000000000000/restore');
    expect([answer.status, typeof answer.json.detail]).toEqual([404, 'string']);
  });
});

const specifications = join(repositoryRoot, '..', 'shared', 'conformance', 'flags', 'unleash', 'specifications');
it.skipIf(!existsSync(specifications))('imports a whole Unleash state', async () => {
  const { state } = JSON.parse(readFileSync(join(specifications, '13-constraint-operators.json'), 'utf8'));
  const answer = await importFile({ format: 'unleash', content: state, app_id: 'unleash' });
  expect(answer.json.created).toHaveLength(state.features.length);
  expect(answer.json.warnings[0]).toContain('operator');
});
