/**
 * A configuration value written → the callback of every SDK that streams it. The server (or two of them, on PostgreSQL, Redis and RabbitMQ) are
 * processes of their own; all SDKs are in this one, each with its own connection, its own copy and its own compiling.
 */
import { get } from 'node:http';
import { cpus, loadavg } from 'node:os';
import { type Client, createClient } from '@bailiwick/sdk';
import { startEtcd } from '../test/servers/etcd.js';
import { startPostgres } from '../test/servers/postgres.js';
import { startRabbitMq } from '../test/servers/rabbitmq.js';
import { startRedis } from '../test/servers/redis.js';
import { percentile, publish, round } from './report.js';
import { type ServerProcess, startServerProcess } from './server-process.js';

const scope = { app_id: 'bench', environment: 'prod' };
const otherEntries = 20;
const warmUps = 20;
/** Between two writes, on top of the time until everybody has the first. */
const pauseMs = 5;
const deadlineMs = 30_000;

/** Streams that are open, and every how manieth of them is an SDK. */
const sizes = [
  [1, 1],
  [100, 1],
  [1_000, 50],
  [1_000, 1],
] as const;

const sizeText = (count: number, every: number): string =>
  every === 1 ? String(count) : `${Math.ceil(count / every)} of ${count} streams`;

export async function measureSdkPropagation(writes: number): Promise<void> {
  const rows: (string | number)[][] = [];
  const add = (what: string, clients: string, { all, slowest }: Samples): void => {
    const figures = [0.5, 0.95, 0.99].map((p) => round(percentile(all, p)));
    rows.push([what, clients, ...figures, round(percentile(slowest, 0.5)), round(percentile(slowest, 0.99))]);
    console.log(what, clients, ...figures, 'slowest', round(percentile(slowest, 0.99)));
  };
  const embedded = await startServerProcess({ BAILIWICK_DECISION_LOG: 'off' });
  const own = await prepare(embedded);
  for (const [count, every] of sizes)
    add(
      'embedded, one server',
      sizeText(count, every),
      await measure({ ...own, writer: embedded, reader: embedded, count, every, writes }),
    );
  await embedded.stop();

  const [etcd, postgres, redis, rabbit] = await Promise.all([
    startEtcd(),
    startPostgres(),
    startRedis(),
    startRabbitMq(),
  ]);
  const shared = {
    BAILIWICK_DECISION_LOG: 'off',
    BAILIWICK_KEY_VALUE_STORE: 'etcd',
    BAILIWICK_ETCD_ENDPOINTS: etcd.endpoints.join(','),
    BAILIWICK_RELATIONAL_STORE: 'postgres',
    BAILIWICK_POSTGRES_URL: postgres.url,
    BAILIWICK_CACHE: 'redis',
    BAILIWICK_REDIS_URL: redis.url,
    BAILIWICK_EVENT_BUS: 'rabbitmq',
    BAILIWICK_RABBITMQ_URLS: rabbit.url,
  };
  const writer = await startServerProcess(shared);
  const reader = await startServerProcess(shared);
  const both = await prepare(writer);
  for (const [count, every] of sizes)
    add(
      'PostgreSQL + Redis + RabbitMQ, written at another server',
      sizeText(count, every),
      await measure({ ...both, writer, reader, count, every, writes }),
    );
  await reader.stop();
  await writer.stop();
  await Promise.all([etcd, postgres, redis, rabbit].map((server) => server.stop()));
  publishRows(rows, writes);
}

interface Entry {
  readonly apiKey: string;
  readonly id: string;
  /** Of the entry's newest version. */
  etag: string;
}

async function call({ url, token }: ServerProcess, method: string, path: string, body: unknown, etag?: string) {
  const headers = {
    ...{ authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(etag === undefined ? {} : { 'if-match': etag }),
  };
  const answer = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  const json = (await answer.json()) as Record<string, unknown>;
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`);
  return { json, etag: answer.headers.get('etag') ?? '' };
}

/** A key, the entry that is written, and some more beside it. */
async function prepare(server: ServerProcess): Promise<{ readonly entry: Entry }> {
  const key = await call(server, 'POST', '/api/v1/api-keys', { name: 'bench', kind: 'server', ...scope });
  for (let n = 0; n < otherEntries; n += 1)
    await call(server, 'POST', '/api/v1/configs', { ...scope, key: `other.${n}`, value: { n, text: 'x'.repeat(50) } });
  const { json, etag } = await call(server, 'POST', '/api/v1/configs', { ...scope, key: 'count', value: 0 });
  return { entry: { apiKey: String(key.json['key']), id: String(json['id']), etag } };
}

interface Samples {
  /** Milliseconds from sending PUT, of every client and write. */
  readonly all: readonly number[];
  /** Of the last client of each write. */
  readonly slowest: readonly number[];
}

interface Run {
  readonly entry: Entry;
  readonly writer: ServerProcess;
  readonly reader: ServerProcess;
  /** Streams that are open. */
  readonly count: number;
  /** Every how manieth is an SDK; the others read and forget. */
  readonly every: number;
  readonly writes: number;
}

/** A stream that somebody reads and does nothing with. Resolves when its first bytes are there. */
async function openStream(url: string, apiKey: string): Promise<() => void> {
  const asked = get(`${url}/api/v1/environment/stream`, { headers: { authorization: `Bearer ${apiKey}` } });
  await new Promise<void>((resolve, reject) => {
    asked.once('error', reject);
    asked.once('response', (response) => {
      response.on('error', () => undefined);
      response.on('data', () => resolve());
    });
  });
  return () => asked.destroy();
}

let value = 0;

async function measure({ entry, writer, reader, count, every, writes }: Run): Promise<Samples> {
  const clients: Client[] = [];
  const others: (() => void)[] = [];
  // In portions, as they would come: not a thousand connections in one moment.
  for (let n = 0; n < count; n += 1) {
    if (n % every !== 0) others.push(await openStream(reader.url, entry.apiKey));
    else clients.push(createClient({ url: reader.url, apiKey: entry.apiKey, sendsUsage: false }));
    if (n % 50 === 49) await clients.at(-1)?.ready({ timeoutMs: deadlineMs, mustBeLive: true });
  }
  await Promise.all(clients.map((client) => client.ready({ timeoutMs: deadlineMs, mustBeLive: true })));
  const all: number[] = [];
  const slowest: number[] = [];
  for (let write = 0; write < writes + warmUps; write += 1) {
    value += 1;
    const wanted = value;
    const seen = Promise.all(clients.map((client) => reached(client, wanted)));
    const sent = performance.now();
    ({ etag: entry.etag } = await call(writer, 'PUT', `/api/v1/configs/${entry.id}`, { value: wanted }, entry.etag));
    const times = (await seen).map((time) => time - sent);
    if (write >= warmUps) {
      for (const time of times) all.push(time);
      slowest.push(Math.max(...times));
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  const { refetches, reconnects } = clients.reduce(
    (sum, client) => {
      const counters = client.counters();
      return { refetches: sum.refetches + counters.refetches, reconnects: sum.reconnects + counters.reconnects };
    },
    { refetches: 0, reconnects: 0 },
  );
  if (refetches + reconnects > 0) console.log(`  ${refetches} refetches, ${reconnects} reconnects`);
  await Promise.all(clients.map((client) => client.close()));
  for (const end of others) end();
  return { all, slowest };
}

/** The moment (performance.now) of the callback with the value. Rejects when it does not come. */
function reached(client: Client, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${wanted} did not come`)), deadlineMs);
    const stop = client.on('change', () => {
      if (client.config('count', -1) !== wanted) return;
      const now = performance.now();
      clearTimeout(timer);
      stop();
      resolve(now);
    });
  });
}

function publishRows(rows: readonly (readonly (string | number)[])[], writes: number): void {
  publish({
    name: 'propagation-sdk',
    command: 'propagation sdk',
    title: 'Propagation: a configuration value written → the SDK’s callback',
    about: `${writes} writes of one value through the public address, one after the other, each waited for by all clients; an environment of ${otherEntries + 1} entries. From sending PUT to the \`change\` callback in which the new value is read. Servers are processes of their own; all clients are in one other process and share its core. “20 of 1000 streams”: the other 980, spread between them, read and do nothing, which shows what the server needs for 1,000; with 1,000 SDKs in the one process most of the time is their own reading and compiling.`,
    columns: ['server', 'clients', 'P50 ms', 'P95 ms', 'P99 ms', 'last client P50 ms', 'last client P99 ms'],
    rows,
    plot: {
      title: 'PUT sent → callback',
      unit: 'ms',
      labels: rows.map((row) => `${String(row[0]).replace(', written at another server', '')}, ${row[1]}`),
      series: [
        { name: 'P50', color: '#7fb7a2', values: rows.map((row) => Number(row[2])) },
        { name: 'P99', color: '#1f6f54', values: rows.map((row) => Number(row[4])) },
      ],
    },
    notes: [
      'The aim is P99 ≤ 100 ms.',
      `Other work ran on the machine meanwhile: load of the last minute ${round(loadavg()[0] ?? 0, 1)} on ${cpus().length} cores.`,
    ],
  });
}
