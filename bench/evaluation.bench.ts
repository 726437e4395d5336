/** One evaluation of a flag: our closures, flagd-core, unleash-client and GrowthBook side by side in one run; and one look into 10,000 entries. */
import { type ConfigEntry, compileConfig } from '@bailiwick/evaluation';
import { contenders, flagKeys, people } from '../packages/evaluation/bench/peers.js';
import { publish, round } from './report.js';

type Call = (turn: number) => boolean;

/**
 * Nanoseconds a call of each: the best of many short runs (about 20 ms), taken in turn, so that whatever else the
 * machine does meets all of them alike. What was on is counted, so that nothing can be left out.
 */
function nanoseconds(calls: readonly Call[]): number[] {
  let held = 0;
  const run = (call: Call, count: number): number => {
    const started = process.hrtime.bigint();
    for (let turn = 0; turn < count; turn += 1) if (call(turn)) held += 1;
    return Number(process.hrtime.bigint() - started) / count;
  };
  const counts = calls.map((call) => {
    run(call, 100_000);
    return Math.max(10_000, Math.ceil(2e7 / run(call, 50_000)));
  });
  const best = calls.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 60; round += 1) {
    for (const [index, call] of calls.entries())
      best[index] = Math.min(best[index] as number, run(call, counts[index] as number));
  }
  if (held === 0) throw new Error('nothing was ever on: this measured nothing');
  return best;
}

/** The same people and flags in the same order for all: keys and people are drawn beforehand. */
const TURNS = 8192;
const keys = Array.from({ length: TURNS }, (_one, turn) => flagKeys[(turn * 37) % flagKeys.length] as string);
const persons = Array.from({ length: TURNS }, (_one, turn) => (turn * 613) % people.length);

const racers = contenders();
const answersOf = (name: string): boolean[] => {
  const racer = racers.find((one) => one.name.startsWith(name));
  return keys.map((key, turn) => racer?.evaluate(key, persons[turn] as number) ?? false);
};
for (const [own, peer] of [
  ['Bailiwick', 'flagd-core'],
  ['Bailiwick, Unleash', 'unleash-client'],
] as const) {
  if (answersOf(own).join() !== answersOf(peer).join()) throw new Error(`${own} and ${peer} answer differently`);
}

const rows: (string | number)[][] = [];
const calls = racers.map(
  ({ evaluate }): Call =>
    (turn) =>
      evaluate(keys[turn & (TURNS - 1)] as string, persons[turn & (TURNS - 1)] as number),
);
const figures = nanoseconds(calls).map((ns, index) => ({ name: racers[index]?.name ?? '', ns }));
const ours = figures[0]?.ns ?? Number.NaN;
for (const { name, ns } of figures) rows.push([name, round(ns, 1), `${round(ns / ours, 1)}×`]);

const entries: ConfigEntry[] = Array.from({ length: 10_000 }, (_one, index) => {
  const key = `service-${index % 100}.setting-${Math.floor(index / 100)}`;
  const value = index % 10 === 0 ? `\${service-${(index + 1) % 100}.setting-${Math.floor(index / 100)}}` : index;
  return { key, value, ...(index % 3 === 0 ? { appId: 'shop' } : {}) };
});
const startedAt = process.hrtime.bigint();
const snapshot = compileConfig(entries, { appId: 'shop', environment: 'production' });
const compiledMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
if (snapshot.faults.length > 0) throw new Error(`the entries have ${snapshot.faults.length} faults`);
const drawn = Array.from({ length: TURNS }, (_one, turn) => entries[(turn * 7919) % entries.length]?.key ?? '');
const [getNs = Number.NaN] = nanoseconds([(turn) => snapshot.get(drawn[turn & (TURNS - 1)] as string) !== undefined]);

const peers = figures.filter(({ name }) => !name.startsWith('Bailiwick'));
const next = peers.reduce((best, one) => (one.ns < best.ns ? one : best));
publish({
  name: 'evaluation',
  title: 'Evaluation: our closures and their peers',
  about:
    'Time of one evaluation in ns, best of 60 short runs taken in turn in one process: 100 flags, each a segment with two constraints and then half by bucket, asked for 1,000 people in turn. Our answers equal those of flagd-core, and those of our Unleash import unleash-client’s, for every pair.',
  columns: ['evaluator', 'ns an evaluation', 'beside ours'],
  rows,
  notes: [
    `The next, ${next.name}, takes ${round(next.ns / ours, 1)} times as long.`,
    `Effective configuration: one \`get\` among 10,000 entries takes ${round(getNs, 1)} ns; compiling them (${compiledMs > 0 ? round(compiledMs, 0) : 0} ms) resolves 1,000 references.`,
  ],
  plot: {
    title: 'One evaluation of a flag',
    unit: 'ns',
    labels: figures.map(({ name }) => name),
    series: [{ name: 'ns an evaluation', color: '#1f6f54', values: figures.map(({ ns }) => round(ns, 1)) }],
  },
});
