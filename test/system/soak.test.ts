/** The short form of `npm run bench -- soak`: a leak of a few hundred bytes a request shows within a minute. SOAK_SECONDS sets how long (60). */
import { describe, expect, it } from 'vitest';
import { runSoak } from '../../bench/soak/run-soak.js';
import { inMebibytes, judge, type Sample, slopeOf } from '../../bench/soak/trend.js';
import { repositoryRoot } from './harness.js';

const seconds = Number(process.env['SOAK_SECONDS'] ?? 60);
const mebibyte = 2 ** 20;

/** Samples every second of a heap that is 50 MiB, swings by 2 MiB and rises so many bytes a request at 200 requests a second. */
const heapRisingBy = (bytesPerRequest: number): readonly Sample[] =>
  Array.from({ length: 120 }, (_, second) => ({
    seconds: second,
    requests: second * 200,
    rss: 150 * mebibyte,
    heap: 50 * mebibyte + Math.sin(second * 7) * mebibyte + second * 200 * bytesPerRequest,
  }));

describe('the judge of growth', () => {
  it('finds the slope of a line', () => {
    expect(slopeOf([0, 1, 2, 3], [5, 7, 9, 11])).toBeCloseTo(2);
  });

  it('lets a heap swing that does not rise', () => {
    expect(judge(heapRisingBy(0)).faults).toEqual([]);
  });

  it('sees three hundred bytes a request within two minutes', () => {
    const { faults, bytesPerRequest } = judge(heapRisingBy(300));
    expect(faults).toHaveLength(1);
    expect(bytesPerRequest).toBeGreaterThan(290);
    expect(bytesPerRequest).toBeLessThan(310);
  });

  it('refuses to judge without samples', () => {
    expect(() => judge([])).toThrow(RangeError);
  });
});

it(
  `holds no more memory after ${seconds} s of mixed load, and answers everything as it must`,
  async () => {
    const run = await runSoak({ root: repositoryRoot, seconds, ratePerSecond: 250, sampleEverySeconds: 2 });
    const { heap, rss, bytesPerRequest, faults } = judge(run.samples);
    console.log(
      `soak: ${run.requests} requests, heap ${inMebibytes(heap.growth)} MiB (${bytesPerRequest.toFixed(0)} bytes a request), resident ${inMebibytes(rss.growth)} MiB`,
    );
    expect(run.examples).toEqual([]);
    expect(faults).toEqual([]);
  },
  seconds * 1_000 + 60_000,
);
