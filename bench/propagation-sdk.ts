/**
 * A configuration value written → the callback of every SDK that streams it, and → the bytes at the sockets of light clients. The server (or two
 * of them, on PostgreSQL, Redis and RabbitMQ) are processes of their own, and so are the clients (`propagation-clients.ts`).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { startEtcd } from '../test/servers/etcd.js';
import { startPostgres } from '../test/servers/postgres.js';
import { startRabbitMq } from '../test/servers/rabbitmq.js';
import { startRedis } from '../test/servers/redis.js';
import { type ClientsMessage, type ClientsReached, type ClientsWanted, nowMs } from './propagation-clients.js';
import { percentile, publish, round } from './report.js';
import { type ServerProcess, startServerProcess } from './server-process.js';

const scope = { app_id: 'bench', environment: 'prod' };
const otherEntries = 20;
const warmUps = 20;
/** Between two writes, on top of the time until everybody has the first. */
const pauseMs = 5;
const deadlineMs = 30_000;

/** What listens at once: SDKs and light streams, spread over processes. */
interface Crowd {
  readonly sdks: number;
  readonly streams: number;
  readonly processes: number;
}

const crowds: readonly Crowd[] = [
  { sdks: 1, streams: 0, processes: 1 },
  { sdks: 100, streams: 0, processes: 1 },
  { sdks: 20, streams: 980, processes: 2 },
  { sdks: 1_000, streams: 0, processes: 4 },
];

const crowdText = ({ sdks, streams, processes }: Crowd): string =>
  `${sdks} SDK${sdks > 1 ? 's' : ''}${streams > 0 ? ` among ${sdks + streams} streams` : ''}${processes > 1 ? ` in ${processes} processes` : ''}`;

export async function measureSdkPropagation(writes: number): Promise<void> {
  const rows: (string | number)[][] = [];
  const run = async (what: string, about: Omit<Run, 'crowd' | 'writes'>): Promise<void> => {
    for (const crowd of crowds) {
      const { sdks, streams, slowest } = await measure({ ...about, crowd, writes });
      const add = (clients: string, times: readonly number[]): void => {
        const figures = [0.5, 0.95, 0.99].map((p) => round(percentile(times, p)));
        rows.push([what, clients, ...figures, round(percentile(slowest, 0.5)), round(percentile(slowest, 0.99))]);
        console.log(what, clients, ...figures, 'slowest', round(percentile(slowest, 0.99)));
      };
      add(`${crowdText(crowd)}: callback`, sdks);
      if (crowd.streams > 0) add(`${crowd.streams} light streams beside them: bytes`, streams);
    }
  };
  const embedded = await startServerProcess({ BAILIWICK_DECISION_LOG: 'off' });
  await run('embedded, one server', { ...(await prepare(embedded)), writer: embedded, reader: embedded });
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
  await run('PostgreSQL + Redis + RabbitMQ, written at another server', { ...(await prepare(writer)), writer, reader });
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

/** Milliseconds from sending PUT. */
interface Samples {
  /** Of every SDK and write. */
  readonly sdks: readonly number[];
  /** Of every light stream and write. */
  readonly streams: readonly number[];
  /** Of the last client of each write. */
  readonly slowest: readonly number[];
}

interface Run {
  readonly entry: Entry;
  readonly writer: ServerProcess;
  readonly reader: ServerProcess;
  readonly crowd: Crowd;
  readonly writes: number;
}

class ClientProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, (message: ClientsMessage) => void>();
  readonly #early = new Map<string, ClientsMessage>();

  constructor() {
    this.#child = fork(process.argv[1] ?? '', ['clients']);
    this.#child.on('message', (message: ClientsMessage) => {
      const name = message.kind === 'reached' ? `reached ${message.value}` : message.kind;
      const waiting = this.#waiting.get(name);
      if (waiting === undefined) this.#early.set(name, message);
      else waiting(message);
    });
  }

  async start(wanted: ClientsWanted): Promise<void> {
    this.#child.send(wanted);
    await this.#next('ready');
  }

  async reached(value: number): Promise<ClientsReached> {
    return (await this.#next(`reached ${value}`)) as ClientsMessage & ClientsReached;
  }

  async stop(): Promise<{ readonly refetches: number; readonly reconnects: number }> {
    this.#child.send('end');
    const ended = await this.#next('ended');
    await new Promise((resolve) => this.#child.once('exit', resolve));
    return ended.kind === 'ended' ? ended : { refetches: 0, reconnects: 0 };
  }

  #next(name: string): Promise<ClientsMessage> {
    return new Promise((resolve, reject) => {
      const early = this.#early.get(name);
      this.#early.delete(name);
      if (early !== undefined) {
        resolve(early);
        return;
      }
      const timer = setTimeout(() => reject(new Error(`${name} did not come`)), 4 * deadlineMs);
      this.#waiting.set(name, (message) => {
        clearTimeout(timer);
        this.#waiting.delete(name);
        resolve(message);
      });
    });
  }
}

let value = 0;

async function measure({ entry, writer, reader, crowd, writes }: Run): Promise<Samples> {
  const children = Array.from({ length: crowd.processes }, () => new ClientProcess());
  const share = (all: number): number => Math.ceil(all / crowd.processes);
  for (const child of children)
    await child.start({
      ...{ url: reader.url, apiKey: entry.apiKey, sdks: share(crowd.sdks), streams: share(crowd.streams) },
    });
  const sdks: number[] = [];
  const streams: number[] = [];
  const slowest: number[] = [];
  for (let write = 0; write < writes + warmUps; write += 1) {
    value += 1;
    const wanted = value;
    const seen = Promise.all(children.map((child) => child.reached(wanted)));
    const sent = nowMs();
    ({ etag: entry.etag } = await call(writer, 'PUT', `/api/v1/configs/${entry.id}`, { value: wanted }, entry.etag));
    const all = await seen;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (write < warmUps) continue;
    const since = (times: readonly number[]): number[] => times.map((time) => time - sent);
    for (const one of all) {
      sdks.push(...since(one.sdks));
      streams.push(...since(one.streams));
    }
    slowest.push(Math.max(...all.flatMap((one) => since([...one.sdks, ...one.streams]))));
  }
  for (const child of children) {
    const { refetches, reconnects } = await child.stop();
    if (refetches + reconnects > 0) console.log(`  ${refetches} refetches, ${reconnects} reconnects`);
  }
  return { sdks, streams, slowest };
}

function publishRows(rows: readonly (readonly (string | number)[])[], writes: number): void {
  publish({
    name: 'propagation-sdk',
    command: 'propagation sdk',
    title: 'Propagation: a configuration value written → the SDK’s callback',
    about: `${writes} writes of one value through the public address, one after the other, each waited for by all clients; an environment of ${otherEntries + 1} entries. From sending PUT to the \`change\` callback in which the new value is read, or, for light streams, to the arrival of the bytes. Servers and clients are processes of their own on one machine: whatever the clients compute is taken from the server's cores and from each other's. Light streams show what the server and the network need, SDKs what an application sees; a thousand SDKs on one machine are mostly their own reading and compiling.`,
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
