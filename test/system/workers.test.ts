/** `BAILIWICK_WORKERS=2`: what holds for one process holds for several, and what one of them loses nobody else loses. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeTemporaryFolder } from '../servers/processes.js';
import { type BailiwickProcess, startBailiwickProcess } from './server-process.js';

let server: BailiwickProcess;
let upstream: Server;
let folder = '';
let file = '';
/** Requests that the upstream is answering. */
let underway = 0;

/** The policy of `p`: whoever asks may read what begins with the prefix. */
const allowing = (prefix: string): string =>
  `package p.authz\n\ndefault allow := false\n\nallow if startswith(input.path, "${prefix}")\n`;

function routes(extra = ''): string {
  const { port } = upstream.address() as AddressInfo;
  const node = `upstream: {type: roundrobin, nodes: {"127.0.0.1:${port}": 1}}`;
  return `routes:
  - {id: control, uris: [/policies, /policies/*, /api/v1/*], upstream: {type: roundrobin, nodes: {"\${{BAILIWICK_CONTROL_HOST}}:80": 1}}}
  - {id: plain, uri: /plain/*, ${node}}
  - {id: judged, uri: /judged/*, labels: {project: p}, plugins: {opa: {host: "\${{BAILIWICK_OPA_URL}}", policy: bailiwick/authz}}, ${node}}
  - {id: limited, uri: /limited/*, plugins: {limit-count: {count: 50, time_window: 600, rejected_code: 429}}, ${node}}
  - {id: crowded, uri: /crowded/*, plugins: {limit-conn: {conn: 2, burst: 0, default_conn_delay: 0.01, key: remote_addr, rejected_code: 429}}, ${node}}
  - {id: secret, uri: /secret/*, plugins: {proxy-rewrite: {headers: {set: {x-secret: "$secret://local/app/value"}}}}, ${node}}
${extra}#END
`;
}

beforeAll(async () => {
  upstream = createServer((incoming, response) => {
    const delayMs = Number(new URL(incoming.url ?? '/', 'http://a').searchParams.get('ms') ?? 0);
    underway += 1;
    response.once('close', () => {
      underway -= 1;
    });
    setTimeout(() => response.end(String(incoming.headers['x-secret'] ?? 'ok')), delayMs);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  folder = await makeTemporaryFolder('workers');
  file = join(folder, 'apisix.yaml');
  writeFileSync(file, routes());
  server = await startBailiwickProcess({ BAILIWICK_WORKERS: '2', BAILIWICK_GATEWAY_FILE: file });
  await until(async () => (await readiness()).workers_ready === 2);
}, 60_000);
afterAll(async () => {
  await server.dispose();
  upstream.closeAllConnections();
  upstream.close();
  await rm(folder, { recursive: true, force: true });
});

async function until(holds: () => Promise<boolean> | boolean, withinMs = 30_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('it does not become so');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

// biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape.
async function call(method: string, path: string, body?: unknown, ifMatch?: string): Promise<any> {
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${server.token}`,
      'content-type': 'application/json',
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.status, `${method} ${path}`).toBeLessThan(300);
  return answer.status === 204 ? undefined : await answer.json();
}

const readiness = async (): Promise<{ workers_ready?: number }> =>
  (await fetch(`${server.url}/readyz`)
    .then((answer) => answer.json())
    .catch(() => ({}))) as { workers_ready?: number };

/** On a connection of its own, so that any worker may take it. Rejects when the connection breaks. */
function once(path: string, agent?: Agent): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(server.url + path, { agent: agent ?? new Agent({ keepAlive: false }) }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += String(chunk);
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.once('error', reject);
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

const statuses = async (path: string, count: number): Promise<readonly number[]> =>
  (await Promise.all(Array.from({ length: count }, () => once(path)))).map(({ status }) => status);

const workers = (): readonly number[] =>
  execFileSync('ps', ['--ppid', String(server.pid), '-o', 'pid='], { encoding: 'utf8' })
    .trim()
    .split(/\s+/)
    .map(Number);

/** Ticks of processor time that a worker has used. */
function usedBy(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

it('lets both workers serve, and the primary none of it', async () => {
  const agents = Array.from({ length: 32 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const before = new Map(workers().map((pid) => [pid, usedBy(pid)]));
  expect(before.size).toBe(2);
  await until(async () => {
    await Promise.all(agents.map((agent) => once('/plain/x', agent)));
    return workers().every((pid) => usedBy(pid) > (before.get(pid) ?? 0) + 2);
  });
  for (const agent of agents) agent.destroy();
}, 30_000);

it('has a policy in force on every worker when the write is answered, and back again after a rollback', async () => {
  let { etag } = await call('PUT', '/policies/p', { rego: allowing('/judged/a') });
  for (let round = 0; round < 5; round += 1) {
    const rego = allowing(round % 2 === 0 ? '/judged/b' : '/judged/a');
    const written = await call('PUT', '/policies/p?wait=applied', { rego }, etag);
    etag = written.etag;
    expect(written.applied.complete).toBe(true);
    expect(written.applied.instances).toHaveLength(3);
    expect(new Set(await statuses('/judged/b', 16))).toEqual(new Set([round % 2 === 0 ? 200 : 403]));
  }
  const { applied } = await call('POST', '/policies/p/rollback?wait=applied', { version: 1 }, etag);
  expect(applied.complete).toBe(true);
  expect(new Set(await statuses('/judged/a', 16))).toEqual(new Set([200]));
  expect(new Set(await statuses('/judged/b', 16))).toEqual(new Set([403]));
}, 30_000);

it('counts a limit once for all workers', async () => {
  const found = [...(await statuses('/limited/x', 60)), ...(await statuses('/limited/x', 60))];
  expect(found.filter((status) => status === 200)).toHaveLength(50);
  expect(found.filter((status) => status === 429)).toHaveLength(70);
});

it('finds every decision at once, whichever worker has made it', async () => {
  await statuses('/judged/search', 40);
  const found = await call('GET', '/api/v1/decisions?project=p&path=/judged/search&limit=100');
  expect(found.items).toHaveLength(40);
});

it('carries large bodies to the control plane and back, and tells it who the client is', async () => {
  const data = { text: 'x'.repeat(200_000) };
  await call('PUT', '/policies/large', { rego: 'package large.authz\n', data });
  expect((await call('GET', '/policies/large')).data).toEqual(data);
  const { items } = await call('GET', '/api/v1/audit?limit=20');
  expect(items.find((item: { resource: string }) => item.resource === '/policies/large')).toMatchObject({
    client_ip: '127.0.0.1',
  });
});

it('tells the requests of all workers as one sum', async () => {
  const counted = async (): Promise<number> => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    return Number(
      /^bailiwick_gateway_request_seconds_count\{route="plain",status="200"\} (\d+)$/m.exec(text)?.[1] ?? Number.NaN,
    );
  };
  await statuses('/plain/x', 1);
  const before = await counted();
  await statuses('/plain/x', 100);
  expect(await counted()).toBe(before + 100);
});

it('tells every worker of a secret and of a new file', async () => {
  await call('PUT', '/api/v1/secrets/app', { value: 'first' });
  await until(async () => (await Promise.all([1, 2, 3, 4].map(() => once('/secret/x')))).every(isText('first')));
  await call('PUT', '/api/v1/secrets/app', { value: 'second' });
  await until(async () => (await Promise.all([1, 2, 3, 4].map(() => once('/secret/x')))).every(isText('second')));
  writeFileSync(file, routes(`  - {id: new, uri: /new/*, plugins: {}, upstream: {type: roundrobin, nodes: {}}}\n`));
  await until(async () => (await statuses('/new/x', 12)).every((status) => status === 503));
}, 30_000);

const isText =
  (wanted: string) =>
  ({ text }: { readonly text: string }): boolean =>
    text === wanted;

it('loses only what a killed worker had under way, and puts another one in its place, even while the file is wrong', async () => {
  writeFileSync(file, 'routes: [{id: broken, uri: /x, plugins: {unknown: {}}}]\n#END\n');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const [victim = 0] = workers();
  const parallel = 8;
  let isOver = false;
  let answered = 0;
  let lost = 0;
  const clients = Array.from({ length: parallel }, async () => {
    while (!isOver)
      await once('/plain/x?ms=5').then(
        ({ status }) => {
          expect(status).toBe(200);
          answered += 1;
        },
        () => {
          lost += 1;
        },
      );
  });
  await until(() => answered > 200);
  process.kill(victim, 'SIGKILL');
  const before = answered;
  await until(() => answered > before + 200);
  await until(async () => (await readiness()).workers_ready === 2);
  isOver = true;
  await Promise.all(clients);
  console.log(`kill -9 of one of two workers under ${parallel} clients: ${answered} answered, ${lost} lost`);
  expect(lost).toBeLessThanOrEqual(parallel);
  expect(workers()).toHaveLength(2);
  expect(workers()).not.toContain(victim);
  expect(new Set(await statuses('/new/x', 12))).toEqual(new Set([503]));
  const { applied } = await call('PUT', '/policies/q?wait=applied', { rego: allowing('/judged/c') });
  expect(applied).toMatchObject({ complete: true });
  expect(applied.instances).toHaveLength(3);
  writeFileSync(file, routes());
}, 60_000);

it('gives back the places in a limit that a killed worker held', async () => {
  const held = [once('/crowded/x?ms=4000'), once('/crowded/x?ms=4000')].map((answer) => answer.catch(() => undefined));
  // Both have their place before anybody else asks for one.
  await until(() => underway === 2);
  expect((await once('/crowded/x')).status).toBe(429);
  for (const pid of workers()) process.kill(pid, 'SIGKILL');
  await Promise.all(held);
  // Long before `key_ttl`, an hour, would forget them.
  await until(async () => (await once('/crowded/x').catch(() => undefined))?.status === 200);
}, 60_000);

it('lets requests end when it is stopped, and answers none without its primary', async () => {
  await until(async () => (await readiness()).workers_ready === 2);
  const slow = once('/plain/x?ms=600');
  await new Promise((resolve) => setTimeout(resolve, 100));
  server.signal('SIGTERM');
  expect((await slow).status).toBe(200);
  await until(() =>
    once('/plain/x').then(
      () => false,
      () => true,
    ),
  );
  await server.kill();
  writeFileSync(file, routes());
  await server.start();
  await until(async () => (await readiness()).workers_ready === 2);
  const orphans = workers();
  await server.kill();
  await until(() => orphans.every((pid) => !isAlive(pid)), 5_000);
  await expect(once('/plain/x')).rejects.toThrow();
  await server.start();
}, 60_000);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
