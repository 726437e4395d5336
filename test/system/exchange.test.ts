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

const specifications = join(repositoryRoot, '..', 'shared', 'conformance', 'flags', 'unleash', 'specifications');
it.skipIf(!existsSync(specifications))('imports a whole Unleash state', async () => {
  const { state } = JSON.parse(readFileSync(join(specifications, '13-constraint-operators.json'), 'utf8'));
  const answer = await importFile({ format: 'unleash', content: state, app_id: 'unleash' });
  expect(answer.json.created).toHaveLength(state.features.length);
  expect(answer.json.warnings[0]).toContain('operator');
});
