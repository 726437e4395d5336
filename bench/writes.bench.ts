/** Acknowledged policy writes a second, through the public address: compile, compare-and-set, version and audit in one durable transaction. */
import { Pool } from 'undici';
import { startEtcd } from '../test/servers/etcd.js';
import { percentile, publish, round } from './report.js';
import { type ServerProcess, startServerProcess } from './server-process.js';

const seconds = Number(process.argv[2] ?? 8);
const rego = (client: number): string =>
  `package bench.authz\n\nimport rego.v1\n\ndefault allow := false\n\nallow if input.claims.role == "role-${client}"\n`;

interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

async function measure(server: ServerProcess, clients: number): Promise<Measured> {
  const pool = new Pool(server.url, { connections: clients, pipelining: 1 });
  const latencies: number[] = [];
  let isOver = false;
  const client = async (index: number): Promise<void> => {
    const path = `/policies/bench-${clients}-${index}`;
    const headers: Record<string, string> = {
      authorization: `Bearer ${server.token}`,
      'content-type': 'application/json',
    };
    for (let count = 0; !isOver; count += 1) {
      const started = performance.now();
      const {
        statusCode,
        headers: answered,
        body,
      } = await pool.request({
        method: 'PUT',
        path,
        headers,
        body: JSON.stringify({ rego: rego(index), data: { count } }),
      });
      const text = await body.text();
      if (statusCode !== 200 && statusCode !== 201) throw new Error(`${statusCode}: ${text}`);
      headers['if-match'] = String(answered['etag']);
      latencies.push(performance.now() - started);
    }
  };
  const run = async (ms: number): Promise<void> => {
    isOver = false;
    const running = Array.from({ length: clients }, (_unused, index) => client(index + ms));
    setTimeout(() => {
      isOver = true;
    }, ms);
    await Promise.all(running);
  };
  await run(2_000);
  latencies.length = 0;
  const started = performance.now();
  await run(seconds * 1000);
  const elapsed = (performance.now() - started) / 1000;
  await pool.close();
  return { perSecond: latencies.length / elapsed, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

const rows: (string | number)[][] = [];
const add = (what: string, clients: number, { perSecond, p50, p99 }: Measured): void => {
  rows.push([what, clients, Math.round(perSecond), round(p50), round(p99)]);
};

const embedded = await startServerProcess({ BAILIWICK_DECISION_LOG: 'denied' });
for (const clients of [1, 64])
  add('SQLite (embedded, every commit on disk)', clients, await measure(embedded, clients));
await embedded.stop();

for (const members of [1, 3] as const) {
  const etcd = await startEtcd({ members });
  const server = await startServerProcess({
    BAILIWICK_DECISION_LOG: 'denied',
    BAILIWICK_KEY_VALUE_STORE: 'etcd',
    BAILIWICK_ETCD_ENDPOINTS: etcd.endpoints.join(','),
  });
  for (const clients of [1, 64])
    add(`etcd, ${members} member${members > 1 ? 's' : ''}`, clients, await measure(server, clients));
  await server.stop();
  await etcd.stop();
}

publish({
  name: 'writes',
  title: 'Policy writes',
  about:
    'PUT /policies/{project} with If-Match through the gateway; the client shares the machine. Each write compiles the policy and commits both keys, the version counter and the outbox entry (version and audit record) in one durable transaction, while the worker drains the outbox into history beside it.',
  columns: ['store', 'clients', 'writes/s', 'P50 ms', 'P99 ms'],
  rows,
});
