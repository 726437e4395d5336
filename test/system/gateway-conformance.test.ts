/** The gateway's conformance suite on the embedded gateway: one test a case. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingFor, readCases, runCase, type Target } from '../../conformance/gateway/runner.js';
import { type StandIns, startStandIns } from '../../conformance/gateway/stand-ins.js';
import { embeddedGateway } from '../../conformance/gateway/targets.js';
import { repositoryRoot } from './harness.js';

let standIns: StandIns;
let target: Target;
beforeAll(async () => {
  standIns = await startStandIns();
  target = await embeddedGateway();
});
afterAll(async () => {
  await target.stop();
  await standIns.stop();
});

describe('the embedded gateway, case by case', () => {
  const cases = readCases(join(repositoryRoot, 'conformance', 'gateway', 'cases'));
  for (const one of cases)
    it(one.name, async ({ skip }) => {
      skip(missingFor(one, standIns) !== undefined, missingFor(one, standIns));
      expect(await runCase(one, target, standIns)).toEqual([]);
    }, 40_000);
});
