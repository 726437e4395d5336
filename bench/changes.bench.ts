/**
 * One change in a large environment, from PUT to its being enforceable: how long, and how long the event loop stands still for it. One server in
 * this process, on SQLite, with a stream open, so that the environment is compiled as soon as it changes.
 */
import { get } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { FetchService } from '../apps/server/src/configs/fetch-service.js';
import { startTestServer } from '../test/system/harness.js';
import { percentile, publish, round } from './report.js';

const rounds = Number(process.argv[2] ?? 60);
const entryCount = 10_000;
const flagCount = 1_000;
const warmUps = 5;
const scope = { app_id: 'bench', environment: 'prod' };
const place = { appId: 'bench', environment: 'prod' };

const server = await startTestServer({ demo: 'false', decisionLog: 'off' });
const { environments, feed, fetches } = server.running.platform.configuration;

async function call(method: string, path: string, body: unknown, etag?: string) {
  const answer = await server.call(method, path, { body, headers: etag === undefined ? {} : { 'if-match': etag } });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return { id: String(answer.json?.id), key: String(answer.json?.key), etag: answer.headers.get('etag') ?? '' };
}

/** A tenth of the entries refers to others. */
const entryOf = (n: number): unknown =>
  n % 10 === 0
    ? { url: `http://\${entry.${n + 1}.host}/`, n }
    : { host: `host-${n}`, limits: { least: n, most: 2 * n } };
const flagOf = (n: number, share = 50): Record<string, unknown> => ({
  ...{ state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' },
  targeting: {
    if: [
      { $ref: `segment-${n % 20}` },
      {
        fractional: [
          ['on', share],
          ['off', 100 - share],
        ],
      },
      'off',
    ],
  },
});
const segmentOf = (n: number, plans = ['gold']): Record<string, unknown> => ({
  rule: { and: [{ in: [{ var: 'plan' }, plans] }, { '!=': [{ var: 'country' }, `x${n}`] }] },
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const segments = numbers(20).map((n) => ({ ...scope, key: `segment-${n}`, ...segmentOf(n) }));
const flags = numbers(flagCount).map((n) => ({ ...scope, key: `flag-${n}`, ...flagOf(n) }));
const configs = numbers(entryCount).map((n) => ({ ...scope, key: `entry.${n}`, value: entryOf(n) }));
const load = async (content: unknown): Promise<unknown> =>
  await call('POST', '/api/v1/configs/import', { format: 'json', content });
await load({ configs: [], flags, segments });
for (let from = 0; from < entryCount; from += 2_000)
  await load({ configs: configs.slice(from, from + 2_000), flags: [], segments: [] });
const key = await server.call('POST', '/api/v1/api-keys', { body: { name: 'bench', kind: 'server', ...scope } });
const stream = get(`${server.url}/api/v1/environment/stream`, {
  headers: { authorization: `Bearer ${key.json.key as string}` },
});
await new Promise<void>((resolve) =>
  stream.once('response', (response) => response.on('data', () => resolve()).on('error', () => undefined)),
);

interface Target {
  readonly what: string;
  readonly path: string;
  readonly kind: 'config' | 'flag' | 'segment';
  readonly key: string;
  readonly body: (round: number) => unknown;
}

const targets: readonly Target[] = [
  { what: 'an entry', path: 'configs', kind: 'config', key: 'entry.7', body: (n) => ({ value: { host: `h${n}` } }) },
  {
    what: 'an entry that another refers to',
    path: 'configs',
    kind: 'config',
    key: 'entry.11',
    body: (n) => ({ value: { host: `h${n}` } }),
  },
  { what: 'a flag', path: 'flags', kind: 'flag', key: 'flag-7', body: (n) => flagOf(7, 10 + (n % 80)) },
  {
    what: 'a segment that 50 flags name',
    path: 'segments',
    kind: 'segment',
    key: 'segment-3',
    body: (n) => segmentOf(3, ['gold', `plan-${n}`]),
  },
];

const rows: (string | number)[][] = [];
let lastFetched = '';
const wholeFetches: number[] = [];
/** Milliseconds until the answer to `configs/fetch` of everything is written, and its ETag. */
async function timeOfFetch(service: FetchService): Promise<[number, string]> {
  const asked = performance.now();
  const fetched = await service.fetch(scope, 'server');
  fetchedLength = fetched.body().length;
  return [performance.now() - asked, fetched.etag];
}
let fetchedLength = 0;
for (const { what, path, kind, key: name, body } of targets) {
  const { id, revision } = feed.state.find(kind, place, name) ?? { id: '', revision: 0 };
  let etag = (await server.call('GET', `/api/v1/${path}/${id}`)).headers.get('etag') ?? `"${revision}"`;
  const toEnforceable: number[] = [];
  const sinceCommit: number[] = [];
  const pauses: number[] = [];
  const toFetched: number[] = [];
  for (let n = 0; n < rounds + warmUps; n += 1) {
    const before = environments.view(place).revision;
    let committedMs = 0;
    let enforceableMs = 0;
    const take = feed.take;
    feed.take = (versions, revision) => {
      committedMs = performance.now();
      take.call(feed, versions, revision);
      if (environments.view(place).revision <= before) throw new Error('the change is not there');
      enforceableMs = performance.now();
    };
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const sent = performance.now();
    ({ etag } = await call('PUT', `/api/v1/${path}/${id}`, body(n), etag));
    // What is done behind the answer counts too.
    await new Promise((resolve) => setTimeout(resolve, 20));
    delay.disable();
    feed.take = take;
    const [fetchedMs, tag] = await timeOfFetch(fetches);
    if (tag === lastFetched) throw new Error('what is fetched has not changed');
    lastFetched = tag;
    const [wholeMs] = await timeOfFetch(new FetchService(feed, environments));
    if (n < warmUps) continue;
    toFetched.push(fetchedMs);
    wholeFetches.push(wholeMs);
    toEnforceable.push(enforceableMs - sent);
    sinceCommit.push(enforceableMs - committedMs);
    pauses.push(delay.max / 1e6);
  }
  const figures = [toEnforceable, sinceCommit, pauses, toFetched].flatMap((samples) => [
    round(percentile(samples, 0.5)),
    round(percentile(samples, 0.99)),
  ]);
  rows.push([what, ...figures]);
  console.log(what, ...figures);
}
stream.destroy();
await server.stop();

publish({
  name: 'changes',
  title: 'One change in a large environment',
  about: `An environment of ${entryCount} entries (a tenth of them refers to others), ${flagCount} flags and ${segments.length} segments on SQLite, with a stream open; ${rounds} changes each, one after the other, through the public address. “Enforceable”: evaluations give the new answer. “Commit → enforceable”: from the moment that the database has answered until then, streams written to included. “Pause”: the longest that the event loop stood still from sending PUT until 20 ms after its answer; server and client share the process, and 1 ms is the resolution. “Fetch”: until the first answer to \`configs/fetch\` of everything (${round(fetchedLength / 1e6, 1)} MB) is written after the change, without the way to the client.`,
  columns: [
    'changed',
    'PUT → enforceable P50 ms',
    'P99 ms',
    'commit → enforceable P50 ms',
    'P99 ms',
    'pause P50 ms',
    'P99 ms',
    'fetch P50 ms',
    'P99 ms',
  ],
  rows,
  notes: [
    `The answer to \`configs/fetch\` written without anything kept, after the same changes: P50 ${round(percentile(wholeFetches, 0.5))} ms, P99 ${round(percentile(wholeFetches, 0.99))} ms.`,
    'Before an environment was brought up to date piece by piece (every change compiled all of it, and checked a write against all of it), on the same machine: PUT → enforceable P50 104–137 ms, commit → enforceable P50 92–108 ms, pause P50 95–112 ms.',
  ],
});
process.exit(0);
