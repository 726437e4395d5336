/** The gateway's conformance suite against another process, of which it is given nothing but the address and the file: with one worker and with two. */
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { missingFor, readCases, runCase } from '../../conformance/gateway/runner.js';
import { gatewayEnvironment, startStandIns } from '../../conformance/gateway/stand-ins.js';
import { gatewayByUrl } from '../../conformance/gateway/targets.js';
import { makeTemporaryFolder } from '../servers/processes.js';
import { repositoryRoot } from '../system/harness.js';
import { startBailiwickProcess } from '../system/server-process.js';

/** Rows that count turns or failures of one process: each worker has its own (`docs/decisions/0015-gateway-workers.md`). */
const ofOneProcess = /^(?:limits: api-breaker|traffic: traffic-split)/;

describe.each([
  ['1', /^$/],
  ['2', ofOneProcess],
] as const)('a gateway process with BAILIWICK_WORKERS=%s', (workers, leftOut) => {
  it('keeps to every row of the suite that is not one process alone', async () => {
    const folder = await makeTemporaryFolder('conformance-url');
    const file = join(folder, 'apisix.yaml');
    writeFileSync(file, 'routes: [{id: a, uri: /x, upstream: {type: roundrobin, nodes: {}}}]\n#END\n');
    const standIns = await startStandIns();
    const gateway = await startBailiwickProcess({
      ...{ BAILIWICK_GATEWAY_FILE: file, BAILIWICK_WORKERS: workers, BAILIWICK_LOG_LEVEL: 'silent' },
      ...gatewayEnvironment,
    });
    try {
      const target = gatewayByUrl(gateway.url, file, () => standIns.upstream);
      const faults: string[] = [];
      let held = 0;
      for (const one of readCases(join(repositoryRoot, 'conformance', 'gateway', 'cases'))) {
        if (missingFor(one, standIns) !== undefined || leftOut.test(one.name)) continue;
        const found = await runCase(one, target, standIns);
        if (found.length === 0) held += 1;
        faults.push(...found.map((fault) => `${one.name}: ${fault}`));
      }
      console.log(`conformance by address, ${workers} worker(s): ${held} cases hold`);
      expect(faults).toEqual([]);
      expect(held).toBeGreaterThan(60);
    } finally {
      await gateway.dispose();
      await standIns.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }, 400_000);
});
