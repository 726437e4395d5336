/** `POST /v1/data/…` against a real OPA side by side: the same policy, data and input, no tokens on either side, one load generator (wrk). */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOpa } from '../test/servers/opa.js';
import { publish, round } from './report.js';
import { freePort, startServerProcess } from './server-process.js';

const shared = join(process.cwd(), '..', 'shared', 'bench', 'rbac');
const seconds = Number(process.argv[2] ?? 5);
if (!existsSync(shared) || spawnSync('wrk', ['-v']).error) {
  console.error('This benchmark needs ../shared/bench/rbac and wrk (apt-get install wrk).');
  process.exit(2);
}
const rego = readFileSync(join(shared, 'policy.rego'), 'utf8');
const data = readFileSync(join(shared, 'data.json'), 'utf8');
const input = readFileSync(join(shared, 'input-allow.json'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'bailiwick-http-'));
const script = join(folder, 'post.lua');
writeFileSync(
  script,
  `wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[{"input": ${input.trim()}}]]\n`,
);

interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const milliseconds = (text: string): number => {
  const [, number = 'NaN', unit] = /([\d.]+)(us|ms|s)/.exec(text) ?? [];
  return Number(number) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1);
};

function load(url: string, connections: number): Measured {
  const run = (duration: number): string =>
    execFileSync(
      'wrk',
      ['-t1', `-c${connections}`, `-d${duration}s`, '--latency', '-s', script, `${url}/v1/data/gateway/authz/allow`],
      { encoding: 'utf8' },
    );
  run(2);
  const text = run(seconds);
  if (/Non-2xx/.test(text)) throw new Error(text);
  const percentile = (name: string): number =>
    milliseconds(new RegExp(`^\\s+${name}%\\s+(\\S+)`, 'm').exec(text)?.[1] ?? '');
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p50: percentile('50'),
    p99: percentile('99'),
  };
}

const opaPort = await freePort();
const server = await startServerProcess({
  BAILIWICK_OPA_ADDRESS: `127.0.0.1:${opaPort}`,
  BAILIWICK_BREAK_GLASS: 'true',
  BAILIWICK_DECISION_LOG: 'off',
});
const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
const etag = (await fetch(`${server.url}/policies/platform`, { headers })).headers.get('etag') ?? '';
const put = await fetch(`${server.url}/policies/platform?wait=applied`, {
  method: 'PUT',
  headers: { ...headers, 'if-match': etag },
  body: `{"rego": ${JSON.stringify(rego)}, "data": ${data}}`,
});
if (!put.ok) throw new Error(await put.text());
const opa = await startOpa();
await fetch(`${opa.url}/v1/policies/rbac`, { method: 'PUT', body: rego });
await fetch(`${opa.url}/v1/data`, { method: 'PUT', body: data });

const rows: (string | number)[][] = [];
for (const connections of [1, 16, 64]) {
  const peer = load(opa.url, connections);
  const mine = load(`http://127.0.0.1:${opaPort}`, connections);
  rows.push([
    'Bailiwick',
    connections,
    Math.round(mine.perSecond),
    round(mine.p50, 3),
    round(mine.p99, 3),
    `${round(mine.perSecond / peer.perSecond, 2)}×`,
  ]);
  rows.push(['OPA 1.22', connections, Math.round(peer.perSecond), round(peer.p50, 3), round(peer.p99, 3), '1×']);
}
await opa.stop();
await server.stop();
rmSync(folder, { recursive: true, force: true });
publish({
  name: 'decisions-http',
  title: 'Decisions over HTTP: POST /v1/data and OPA',
  about:
    'bench/rbac, the allowed input; one after the other on the same machine, which the load generator shares; no token and no decision log on either side.',
  columns: ['server', 'connections', 'requests/s', 'P50 ms', 'P99 ms', 'ratio'],
  rows,
  plot: {
    title: 'POST /v1/data: requests a second',
    unit: 'requests/s',
    labels: [1, 16, 64].map((count) => `${count} connection${count > 1 ? 's' : ''}`),
    series: [
      {
        name: 'Bailiwick',
        color: '#1f6f54',
        values: rows.filter((row) => row[0] === 'Bailiwick').map((row) => Number(row[2])),
      },
      {
        name: 'OPA 1.22',
        color: '#9aa0a6',
        values: rows.filter((row) => row[0] !== 'Bailiwick').map((row) => Number(row[2])),
      },
    ],
  },
});
