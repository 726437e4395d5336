/**
 * A policy written → enforced: embedded instances, a fleet on etcd, a real OPA by push and by bundle, side by side. And a configuration value
 * written → the callback of SDKs (`propagation-sdk.ts`). Arguments: number of writes; `policies` or `sdk` for one of the two alone.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEtcd } from '../apps/server/src/adapters/etcd/etcd-key-value-store.js';
import { Enforcer } from '../apps/server/src/decisions/enforcer.js';
import { WorldCompiler } from '../apps/server/src/decisions/world.js';
import type { KeyValueStore } from '../apps/server/src/ports/key-value-store.port.js';
import { startEtcd } from '../test/servers/etcd.js';
import { startOpa } from '../test/servers/opa.js';
import { findFreePorts } from '../test/servers/processes.js';
import { startTestServer, type TestServer } from '../test/system/harness.js';
import { runClients } from './propagation-clients.js';
import { measureSdkPropagation } from './propagation-sdk.js';
import { percentile, publish, round } from './report.js';

const words = process.argv.slice(2);
const writes = Number(words.find((word) => /^\d+$/.test(word)) ?? 200);
const isWanted = (part: string): boolean =>
  !words.some((word) => word === 'policies' || word === 'sdk') || words.includes(part);
const rego = 'package bench.authz\n\nimport rego.v1\n\ndefault allow := false\n\nallow if input.count == data.count\n';
const compiler = new WorldCompiler({ allowedBuiltins: [], maxSteps: 1_000_000, timeoutMs: 1000 });

interface Samples {
  readonly fromSent: number[];
  readonly fromAcknowledged: number[];
}

const rows: (string | number)[][] = [];
function add(what: string, instances: number | string, { fromSent, fromAcknowledged }: Samples): void {
  const figures = [0.5, 0.95, 0.99].map((p) => round(percentile(fromAcknowledged, p)));
  rows.push([what, instances, ...figures, ...[0.5, 0.95, 0.99].map((p) => round(percentile(fromSent, p)))]);
  console.log(what, instances, ...figures);
}

/** Writes again and again; `enforced` resolves with the times (performance.now) at which each instance enforced the count. */
async function measure(server: TestServer, enforced: (count: number) => Promise<readonly number[]>): Promise<Samples> {
  const samples: Samples = { fromSent: [], fromAcknowledged: [] };
  let etag: string | undefined;
  const current = await server.call('GET', '/policies/bench');
  if (current.status === 200) etag = current.headers.get('etag') ?? undefined;
  for (let count = 1; count <= writes + 20; count += 1) {
    const seen = enforced(count);
    const sent = performance.now();
    const answer = await server.call('PUT', '/policies/bench', {
      body: { rego, data: { count } },
      headers: etag === undefined ? {} : { 'if-match': etag },
    });
    const acknowledged = performance.now();
    if (answer.status > 201) throw new Error(answer.text);
    etag = answer.headers.get('etag') ?? undefined;
    for (const time of await seen) {
      // The first twenty warm up.
      if (count <= 20) continue;
      samples.fromSent.push(time - sent);
      samples.fromAcknowledged.push(Math.max(0, time - acknowledged));
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return samples;
}

/** Instances that follow `stores`, one each, beside the server's own. */
async function startFleet(
  stores: readonly KeyValueStore[],
): Promise<{ enforced: (count: number) => Promise<readonly number[]>; stop(): Promise<void> }> {
  const fleet = stores.map((store) => new Enforcer(store, compiler));
  await Promise.all(fleet.map((enforcer) => enforcer.start()));
  const enforces = (enforcer: Enforcer, count: number): boolean =>
    enforcer.decide({ input: { count }, project: 'bench', claimedProject: undefined, isControlPlane: false })
      .decidedBy === 'project';
  const one = (enforcer: Enforcer, count: number): Promise<number> =>
    new Promise((resolve) => {
      const stop = enforcer.onApplied(() => {
        if (!enforces(enforcer, count)) return;
        stop();
        resolve(performance.now());
      });
    });
  return {
    enforced: (count) => Promise.all(fleet.map((enforcer) => one(enforcer, count))),
    stop: async () => {
      await Promise.all(fleet.map((enforcer) => enforcer.stop()));
    },
  };
}

async function pollOpa(url: string, count: number): Promise<readonly number[]> {
  for (;;) {
    const answer = await fetch(`${url}/v1/data/projects/bench/bench/authz/allow`, {
      method: 'POST',
      body: JSON.stringify({ input: { count } }),
    });
    if (((await answer.json()) as { result?: unknown }).result === true) return [performance.now()];
  }
}

if (words.includes('clients')) runClients();
else {
  if (isWanted('policies')) await measurePolicies();
  if (isWanted('sdk')) await measureSdkPropagation(writes);
}

async function measurePolicies(): Promise<void> {
  for (const instances of [1, 10, 100]) {
    const server = await startTestServer({ demo: 'false', decisionLog: 'off' });
    const fleet = await startFleet(Array.from({ length: instances }, () => server.running.platform.store));
    add('embedded (SQLite watch)', instances, await measure(server, fleet.enforced));
    await fleet.stop();
    await server.stop();
  }

  {
    const etcd = await startEtcd({ members: 3 });
    const server = await startTestServer({
      demo: 'false',
      decisionLog: 'off',
      keyValueStore: 'etcd',
      etcdEndpoints: etcd.endpoints.join(','),
    });
    const stores = Array.from({ length: 20 }, () => openEtcd({ endpoints: etcd.endpoints }));
    const fleet = await startFleet(stores);
    add('over etcd (3 members, own connection each)', 20, await measure(server, fleet.enforced));
    await fleet.stop();
    await Promise.all(stores.map((store) => store.close()));
    await server.stop();
    await etcd.stop();
  }

  {
    const opa = await startOpa();
    const server = await startTestServer({ demo: 'false', decisionLog: 'off', opaUrls: opa.url });
    add('a real OPA, by push', 1, await measure(server, (count) => pollOpa(opa.url, count)));
    await server.stop();
    await opa.stop();
  }

  {
    const folder = mkdtempSync(join(tmpdir(), 'bailiwick-bench-opa-'));
    const [port = 0] = await findFreePorts(1);
    const server = await startTestServer({ demo: 'false', decisionLog: 'off', port: String(port) });
    const file = join(folder, 'opa.yaml');
    writeFileSync(
      file,
      `services:\n  bailiwick:\n    url: ${server.url}\n    credentials:\n      bearer:\n        token: ${server.token}\nbundles:\n  bailiwick:\n    service: bailiwick\n    resource: bundles/bailiwick.tar.gz\n    polling:\n      long_polling_timeout_seconds: 30\n`,
    );
    const opa = await startOpa(['--config-file', file]);
    add('a real OPA, by bundle (long polling)', 1, await measure(server, (count) => pollOpa(opa.url, count)));
    await opa.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }

  publish({
    name: 'propagation',
    title: 'Propagation: a policy written → enforced',
    about: `${writes} writes of one policy through the public address, one after the other. "Acknowledged" is the answer of PUT; an instance that enforced before the answer arrived counts as 0. A real OPA is asked in a tight loop until it answers by the new policy. Client, server and OPA share the machine.`,
    columns: [
      'enforced by',
      'instances',
      'acknowledged → P50 ms',
      'P95 ms',
      'P99 ms',
      'sent → P50 ms',
      'P95 ms',
      'P99 ms',
    ],
    rows,
    plot: {
      title: 'PUT sent → enforced, P95',
      unit: 'ms',
      labels: rows.map((row) => `${row[0]}, ${row[1]}`),
      series: [{ name: 'P95', color: '#1f6f54', values: rows.map((row) => Number(row[6])) }],
    },
    notes: [
      'The specification’s limit is P95 < 500 ms; our aims are P95 ≤ 10 ms embedded, ≤ 50 ms over etcd, ≤ 100 ms for a real OPA.',
    ],
  });
}
