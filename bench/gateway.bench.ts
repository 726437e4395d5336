/**
 * The gateway beside its peers on the same upstream, one after the other in one run: CPU a request (user and system time of the process, from
 * the kernel) under 16 connections, and the latency it adds with one. The upstream is HAProxy's static answer; wrk is the client.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publish, round } from './report.js';
import { freePort, startServerProcess } from './server-process.js';

const seconds = Number(process.argv[2] ?? 3);
const rounds = Number(process.argv[3] ?? 6);
const calmSeconds = 2;
for (const [program, flag] of [
  ['wrk', '-v'],
  ['haproxy', '-v'],
] as const)
  if (spawnSync(program, [flag]).error) {
    console.error(`This benchmark needs ${program} (apt-get install ${program}).`);
    process.exit(2);
  }

const folder = mkdtempSync(join(tmpdir(), 'bailiwick-gateway-bench-'));
const stoppers: (() => Promise<unknown>)[] = [];

interface Peer {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  readonly headers: readonly string[];
}

async function untilAnswered(url: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (
      await fetch(url).then(
        (answer) => answer.status > 0,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${url} does not answer`);
}

async function startProgram(name: string, command: string, parameters: readonly string[], port: number): Promise<Peer> {
  const child = spawn(command, parameters, { stdio: ['ignore', 'ignore', 'inherit'] });
  stoppers.push(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  });
  const url = `http://127.0.0.1:${port}/bench/x`;
  await untilAnswered(url);
  return { name, pid: child.pid ?? 0, url, headers: [] };
}

async function startHaproxy(name: string, rules: (port: number) => string): Promise<Peer & { readonly port: number }> {
  const port = await freePort();
  const file = join(folder, `${port}.cfg`);
  const defaults =
    'defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\n  option http-keep-alive\n  http-reuse always\n';
  writeFileSync(file, `global\n  nbthread 1\n  maxconn 2000\n${defaults}${rules(port)}`);
  return { ...(await startProgram(name, 'haproxy', ['-db', '-f', file], port)), port };
}

const nodeProxy = (upstream: number, port: number): string => `
import { Agent, createServer, request } from 'node:http';
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
createServer((incoming, response) => {
  const outgoing = request({ host: '127.0.0.1', port: ${upstream}, method: incoming.method, path: incoming.url, headers: incoming.headers, agent }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  incoming.pipe(outgoing);
}).listen(${port}, '127.0.0.1');
`;

/** Seconds of CPU the process has used, in all its threads. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const milliseconds = (text: string): number => {
  const [, number = 'NaN', unit] = /([\d.]+)(us|ms|s)/.exec(text) ?? [];
  return Number(number) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1);
};

function load(
  peer: Peer,
  connections: number,
  duration: number,
): { readonly requests: number; readonly percentile: (p: string) => number } {
  const headers = peer.headers.flatMap((header) => ['-H', header]);
  const text = execFileSync('wrk', ['-t1', `-c${connections}`, `-d${duration}s`, '--latency', ...headers, peer.url], {
    encoding: 'utf8',
  });
  if (/Non-2xx/.test(text)) throw new Error(`${peer.name}: ${text}`);
  return {
    requests: Number(/(\d+) requests in/.exec(text)?.[1]),
    percentile: (p) => milliseconds(new RegExp(`^\\s+${p}%\\s+(\\S+)`, 'm').exec(text)?.[1] ?? ''),
  };
}

async function startOurs(upstream: number): Promise<readonly Peer[]> {
  const file = join(folder, 'apisix.yaml');
  const node = `upstream: {type: roundrobin, nodes: {"127.0.0.1:${upstream}": 1}}`;
  writeFileSync(
    file,
    `routes:
  - {id: control, uris: [/policies/*, /api/v1/*], upstream: {type: roundrobin, nodes: {"\${{BAILIWICK_CONTROL_HOST}}:80": 1}}}
  - {id: bare, uri: /bench/*, ${node}}
  - id: full
    uri: /full/*
    labels: {project: bench}
    plugins:
      request-id: {}
      cors: {}
      openid-connect: {client_id: b, discovery: "\${{BAILIWICK_DISCOVERY_URL}}", bearer_only: true, use_jwks: true}
      opa: {host: "\${{BAILIWICK_OPA_URL}}", policy: bailiwick/authz}
      limit-count: {count: 1000000000, time_window: 3600}
    ${node}
#END
`,
  );
  const common = { BAILIWICK_GATEWAY_FILE: file, BAILIWICK_LOG_LEVEL: 'error' };
  const quiet = await startServerProcess({ ...common, BAILIWICK_DECISION_LOG: 'off' });
  const logging = await startServerProcess(common);
  const policy = `package bench.authz\n\ndefault allow := false\n\nallow if {\n\tsome role in input.claims.roles\n\tsome permission in data.permissions[role]\n\tpermission.method == input.method\n\tstartswith(input.path, permission.prefix)\n}\n`;
  const data = {
    permissions: {
      'platform-admin': [
        { method: 'POST', prefix: '/' },
        { method: 'GET', prefix: '/full/' },
      ],
    },
  };
  for (const server of [quiet, logging]) {
    stoppers.push(() => server.stop());
    const put = await fetch(`${server.url}/policies/bench?wait=applied`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ rego: policy, data }),
    });
    if (!put.ok) throw new Error(await put.text());
  }
  const bearer = (token: string): readonly string[] => [`Authorization: Bearer ${token}`, 'Origin: http://a.example'];
  return [
    { name: 'Bailiwick, no plugin', pid: quiet.pid, url: `${quiet.url}/bench/x`, headers: [] },
    {
      name: 'Bailiwick, request-id + RS256 JWT + policy + cors + limit-count',
      pid: quiet.pid,
      url: `${quiet.url}/full/x`,
      headers: bearer(quiet.token),
    },
    {
      name: 'the same with every decision logged',
      pid: logging.pid,
      url: `${logging.url}/full/x`,
      headers: bearer(logging.token),
    },
  ];
}

try {
  const upstream = await startHaproxy(
    'the upstream itself',
    (port) =>
      `frontend f\n  bind 127.0.0.1:${port}\n  http-request return status 200 content-type text/plain string "hello, this is the upstream"\n`,
  );
  const haproxy = await startHaproxy(
    'HAProxy',
    (port) =>
      `frontend f\n  bind 127.0.0.1:${port}\n  default_backend b\nbackend b\n  server s 127.0.0.1:${upstream.port}\n`,
  );
  const nodePort = await freePort();
  const script = join(folder, 'proxy.mjs');
  writeFileSync(script, nodeProxy(upstream.port, nodePort));
  const node = await startProgram('node:http proxy', process.execPath, [script], nodePort);
  const peers = [...(await startOurs(upstream.port)), haproxy, node];
  load(upstream, 1, 1);
  for (const peer of peers) load(peer, 16, 3);
  // In turns, and the best of each: what else the machine does falls on all alike, and least on the best.
  const turns = Array.from({ length: rounds }, () => ({
    direct: load(upstream, 1, calmSeconds),
    measured: peers.map((peer) => {
      const before = cpuSeconds(peer.pid);
      const busy = load(peer, 16, seconds);
      const used = cpuSeconds(peer.pid) - before;
      return {
        cpu: (used / busy.requests) * 1e6,
        perSecond: busy.requests / seconds,
        calm: load(peer, 1, calmSeconds),
      };
    }),
  }));
  const best = (values: readonly number[]): number => Math.min(...values);
  const direct = (p: string): number => best(turns.map((turn) => turn.direct.percentile(p)));
  const rows = peers.map((peer, index) => {
    const own = turns.flatMap(({ measured }) => measured[index] ?? []);
    const added = (p: string): number =>
      round(Math.max(0, best(own.map(({ calm }) => calm.percentile(p))) - direct(p)), 3);
    return [
      peer.name,
      round(best(own.map(({ cpu }) => cpu)), 1),
      Math.round(Math.max(...own.map(({ perSecond }) => perSecond))),
      added('50'),
      added('90'),
      added('99'),
    ];
  });
  const ofHaproxy = Number(rows.find(([name]) => name === haproxy.name)?.[1]);
  publish({
    name: 'gateway',
    title: 'The gateway and its peers on the same upstream',
    about: `CPU a request of the proxy's process with 16 connections over ${seconds} s; added latency with one connection (the upstream itself: P50 ${direct('50')} ms). Each in ${rounds} turns, the best of them. The load generator and the upstream share the machine.`,
    columns: ['proxy', 'CPU µs/request', '× HAProxy', 'requests/s', 'added P50 ms', 'added P90 ms', 'added P99 ms'],
    // A machine that is busy makes all of them dearer alike: the ratio tells more than the figure.
    rows: rows.map(([name = '', cpu = 0, ...rest]) => [name, cpu, round(Number(cpu) / ofHaproxy, 1), ...rest]),
    notes: [
      'APISIX is not to be had here; measured elsewhere: 22–28 µs without plugins, 177–204 µs with those five, without what OPA itself needs.',
    ],
  });
} finally {
  for (const stop of stoppers.reverse()) await stop();
  rmSync(folder, { recursive: true, force: true });
}
