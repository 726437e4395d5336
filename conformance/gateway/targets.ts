/** The gateways that cases run against: the embedded one in this process, or any that reads a file and has an address. */
import { writeFileSync } from 'node:fs';
import { parseApisixFile } from '../../apps/server/src/gateway/apisix-file.js';
import { Gateway } from '../../apps/server/src/gateway/gateway.js';
import { plugins } from '../../apps/server/src/gateway/plugins/index.js';
import { toProblem } from '../../apps/server/src/http/problems.js';
import { openAnswers, openRateLimits, openVault } from '../../apps/server/src/stores.js';
import { createLogger } from '../../apps/server/src/telemetry/logger.js';
import { Metrics } from '../../apps/server/src/telemetry/metrics.js';
import type { Target } from './runner.js';
import { gatewayEnvironment } from './stand-ins.js';

/** Alone, without a control plane behind: what asks this process's own issuers and policies is not part of the suite. */
export async function embeddedGateway(): Promise<Target & { readonly gateway: Gateway }> {
  const metrics = new Metrics();
  const absent = new Proxy({}, { get: () => () => Promise.reject(new Error('not part of the conformance suite')) });
  const gateway = new Gateway({
    services: {
      authenticator: absent as never,
      decisions: absent as never,
      metrics,
      openRateLimits,
      openAnswers,
    },
    logger: createLogger('silent'),
    metrics,
    toProblem,
    upstreamTimeoutMs: 10_000,
    maxBodyBytes: 1_000_000,
    localServices: new Map(),
    secrets: { environment: gatewayEnvironment, local: absent as never, openVault },
    secretCacheMs: 300_000,
    ownAnswer: (path) =>
      path === '/metrics'
        ? metrics.registry.metrics().then((body) => ({ status: 200, type: metrics.registry.contentType, body }))
        : undefined,
  });
  const port = await gateway.listen('127.0.0.1', 0);
  return {
    gateway,
    url: `http://127.0.0.1:${port}`,
    apply: async (text) => {
      gateway.load(parseApisixFile(text, 'case.yaml', {}, plugins));
      await gateway.settled();
    },
    stop: async () => await gateway.close(0),
  };
}

/** Writes the file and waits until a route that only this version has is there. */
export function gatewayByUrl(url: string, file: string, upstream: () => string): Target {
  let version = 0;
  return {
    url,
    apply: async (text) => {
      version += 1;
      const marker = `/conformance-marker-${process.pid}-${version}`;
      const route = `  - {id: conformance-marker, uri: ${marker}, upstream: {type: roundrobin, nodes: {"${upstream()}": 1}}}\n`;
      writeFileSync(file, text.replace(/^routes:\n/m, `routes:\n${route}`));
      const deadline = Date.now() + 30_000;
      while ((await fetch(url + marker).catch(() => undefined))?.headers.get('x-upstream') !== 'yes') {
        if (Date.now() > deadline) throw new Error(`${url} does not take ${file} into force`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    stop: async () => undefined,
  };
}
