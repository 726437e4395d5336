/** Requests that readers could disagree about, through two of them: HAProxy with the pair's own file, then the gateway. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { haproxyParameters } from '../servers/haproxy.js';
import { describeWithServer } from '../servers/presence.js';
import {
  findFreePorts,
  makeTemporaryFolder,
  type ServerProcess,
  startProcess,
  waitUntilReady,
} from '../servers/processes.js';
import { startTestServer, type TestServer } from '../system/harness.js';
import { exchangeRaw, type StrictUpstream, startStrictUpstream } from '../system/raw-http.js';
import { findDesyncs, smugglingCases } from '../system/smuggling-cases.js';

function describeSmuggling(): void {
  let folder: string;
  let upstream: StrictUpstream;
  let server: TestServer;
  let haproxy: ServerProcess;
  let port = 0;

  beforeAll(async () => {
    folder = await makeTemporaryFolder('smuggling');
    upstream = await startStrictUpstream();
    const gatewayFile = join(folder, 'apisix.yaml');
    writeFileSync(
      gatewayFile,
      `routes: [{id: a, uri: /*, upstream: {type: roundrobin, nodes: {"127.0.0.1:${upstream.port}": 1}}}]\n#END\n`,
    );
    server = await startTestServer({ gatewayFile, demo: 'false' });
    const [first = 0, health = 0] = await findFreePorts(2);
    port = first;
    const gateway = `127.0.0.1:${server.running.port}`;
    haproxy = startProcess('haproxy', haproxyParameters('haproxy.cfg'), {
      env: {
        ...{ BAILIWICK_VIP: '127.0.0.1', BAILIWICK_VIP_PORT: String(port) },
        ...{ BAILIWICK_GATEWAY_A: gateway, BAILIWICK_GATEWAY_B: gateway },
        BAILIWICK_HAPROXY_HEALTH: `127.0.0.1:${health}`,
        BAILIWICK_HAPROXY_SOCKET: join(folder, 'haproxy.sock'),
      },
    });
    const isReady = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
    await waitUntilReady('HAProxy', isReady, haproxy, 20_000);
  });
  afterAll(async () => {
    await haproxy?.end();
    await server?.stop();
    await upstream?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('never brings HAProxy, the gateway and the upstream out of step', async () => {
    const { desyncs, reached } = await findDesyncs(port, upstream);
    console.log(
      `${smugglingCases.length} smuggling cases through HAProxy and the gateway: ${reached} reached the upstream, ${desyncs.length} desyncs`,
    );
    expect(desyncs).toEqual([]);
    expect(smugglingCases.length).toBeGreaterThanOrEqual(100);
    // Not everything is refused: the rest would be no test.
    expect(reached).toBeGreaterThanOrEqual(20);
  }, 90_000);

  it('tells the upstream who the client is, whatever the client says', async () => {
    upstream.requests.length = 0;
    const claims = 'X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Host: evil';
    await exchangeRaw(port, `GET /who HTTP/1.1\r\nHost: a\r\n${claims}\r\nConnection: close\r\n\r\n`, 2_000);
    const text = upstream.requests.flatMap(({ headers }) => headers).join('\n');
    expect(text).toContain('127.0.0.1');
    expect(text).not.toMatch(/6\.6\.6\.6|evil/);
  });
}

describeWithServer('haproxy', describeSmuggling);
