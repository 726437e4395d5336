/**
 * `/configs/fetch` and OFREP single and bulk beside Unleash's frontend API, on the same PostgreSQL, with the same 100 flags, one load generator
 * (wrk), one after the other. Unleash has no other endpoint that evaluates for a context.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../test/servers/postgres.js';
import { publish, round } from './report.js';
import { freePort, startServerProcess } from './server-process.js';

const seconds = Number(process.argv[2] ?? 3);
/** Each target again and again, in turn with the others; the best counts, because whatever else runs on the machine only takes away. */
const rounds = 3;
const peerFolder = join(process.cwd(), 'bench', 'peers', 'unleash');
if (spawnSync('wrk', ['-v']).error) {
  console.error('This benchmark needs wrk (apt-get install wrk).');
  process.exit(2);
}
if (!existsSync(join(peerFolder, 'node_modules', 'unleash-server'))) {
  console.error('Installing unleash-server (once) …');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: peerFolder, stdio: 'ignore' });
}

const flagCount = 100;
const connections = [1, 16, 64];
const folder = mkdtempSync(join(tmpdir(), 'bailiwick-fetch-'));
const context = { targetingKey: 'user-4711', userId: 'user-4711', country: 'de', plan: 'gold' };

interface Target {
  readonly name: string;
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Each request is another user's: `user-4711` in address and body stands for one of them. */
  readonly isOneAfterAnother?: boolean;
}

interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const milliseconds = (text: string): number => {
  const [, number = 'NaN', unit] = /([\d.]+)(us|ms|s)/.exec(text) ?? [];
  return Number(number) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1);
};

/** Lua: `user-4711` becomes one of ten thousand users, in turn. */
function rotation({ url, body = '' }: Target): string {
  const { pathname, search } = new URL(url);
  return [
    `local path, body, n = [[${pathname}${search}]], [[${body}]], 0`,
    'request = function()',
    '  n = (n + 1) % 10000',
    '  local user = "user-" .. n',
    '  local text = body ~= "" and (body:gsub("user%-4711", user)) or nil',
    '  return wrk.format(nil, (path:gsub("user%-4711", user)), nil, text)',
    'end',
  ].join('\n');
}

function load(target: Target, count: number, warmUpSeconds: number): Measured {
  const script = join(folder, 'request.lua');
  const headers = Object.entries(target.headers).map(([name, value]) => `wrk.headers["${name}"] = [[${value}]]`);
  const body = target.body === undefined ? '' : `wrk.body = [[${target.body}]]`;
  const users = target.isOneAfterAnother ? rotation(target) : '';
  writeFileSync(script, [`wrk.method = "${target.method}"`, ...headers, body, users].join('\n'));
  const run = (duration: number): string =>
    execFileSync('wrk', ['-t1', `-c${count}`, `-d${duration}s`, '--latency', '-s', script, target.url], {
      encoding: 'utf8',
    });
  if (warmUpSeconds > 0) run(warmUpSeconds);
  const text = run(seconds);
  if (/Non-2xx/.test(text)) throw new Error(`${target.name}: ${text}`);
  const percentile = (name: string): number =>
    milliseconds(new RegExp(`^\\s+${name}%\\s+(\\S+)`, 'm').exec(text)?.[1] ?? '');
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p50: percentile('50'),
    p99: percentile('99'),
  };
}

async function send(url: string, token: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { authorization: token, 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.headers.get('content-type')?.includes('json') ? ((await answer.json()) as Record<string, unknown>) : {};
}

async function startUnleash(databaseUrl: string) {
  const port = await freePort();
  const child = spawn(process.execPath, ['start.mjs'], {
    cwd: peerFolder,
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      PORT: String(port),
      CHECK_VERSION: 'false',
      DATABASE_SSL: 'false',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`unleash-server ended with ${child.exitCode}`);
    const isReady = await fetch(`${url}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const admin = '*:*.bench-admin';
  for (let i = 0; i < flagCount; i += 1) {
    const features = `${url}/api/admin/projects/default/features`;
    await send(features, admin, { name: `flag-${i}`, type: 'release' });
    const strategy = {
      name: 'flexibleRollout',
      parameters: { rollout: '50', stickiness: 'userId', groupId: `flag-${i}` },
      constraints: [
        { contextName: 'country', operator: 'IN', values: ['de', 'at', 'ch'] },
        { contextName: 'plan', operator: 'IN', values: ['gold', 'silver'] },
      ],
    };
    await send(`${features}/flag-${i}/environments/development/strategies`, admin, strategy);
    await send(`${features}/flag-${i}/environments/development/on`, admin, {});
  }
  return {
    url,
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function fill(url: string, token: string): Promise<string> {
  const scope = { app_id: 'bench', environment: 'prod' };
  const segment = {
    and: [{ in: [{ var: 'country' }, ['de', 'at', 'ch']] }, { in: [{ var: 'plan' }, ['gold', 'silver']] }],
  };
  const targeting = {
    if: [
      { $ref: 'eligible' },
      {
        fractional: [
          ['on', 50],
          ['off', 50],
        ],
      },
      'off',
    ],
  };
  const flag = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting };
  const content = {
    configs: Array.from({ length: flagCount }, (_, i) => ({
      ...scope,
      key: `value-${i}`,
      value: { enabled: true, limit: i },
    })),
    flags: Array.from({ length: flagCount }, (_, i) => ({ ...scope, key: `flag-${i}`, ...flag })),
    segments: [{ ...scope, key: 'eligible', rule: segment }],
  };
  await send(`${url}/api/v1/configs/import`, `Bearer ${token}`, { format: 'json', content });
  const key = await send(`${url}/api/v1/api-keys`, `Bearer ${token}`, { name: 'bench', kind: 'server', ...scope });
  return String(key['key']);
}

const postgres = await startPostgres();
const unleashDatabase = postgres.url.replace(/\/bailiwick$/, '/postgres');
const unleash = await startUnleash(unleashDatabase);
const server = await startServerProcess({
  BAILIWICK_RELATIONAL_STORE: 'postgres',
  BAILIWICK_POSTGRES_URL: postgres.url,
});
const key = await fill(server.url, server.token);
const post = {
  method: 'POST',
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
} as const;
const scope = { app_id: 'bench', environment: 'prod' };
const ofrep = { ...post, body: JSON.stringify({ context }) };
const bulkUrl = `${server.url}/ofrep/v1/evaluate/flags`;
const tag = (await fetch(bulkUrl, { ...ofrep })).headers.get('etag') ?? '';
const query = new URLSearchParams(Object.entries(context)).toString();
const peer: Target = {
  name: 'Unleash 7.5.1 /api/frontend',
  url: `${unleash.url}/api/frontend?${query}`,
  method: 'GET',
  headers: { authorization: '*:development.bench-frontend' },
  isOneAfterAnother: true,
};
const targets: readonly Target[] = [
  { ...post, name: 'Bailiwick /configs/fetch', url: `${server.url}/api/v1/configs/fetch`, body: JSON.stringify(scope) },
  { ...ofrep, name: 'Bailiwick OFREP bulk', url: bulkUrl, isOneAfterAnother: true },
  { ...ofrep, name: 'Bailiwick OFREP bulk, the same user again', url: bulkUrl },
  { ...ofrep, name: 'Bailiwick OFREP bulk, 304', url: bulkUrl, headers: { ...post.headers, 'if-none-match': tag } },
  { ...ofrep, name: 'Bailiwick OFREP single', url: `${bulkUrl}/flag-7`, isOneAfterAnother: true },
];

const rows: (string | number)[][] = [];
for (const count of connections) {
  const best = new Map<string, Measured>();
  for (let round = 0; round < rounds; round += 1)
    for (const target of [peer, ...targets]) {
      const measured = load(target, count, round === 0 ? 2 : 0);
      const known = best.get(target.name);
      if (known === undefined || measured.perSecond > known.perSecond) best.set(target.name, measured);
    }
  const theirs = best.get(peer.name) as Measured;
  for (const target of targets) {
    const mine = best.get(target.name) as Measured;
    const ratio = `${round(mine.perSecond / theirs.perSecond, 1)}×`;
    rows.push([target.name, count, Math.round(mine.perSecond), round(mine.p50, 3), round(mine.p99, 3), ratio]);
  }
  rows.push([peer.name, count, Math.round(theirs.perSecond), round(theirs.p50, 3), round(theirs.p99, 3), '1×']);
}
await server.stop();
await unleash.stop();
await postgres.stop();
rmSync(folder, { recursive: true, force: true });

const colors = ['#1f6f54', '#3b8f73', '#5aa58a', '#7fbfa6', '#b5d8c9', '#9aa0a6'];
publish({
  name: 'fetch',
  title: 'Configuration and flags over HTTP beside Unleash',
  about: `${flagCount} flags with a segment of two constraints and a 50 % split, ${flagCount} entries, an API key on both sides, the same PostgreSQL, through our gateway with the platform policy deciding each call; in turns on the same machine, which the load generator shares; the best of ${rounds} rounds of ${seconds} s each, because other work ran on the machine meanwhile. 304s are counted apart. Ten thousand users in turn, also at Unleash, where the name does not say otherwise.`,
  columns: ['server', 'connections', 'requests/s', 'P50 ms', 'P99 ms', 'ratio'],
  rows,
  notes: [
    `Other work ran on the machine meanwhile: load of the last minute ${round(loadavg()[0] ?? 0, 1)} on ${cpus().length} cores.`,
  ],
  plot: {
    title: 'Evaluations over HTTP: requests a second',
    unit: 'requests/s',
    labels: connections.map((count) => `${count} connection${count > 1 ? 's' : ''}`),
    series: [...targets, peer].map(({ name }, index) => ({
      name,
      color: colors[index] ?? '#9aa0a6',
      values: rows.filter((row) => row[0] === name).map((row) => Number(row[2])),
    })),
  },
});
