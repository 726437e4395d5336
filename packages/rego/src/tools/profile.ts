/**
 * Where the time of an evaluation goes, line by line, as `opa eval --profile` counts it: the time from one expression to the next
 * belongs to the first; an expression that held is met again on the way back.
 */
import type { Location } from '../syntax/ast.js';
import type { OrderedJson } from './ordered-json.js';
import { drawTable } from './table.js';
import { formatDuration } from './test-report.js';
import type { Probe } from './workbench.js';

export interface LineProfile {
  readonly timeNs: number;
  /** How often its expressions were evaluated. */
  readonly evaluations: number;
  /** How often they held. */
  readonly redos: number;
  /** Different expressions on the line. */
  readonly expressions: number;
  readonly location: Location;
  readonly text: string;
}

interface Line {
  timeNs: number;
  evaluations: number;
  redos: number;
  readonly expressions: Set<number>;
  readonly location: Location;
}

/** What a query's other expressions are checked with is none of its own. */
const isOwn = ({ rule, expression }: Probe): boolean => rule === '' && expression?.generated === true;

/** Notes the probes passed; times come from the clock given, in milliseconds with fractions. */
export class Profiler {
  private readonly lines = new Map<string, Line>();
  private readonly now: () => number;
  private current: Line | undefined;
  private since = 0;
  /** The line before each probe. */
  private readonly before = new Map<Probe, Line>();

  constructor(now: () => number) {
    this.now = now;
  }

  reached(probe: Probe): void {
    const time = this.now();
    this.spend(time);
    const previous = this.before.get(probe);
    if (previous !== undefined) previous.redos += 1;
    if (probe.kind !== 'expression' || isOwn(probe)) return;
    const line = this.lineOf(probe.location);
    line.evaluations += 1;
    line.expressions.add(probe.location.offset);
    if (probe.next !== undefined) this.before.set(probe.next, line);
    this.current = line;
  }

  /** To be called when the evaluation is over. */
  finish(sources: ReadonlyMap<string, string>): readonly LineProfile[] {
    this.spend(this.now());
    this.current = undefined;
    return [...this.lines.values()].map(({ location, expressions, timeNs, evaluations, redos }) => ({
      timeNs: Math.round(timeNs),
      evaluations,
      redos,
      expressions: expressions.size,
      location,
      text: sources.get(location.file)?.slice(location.offset, location.end) ?? '',
    }));
  }

  private spend(time: number): void {
    if (this.current !== undefined) this.current.timeNs += (time - this.since) * 1e6;
    this.since = time;
  }

  private lineOf(location: Location): Line {
    const key = `${location.row}:${location.file}`;
    let line = this.lines.get(key);
    if (line === undefined) {
      line = { timeNs: 0, evaluations: 0, redos: 0, expressions: new Set(), location };
      this.lines.set(key, line);
    }
    return line;
  }
}

type Order = (a: LineProfile, b: LineProfile) => number;

/** By name, as OPA names them; each from the highest, also places. */
export const PROFILE_ORDERS = {
  total_time_ns: (a, b) => b.timeNs - a.timeNs,
  num_eval: (a, b) => b.evaluations - a.evaluations,
  num_redo: (a, b) => b.redos - a.redos,
  num_gen_expr: (a, b) => b.expressions - a.expressions,
  file: (a, b) => (a.location.file > b.location.file ? -1 : Number(a.location.file < b.location.file)),
  line: (a, b) => b.location.row - a.location.row,
} as const satisfies Readonly<Record<string, Order>>;

export type ProfileOrder = keyof typeof PROFILE_ORDERS;

/** The first `limit` lines; what the orders given leave open the others decide. */
export function sortProfile(
  lines: readonly LineProfile[],
  orders: readonly ProfileOrder[],
  limit: number,
): readonly LineProfile[] {
  const all = [...orders.map((name) => PROFILE_ORDERS[name]), ...Object.values(PROFILE_ORDERS)];
  const sorted = [...lines].sort((a, b) => {
    for (const order of all) {
      const by = order(a, b);
      if (by !== 0) return by;
    }
    return 0;
  });
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}

export function profileDocument(lines: readonly LineProfile[]): OrderedJson {
  return lines.map(({ timeNs, evaluations, redos, expressions, location: { file, row, col } }) => ({
    total_time_ns: timeNs,
    num_eval: evaluations,
    num_redo: redos,
    num_gen_expr: expressions,
    location: { file, row, col },
  }));
}

export function prettyProfile(lines: readonly LineProfile[]): string {
  const rows = lines.map(({ timeNs, evaluations, redos, expressions, location, text }) => [
    formatDuration(timeNs),
    ...[evaluations, redos, expressions].map(String),
    location.file === '' ? text : `${location.file}:${location.row}`,
  ]);
  const header = ['Time', 'Num Eval', 'Num Redo', 'Num Gen Expr', 'Location'];
  return rows.length === 0 ? '' : drawTable(rows, { header });
}

/** Timers by name, in nanoseconds: `timer_rego_query_eval_ns`. */
export type Metrics = Readonly<Record<string, number>>;

/** Adds up times by name. */
export class Stopwatch {
  private readonly times = new Map<string, number>();
  private readonly now: () => number;

  /** `now`: milliseconds, with fractions. */
  constructor(now: () => number) {
    this.now = now;
  }

  time<T>(name: string, action: () => T): T {
    const start = this.now();
    try {
      return action();
    } finally {
      this.times.set(name, (this.times.get(name) ?? 0) + (this.now() - start) * 1e6);
    }
  }

  /** Sorted by name. */
  metrics(): Metrics {
    const entries = [...this.times].map(([name, ns]) => [`timer_rego_${name}_ns`, Math.round(ns)] as const);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

export function prettyMetrics(metrics: Metrics): string {
  const rows = Object.entries(metrics).map(([name, value]) => [name, String(value)]);
  return rows.length === 0 ? '' : drawTable(rows, { header: ['Metric', 'Value'] });
}
