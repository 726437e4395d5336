/** One run of mixed load against a server of its own, sampled as it goes. The benchmark and the short check share it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from '../../test/servers/certificates.js';
import { findFreePorts } from '../../test/servers/processes.js';
import { startMixedLoad } from './mixed-load.js';
import type { Sample } from './trend.js';
import { startUpstreams } from './upstreams.js';
import { startWatchedServer } from './watched-server.js';

export interface SoakOptions {
  /** Of the repository. */
  readonly root: string;
  readonly seconds: number;
  readonly ratePerSecond: number;
  readonly sampleEverySeconds: number;
  readonly onSample?: (sample: Sample) => void;
}

export interface SoakRun {
  readonly samples: readonly Sample[];
  readonly requests: number;
  readonly byKind: ReadonlyMap<string, number>;
  /** Answers that were not what they must be. */
  readonly faults: number;
  readonly examples: readonly string[];
  /** Of the server, all kinds together, in microseconds. */
  readonly cpuPerRequest: number;
}

const policy = `package soak.authz

default allow := false

allow if input.method == "GET"

allow if input.llm.model == "soak"

deny if input.method == "DELETE"
`;

export async function runSoak(options: SoakOptions): Promise<SoakRun> {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-soak-'));
  const upstreams = await startUpstreams();
  const file = join(folder, 'apisix.yaml');
  makeCertificates(folder);
  const routes = routesOf(folder, upstreams);
  writeFileSync(file, routes(0));
  const [http = 0, https = 0] = await findFreePorts(2);
  try {
    const server = await startWatchedServer(
      options.root,
      join(folder, 'data'),
      { http, https },
      { BAILIWICK_GATEWAY_FILE: file },
    );
    try {
      const put = await fetch(`${server.url}/policies/soak?wait=applied`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ rego: policy }),
      });
      if (!put.ok) throw new Error(await put.text());
      const load = startMixedLoad(
        { httpPort: http, httpsPort: https, token: server.token, file, routes },
        options.ratePerSecond,
      );
      const samples: Sample[] = [];
      const began = performance.now();
      const cpuBefore = server.cpuSeconds();
      try {
        for (let at = options.sampleEverySeconds; at <= options.seconds; at += options.sampleEverySeconds) {
          await new Promise((resolve) => setTimeout(resolve, began + at * 1000 - performance.now()));
          const { rss, heap } = await server.memory();
          const sample = { seconds: at, rss, heap, requests: load.requests };
          samples.push(sample);
          options.onSample?.(sample);
        }
      } finally {
        await load.stop();
      }
      const { requests, byKind, faults, examples } = load;
      const cpuPerRequest = ((server.cpuSeconds() - cpuBefore) / requests) * 1e6;
      return { samples, requests, byKind, faults, examples, cpuPerRequest };
    } finally {
      await server.stop();
    }
  } finally {
    upstreams.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function routesOf(
  folder: string,
  upstreams: { readonly servicePort: number; readonly llmPort: number },
): (round: number) => string {
  const pem = (name: string): string => readFileSync(join(folder, name), 'utf8').trim().replace(/^/gm, '      ');
  const node = `upstream: {type: roundrobin, retries: 0, nodes: {"127.0.0.1:${upstreams.servicePort}": 1}}`;
  const [cert, key] = [pem('server.crt'), pem('server.key')];
  return (round) => `routes:
  - {id: control, uri: /policies/*, upstream: {type: roundrobin, nodes: {"\${{BAILIWICK_CONTROL_HOST}}:80": 1}}}
  - {id: plain, uri: /plain/*, desc: "round ${round}", ${node}}
  - {id: socket, uri: /socket/*, enable_websocket: true, ${node}}
  - id: full
    uri: /full/*
    labels: {project: soak}
    plugins:
      request-id: {}
      cors: {}
      openid-connect: {client_id: b, discovery: "\${{BAILIWICK_DISCOVERY_URL}}", bearer_only: true, use_jwks: true}
      opa: {host: "\${{BAILIWICK_OPA_URL}}", policy: bailiwick/authz}
      limit-count: {count: 1000000000, time_window: 3600}
    ${node}
  - id: llm
    uri: /v1/*
    labels: {project: soak}
    plugins:
      key-auth: {}
      opa: {host: "\${{BAILIWICK_OPA_URL}}", policy: bailiwick/authz}
      ai-proxy:
        provider: openai-compatible
        auth: {header: {Authorization: Bearer sk-stand-in}}
        override: {endpoint: "http://127.0.0.1:${upstreams.llmPort}"}
consumers:
  - {username: soak, plugins: {key-auth: {key: soak-key}}}
ssls:
  - id: local
    snis: [localhost]
    cert: |
${cert}
    key: |
${key}
#END
`;
}
