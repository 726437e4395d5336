/** `bench`: how long a query takes, in the shape of Go's benchmark results as `opa bench` gives them. */

import { compile } from '../policy.js';
import type { Module } from '../syntax/ast.js';
import { parseQuery } from '../syntax/parser.js';
import type { Value } from '../values/index.js';
import { orderedJson } from './ordered-json.js';
import { drawTable } from './table.js';

export interface BenchmarkOptions {
  readonly modules: readonly Module[];
  readonly data?: Value;
  readonly input?: Value | undefined;
  /** How long to measure; default one second. */
  readonly durationMs?: number;
  /** Milliseconds, with fractions. */
  readonly now: () => number;
}

export interface BenchmarkResult {
  readonly samples: number;
  readonly totalNs: number;
  /** By name, as OPA names them: `histogram_timer_rego_query_eval_ns_99%`. */
  readonly histogram: Readonly<Record<string, number>>;
}

const PREFIX = 'histogram_timer_rego_query_eval_ns_';
const WARM_UP_MS = 200;
/** Timings kept; beyond, every other one is dropped. */
const MAX_TIMINGS = 200_000;

function quantile(sorted: Float64Array, fraction: number): number {
  const position = fraction * (sorted.length - 1);
  const below = Math.floor(position);
  const [low, high] = [sorted[below] ?? 0, sorted[Math.min(below + 1, sorted.length - 1)] ?? 0];
  return low + (high - low) * (position - below);
}

function histogramOf(timings: readonly number[]): Readonly<Record<string, number>> {
  const sorted = Float64Array.from(timings).sort();
  const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length;
  const variance = sorted.reduce((sum, each) => sum + (each - mean) ** 2, 0) / sorted.length;
  const values: Record<string, number> = {};
  for (const percent of [75, 90, 95, 99, 99.9, 99.99]) values[`${PREFIX}${percent}%`] = quantile(sorted, percent / 100);
  values[`${PREFIX}count`] = sorted.length;
  values[`${PREFIX}max`] = sorted.at(-1) ?? 0;
  values[`${PREFIX}mean`] = mean;
  values[`${PREFIX}median`] = quantile(sorted, 0.5);
  values[`${PREFIX}min`] = sorted[0] ?? 0;
  values[`${PREFIX}stddev`] = Math.sqrt(variance);
  return values;
}

/** Errors: `RegoErrors`, `RegoEvaluationError`; `Error` when the query has no answer. */
export function benchmark(query: string, options: BenchmarkOptions): BenchmarkResult {
  const { modules, data = {}, input, now, durationMs = 1000 } = options;
  parseQuery(query);
  const policy = compile({
    modules: modules.map((module) => ({ name: module.file, text: module.source, version: module.version })),
    data,
  });
  const isPath = /^data(\.[A-Za-z_]\w*|\["[^"\\]*"\])*$/.test(query);
  const prepared = isPath ? policy.prepare(query) : undefined;
  const run =
    prepared === undefined ? () => policy.query(query, input).length > 0 : () => prepared(input) !== undefined;
  if (!run()) throw new Error('undefined result');
  const warmUntil = now() + Math.min(WARM_UP_MS, durationMs);
  while (now() < warmUntil) run();
  let timings: number[] = [];
  let [samples, keepEvery] = [0, 1];
  const start = now();
  let before = start;
  while (before - start < durationMs) {
    run();
    const after = now();
    if (samples % keepEvery === 0) timings.push((after - before) * 1e6);
    samples += 1;
    if (timings.length >= MAX_TIMINGS) {
      timings = timings.filter((_, index) => index % 2 === 0);
      keepEvery *= 2;
    }
    before = after;
  }
  return { samples, totalNs: Math.round((before - start) * 1e6), histogram: histogramOf(timings) };
}

export function benchmarkJson({ samples, totalNs, histogram }: BenchmarkResult): string {
  return orderedJson({ N: samples, T: totalNs, Bytes: 0, MemAllocs: 0, MemBytes: 0, Extra: histogram });
}

/** As Go's benchmarks print numbers: fewer decimals the larger. */
function formatNumber(value: number): string {
  const size = Math.abs(value);
  const decimals = size === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
  return value.toFixed(decimals);
}

export function prettyBenchmark({ samples, totalNs, histogram }: BenchmarkResult): string {
  const rows = [
    ['samples', String(samples)],
    ['ns/op', formatNumber(totalNs / samples)],
    ...Object.entries(histogram).map(([name, value]) => [name, formatNumber(value)]),
  ];
  return drawTable(rows, { align: ['left', 'right'] });
}

/** The decimals and the width Go's benchmarks give a number of that size. */
export function padNumber(value: number): string {
  const size = Math.abs(value);
  const decimals = size === 0 || size >= 999.95 ? 0 : size >= 99.995 ? 1 : size >= 9.9995 ? 2 : size >= 0.99995 ? 3 : 4;
  return value.toFixed(decimals).padStart(decimals === 0 ? 10 : 11 + decimals);
}

/** A line of Go's benchmark format, without what Node does not count (bytes and allocations). */
export function goBenchmark({ samples, totalNs, histogram }: BenchmarkResult): string {
  const parts = Object.keys(histogram)
    .sort()
    .map((name) => `${padNumber(histogram[name] ?? 0)} ${name}`);
  return `${['BenchmarkOPAEval', String(samples).padStart(8), `${padNumber(totalNs / samples)} ns/op`, ...parts].join('\t')}\n`;
}
