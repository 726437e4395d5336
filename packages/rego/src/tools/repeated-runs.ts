/** `eval --count`: what the times of several evaluations come to, as OPA's histograms have it. */
import { formatFloat } from '../builtins/go-float.js';
import type { OrderedJson } from './ordered-json.js';
import type { LineProfile, Metrics } from './profile.js';
import { drawTable } from './table.js';
import { formatDuration } from './test-report.js';

/** In the unit of the values. */
export interface Statistics {
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly median: number;
  readonly stddev: number;
  /** By name, `99.9%`. */
  readonly percentiles: Readonly<Record<string, number>>;
}

export interface RepeatedLine extends Omit<LineProfile, 'timeNs'> {
  readonly times: Statistics;
}

const PERCENTS = [75, 90, 95, 99, 99.9, 99.99] as const;
const SHOWN = ['Min', 'Max', 'Mean', '90%', '99%'];

/** The value at a fraction of the way through, between its two neighbours; of few values mostly the last. */
function percentile(sorted: readonly number[], fraction: number): number {
  const position = fraction * (sorted.length + 1);
  const [first = 0, last = first] = [sorted[0], sorted.at(-1)];
  if (position < 1) return first;
  if (position >= sorted.length) return last;
  const below = Math.floor(position);
  const [low, high] = [sorted[below - 1] ?? 0, sorted[below] ?? 0];
  return low + (position - below) * (high - low);
}

/** Of at least one value. */
export function statisticsOf(values: readonly number[]): Statistics {
  const sorted = [...values].sort((a, b) => a - b);
  const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length;
  const variance = sorted.reduce((sum, each) => sum + (each - mean) ** 2, 0) / sorted.length;
  return {
    count: sorted.length,
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    mean,
    median: percentile(sorted, 0.5),
    stddev: Math.sqrt(variance),
    percentiles: Object.fromEntries(PERCENTS.map((each) => [`${each}%`, percentile(sorted, each / 100)])),
  };
}

/** By the names of the first run. */
export function repeatedMetrics(runs: readonly Metrics[]): Readonly<Record<string, Statistics>> {
  const names = Object.keys(runs[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, statisticsOf(runs.map((run) => run[name] ?? 0))]));
}

/** The lines of the first run, which every run has. */
export function repeatedProfile(runs: readonly (readonly LineProfile[])[]): readonly RepeatedLine[] {
  const keyOf = ({ location: { file, row } }: LineProfile): string => `${row}:${file}`;
  const times = new Map<string, number[]>();
  for (const line of runs.flat()) times.set(keyOf(line), [...(times.get(keyOf(line)) ?? []), line.timeNs]);
  return (runs[0] ?? []).map((line) => ({ ...line, times: statisticsOf(times.get(keyOf(line)) ?? [line.timeNs]) }));
}

function statisticsDocument({ percentiles, ...rest }: Statistics): OrderedJson {
  const { count, max, mean, median, min, stddev } = rest;
  return { ...percentiles, count, max, mean, median, min, stddev };
}

export const repeatedMetricsDocument = (metrics: Readonly<Record<string, Statistics>>): OrderedJson =>
  Object.fromEntries(Object.entries(metrics).map(([name, statistics]) => [name, statisticsDocument(statistics)]));

export const repeatedProfileDocument = (lines: readonly RepeatedLine[]): OrderedJson =>
  lines.map(({ times, evaluations, redos, expressions, location: { file, row, col } }) => ({
    total_time_ns_stats: statisticsDocument(times),
    num_eval: evaluations,
    num_redo: redos,
    num_gen_expr: expressions,
    location: { file, row, col },
  }));

const shown = ({ min, max, mean, percentiles }: Statistics): readonly number[] => [
  min,
  max,
  mean,
  percentiles['90%'] ?? max,
  percentiles['99%'] ?? max,
];

const asGoFloat = (value: number): string => formatFloat(value, { verb: 'g', precision: -1 });

export function prettyRepeatedMetrics(metrics: Readonly<Record<string, Statistics>>): string {
  const rows = Object.entries(metrics).map(([name, statistics]) => [
    name,
    ...shown(statistics).map((value, index) => (index < 2 ? String(value) : asGoFloat(value))),
  ]);
  return rows.length === 0 ? '' : drawTable(rows, { header: ['Metric', ...SHOWN] });
}

export function prettyRepeatedProfile(lines: readonly RepeatedLine[]): string {
  const rows = lines.map(({ times, evaluations, redos, expressions, location, text }) => [
    ...shown(times).map((value) => formatDuration(Math.trunc(value))),
    ...[evaluations, redos, expressions].map(String),
    location.file === '' ? text : `${location.file}:${location.row}`,
  ]);
  const header = [...SHOWN, 'Num Eval', 'Num Redo', 'Num Gen Expr', 'Location'];
  return rows.length === 0 ? '' : drawTable(rows, { header });
}
