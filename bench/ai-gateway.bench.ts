/**
 * Chat completions through this gateway (key, policy with the llm facts) and through Portkey's on the same stand-in LLM, in one run: CPU a
 * request of each gateway's process with eight connections, added latency with one, and the time to the first byte of a stream.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { percentile, publish, round } from './report.js';
import { freePort, startServerProcess } from './server-process.js';

const seconds = Number(process.argv[2] ?? 3);
const rounds = 5;
if (spawnSync('wrk', ['-v']).error) {
  console.error('This benchmark needs wrk (apt-get install wrk).');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'bailiwick-ai-bench-'));
const stoppers: (() => Promise<unknown>)[] = [];
const ask = {
  model: 'gpt-bench',
  max_tokens: 100,
  messages: [
    { role: 'system', content: 'You are a helpful assistant of a company that sells bicycles. Answer briefly.' },
    { role: 'user', content: 'Which bicycle do you recommend for a commute of twelve kilometres with hills?' },
  ],
};

interface Peer {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** A program that listens on the port; resolves when it answers. */
async function start(
  name: string,
  parameters: readonly string[],
  port: number,
  environment: Record<string, string>,
  headers: Peer['headers'],
): Promise<Peer> {
  const child = spawn(process.execPath, [...parameters], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production', ...environment },
  });
  stoppers.push(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  });
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const isThere = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (isThere) return { name, pid: child.pid ?? 0, port, headers };
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${name} does not answer`);
}

async function startPortkey(llm: number): Promise<Peer> {
  const home = join(process.cwd(), 'bench', 'peers', 'portkey');
  if (!existsSync(join(home, 'node_modules', '@portkey-ai')))
    execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'], { cwd: home });
  const port = await freePort();
  const script = join(home, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js');
  return await start(
    'Portkey 1.15.2',
    [script, `--port=${port}`, '--headless'],
    port,
    { TRUSTED_CUSTOM_HOSTS: '127.0.0.1' },
    {
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `http://127.0.0.1:${llm}/v1`,
      authorization: 'Bearer sk-stand-in',
    },
  );
}

const policy = `package bench.authz

default allow := false

allow if {
	input.llm.model in data.models
	count(input.llm.tools) == 0
	input.llm.estimated_tokens < 2000
}
`;

async function startOurs(llm: number): Promise<Peer> {
  const file = join(folder, 'apisix.yaml');
  writeFileSync(
    file,
    `routes:
  - {id: control, uris: [/policies/*], upstream: {type: roundrobin, nodes: {"\${{BAILIWICK_CONTROL_HOST}}:80": 1}}}
  - id: llm
    uri: /v1/*
    labels: {project: bench}
    plugins:
      key-auth: {}
      opa: {host: "\${{BAILIWICK_OPA_URL}}", policy: bailiwick/authz}
      ai-proxy:
        provider: openai-compatible
        auth: {header: {Authorization: Bearer sk-stand-in}}
        override: {endpoint: "http://127.0.0.1:${llm}"}
consumers:
  - {username: bench, plugins: {key-auth: {key: bench-key}}}
#END
`,
  );
  const server = await startServerProcess({
    BAILIWICK_GATEWAY_FILE: file,
    BAILIWICK_LOG_LEVEL: 'error',
    BAILIWICK_DECISION_LOG: 'off',
  });
  stoppers.push(() => server.stop());
  const put = await fetch(`${server.url}/policies/bench?wait=applied`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ rego: policy, data: { models: ['gpt-bench'] } }),
  });
  if (!put.ok) throw new Error(await put.text());
  return {
    name: 'Bailiwick: key, policy with llm facts',
    pid: server.pid,
    port: Number(new URL(server.url).port),
    headers: { apikey: 'bench-key' },
  };
}

/** Seconds of CPU the process has used, in all its threads. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Requests answered in so many seconds with eight connections. */
function load(peer: Peer, duration: number): number {
  const script = join(folder, `${peer.port}.lua`);
  const headers = Object.entries({ 'content-type': 'application/json', ...peer.headers });
  writeFileSync(
    script,
    `wrk.method = "POST"\n${headers.map(([name, value]) => `wrk.headers["${name}"] = "${value}"`).join('\n')}\nwrk.body = [[${JSON.stringify(ask)}]]\n`,
  );
  const url = `http://127.0.0.1:${peer.port}/v1/chat/completions`;
  const text = execFileSync('wrk', ['-t1', '-c8', `-d${duration}s`, '-s', script, url], { encoding: 'utf8' });
  if (/Non-2xx/.test(text)) throw new Error(`${peer.name}: ${text}`);
  return Number(/(\d+) requests in/.exec(text)?.[1]);
}

const agents = new Map<number, Agent>();

/** Milliseconds to the first byte of the body and to its end. */
async function once(peer: Peer, isStream: boolean): Promise<{ readonly first: number; readonly last: number }> {
  const agent = agents.get(peer.port) ?? new Agent({ keepAlive: true, maxSockets: 1 });
  agents.set(peer.port, agent);
  const body = JSON.stringify(isStream ? { ...ask, stream: true } : ask);
  const began = performance.now();
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: peer.port,
        method: 'POST',
        path: '/v1/chat/completions',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...peer.headers },
      },
      (answer) => {
        let first = 0;
        answer.on('data', () => {
          first ||= performance.now() - began;
        });
        answer.on('end', () =>
          answer.statusCode === 200
            ? resolve({ first, last: performance.now() - began })
            : reject(new Error(`${peer.name}: ${answer.statusCode}`)),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** In turns, so that what else the machine does falls on all alike. */
async function latencies(peers: readonly Peer[], isStream: boolean, rounds: number): Promise<readonly number[][]> {
  const values: number[][] = peers.map(() => []);
  for (let round = -100; round < rounds; round += 1)
    for (const [index, peer] of peers.entries()) {
      const { first, last } = await once(peer, isStream);
      if (round >= 0) values[index]?.push(isStream ? first : last);
    }
  return values;
}

try {
  const llmPort = await freePort();
  const llm = await start(
    'the stand-in itself',
    [join(process.cwd(), 'bench', 'peers', 'portkey', 'llm-stand-in.mjs'), String(llmPort)],
    llmPort,
    {},
    {},
  );
  const peers = [await startOurs(llmPort), await startPortkey(llmPort)];
  const whole = await latencies([llm, ...peers], false, 1000);
  const streamed = await latencies([llm, ...peers], true, 300);
  for (const peer of peers) load(peer, 3);
  // In turns, and the best of each: what else the machine does falls on all alike, and least on the best.
  const turns = Array.from({ length: rounds }, () =>
    peers.map((peer) => {
      const before = cpuSeconds(peer.pid);
      const requests = load(peer, seconds);
      return { cpu: ((cpuSeconds(peer.pid) - before) / requests) * 1e6, perSecond: requests / seconds };
    }),
  );
  const rows = peers.map((peer, index) => {
    const own = turns.flatMap((turn) => turn[index] ?? []);
    const added = (all: readonly number[][], p: number): number =>
      round(percentile(all[index + 1] ?? [], p / 100) - percentile(all[0] ?? [], p / 100), 2);
    return [
      peer.name,
      Math.round(Math.min(...own.map(({ cpu }) => cpu))),
      Math.round(Math.max(...own.map(({ perSecond }) => perSecond))),
      ...[50, 95, 99].map((p) => added(whole, p)),
      ...[50, 95, 99].map((p) => added(streamed, p)),
    ];
  });
  publish({
    name: 'ai-gateway',
    title: 'Chat completions through the gateway and through Portkey',
    about: `The same stand-in LLM, which is no model, in one run. CPU a request of the gateway's process with 8 connections over ${seconds} s, the best of ${rounds} turns; milliseconds added to the stand-in's own with one connection, in turns: whole answers (1,000 each), first byte of a stream (300 each). Load generator, stand-in and whatever else share the machine.`,
    columns: [
      'gateway',
      'CPU µs/request',
      'requests/s',
      'added P50 ms',
      'P95',
      'P99',
      'first byte P50 ms',
      'P95',
      'P99',
    ],
    rows,
    notes: [
      "Portkey runs on @hono/node-server 1.3.3, because the newest that its range allows breaks its streams on Node 20; its first byte came about when the stand-in's stream had ended (22 ms), which may be that version's doing: do not compare it.",
    ],
    plot: {
      title: 'CPU a chat completion',
      unit: 'µs',
      labels: ['CPU µs/request'],
      series: rows.map((row, index) => ({
        name: String(row[0]),
        color: index === 0 ? '#1f6f54' : '#9aa0a6',
        values: [Number(row[1])],
      })),
    },
  });
} finally {
  for (const agent of agents.values()) agent.destroy();
  for (const stop of stoppers.reverse()) await stop();
  rmSync(folder, { recursive: true, force: true });
}
