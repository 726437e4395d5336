/**
 * Memory of the gateway under hours of mixed load: resident, and what is left of the heap after a forced collection. Fails when either rises
 * by more than the stated bound, or when an answer was not what it must be. `--minutes N` (60), `--rate N` requests a second (150).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawLines } from './plot-lines.js';
import { publish, round } from './report.js';
import { runSoak } from './soak/run-soak.js';
import { inMebibytes, judge, type Trend, warmUpShare } from './soak/trend.js';

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  if (!(value > 0)) {
    console.error(`--${name} needs a number above 0.`);
    process.exit(2);
  }
  return value;
}

const minutes = option('minutes', 60);
const rate = option('rate', 150);
const seconds = minutes * 60;
const run = await runSoak({
  root: process.cwd(),
  seconds,
  ratePerSecond: rate,
  sampleEverySeconds: Math.max(2, seconds / 120),
  onSample: ({ seconds: at, heap, rss, requests }) =>
    console.log(
      `${round(at / 60, 1)} min: heap ${inMebibytes(heap)} MiB, resident ${inMebibytes(rss)} MiB, ${requests} requests`,
    ),
});
const { heap, rss, bytesPerRequest, faults } = judge(run.samples);
const first = run.samples[0];
const last = run.samples.at(-1);
const row = (name: string, what: 'heap' | 'rss', trend: Trend): readonly (string | number)[] => [
  name,
  ...[first?.[what] ?? 0, last?.[what] ?? 0, trend.mean, trend.growth, trend.bound].map(inMebibytes),
];
publish({
  name: 'soak',
  command: `soak --minutes ${minutes} --rate ${rate}`,
  title: 'Memory under mixed load',
  about: `${run.requests} requests in ${minutes} minutes, ${run.byKind.size} kinds, ${run.faults} wrong answers; ${round(run.cpuPerRequest, 0)} µs CPU of the server a request over all kinds. Growth is the rise of the line of least squares after the first ${warmUpShare * 100} % of the run; MiB.`,
  columns: ['memory', 'first sample', 'last sample', 'mean', 'growth', 'bound'],
  rows: [row('heap and external, after a forced collection', 'heap', heap), row('resident', 'rss', rss)],
  notes: [
    `The heap's growth is ${round(bytesPerRequest, 1)} bytes a request.`,
    `The mix: ${[...run.byKind].map(([name, count]) => `${name} ${count}`).join(', ')}.`,
    ...run.examples.map((example) => `Wrong: ${example}`),
  ],
});
const points = (what: 'heap' | 'rss') =>
  run.samples.map((sample) => [sample.seconds / 60, inMebibytes(sample[what])] as const);
const folder = join(process.cwd(), 'bench', 'results');
writeFileSync(
  join(folder, 'soak.svg'),
  drawLines('Memory under mixed load', { x: 'minutes', y: 'MiB' }, [
    { name: 'resident', color: '#9aa0a6', points: points('rss') },
    { name: 'heap after a collection', color: '#1f6f54', points: points('heap') },
  ]),
);
for (const fault of faults) console.error(fault);
process.exitCode = faults.length > 0 || run.faults > 0 ? 1 : 0;
