/** Random programs on a real OPA and on our engine: a few that are always the same, and a few that never are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFound, fuzz } from '../../packages/rego/fuzz/run.js';
import { isOpaInstalled, type OpaServer, opaCommand, startOpa } from '../servers/opa.js';

const randomSeed = Math.floor(Math.random() * 1_000_000_000);

describe.skipIf(!isOpaInstalled())('random programs', () => {
  let v0: OpaServer;
  let v1: OpaServer;
  beforeAll(async () => {
    [v0, v1] = await Promise.all([startOpa(['--v0-compatible']), startOpa(['--v1-compatible'])]);
  });
  afterAll(async () => {
    await Promise.all([v0.stop(), v1.stop()]);
  });

  it.each([
    ['a fixed', 1],
    ['a random', randomSeed],
  ])('mean the same to a real OPA and to us, from %s seed (%d)', { timeout: 180_000 }, async (_, seed) => {
    const peers = [{ v0: v0.url, v1: v1.url }];
    const report = await fuzz({ programs: 150, seed, peers, command: opaCommand(), maxDifferences: 3 });
    expect(report.found.map(describeFound)).toEqual([]);
    expect(report.programs).toBe(150);
    expect(report.compiled).toBeGreaterThan(30);
  });
});
