/** Coverage: which heads and expressions of which files were evaluated, as `opa test --coverage` counts it. */
import { walkBody, walkTerm } from '../compile/walk.js';
import type { Expression, Head, Location, Module, Rule } from '../syntax/ast.js';
import { type OrderedJson, orderedJson } from './ordered-json.js';
import { headLocation } from './workbench.js';

export interface Position {
  readonly row: number;
  readonly col: number;
}

/** From `start` to just before `end`. */
export interface Range {
  readonly start: Position;
  readonly end: Position;
}

export interface FileCoverage {
  readonly covered: readonly Range[];
  readonly notCovered: readonly Range[];
  readonly coveredLines: number;
  readonly notCoveredLines: number;
  /** Percent. */
  readonly coverage: number;
}

export interface CoverageReport {
  /** Sorted by file name. */
  readonly files: ReadonlyMap<string, FileCoverage>;
  readonly coveredLines: number;
  readonly notCoveredLines: number;
  /** Percent. */
  readonly coverage: number;
}

function rangeOf({ row, col, offset, end }: Location, source: string): Range {
  const text = source.slice(offset, end);
  const lines = text.split('\n');
  const last = [...(lines.at(-1) ?? '')].length;
  return {
    start: { row, col },
    end: lines.length === 1 ? { row, col: col + last } : { row: row + lines.length - 1, col: last + 1 },
  };
}

const comparePositions = (a: Position, b: Position): number => a.row - b.row || a.col - b.col;
const compareRanges = (a: Range, b: Range): number =>
  comparePositions(a.start, b.start) || comparePositions(a.end, b.end);
const contains = (outer: Range, inner: Range): boolean =>
  comparePositions(outer.start, inner.start) <= 0 && comparePositions(inner.end, outer.end) <= 0;

class RangeSet {
  private readonly ranges = new Map<string, Range>();

  add(range: Range): void {
    this.ranges.set(`${range.start.row}:${range.start.col}:${range.end.row}:${range.end.col}`, range);
  }

  sorted(): readonly Range[] {
    return [...this.ranges.values()].sort(compareRanges);
  }
}

function rowsOf(ranges: readonly Range[]): ReadonlySet<number> {
  const rows = new Set<number>();
  for (const { start, end } of ranges) for (let row = start.row; row <= end.row; row++) rows.add(row);
  return rows;
}

/** Every place that counts: heads, and expressions but `some` declarations. */
function* countedPlaces(module: Module): Generator<Location> {
  for (const rule of module.rules) {
    for (const branch of [rule, ...rule.otherwise]) {
      yield headLocation(branch.head);
      yield* expressionPlaces(branch);
    }
  }
}

function expressionPlaces(rule: Rule): readonly Location[] {
  const places: Location[] = [];
  const visitor = {
    expression: (expression: Expression): undefined => {
      if (expression.kind !== 'some') places.push(expression.location);
    },
  };
  const { key, value, args = [] }: Head = rule.head;
  for (const term of [...args, key, value]) if (term !== undefined) walkTerm(term, visitor);
  if (!rule.generatedBody || rule.default) walkBody(rule.body, visitor);
  return places;
}

const percent = (covered: number, not: number): number => (covered + not === 0 ? 0 : (100 * covered) / (covered + not));

/** `covered`: the places evaluated, each with its file. */
export function coverageReport(modules: readonly Module[], covered: Iterable<Location>): CoverageReport {
  const byFile = new Map<string, RangeSet>();
  const sources = new Map(modules.map((module) => [module.file, module.source]));
  for (const location of covered) {
    const source = sources.get(location.file);
    if (source === undefined) continue;
    const ranges = byFile.get(location.file) ?? new RangeSet();
    byFile.set(location.file, ranges);
    ranges.add(rangeOf(location, source));
  }
  const files = new Map<string, FileCoverage>();
  for (const module of [...modules].sort((a, b) => (a.file < b.file ? -1 : 1))) {
    const done = byFile.get(module.file)?.sorted() ?? [];
    const missing = new RangeSet();
    for (const place of countedPlaces(module)) {
      const range = rangeOf(place, module.source);
      if (!done.some((each) => contains(each, range))) missing.add(range);
    }
    const notCovered = missing.sorted();
    const [coveredLines, notCoveredLines] = [rowsOf(done).size, rowsOf(notCovered).size];
    const coverage = percent(coveredLines, notCoveredLines);
    files.set(module.file, { covered: done, notCovered, coveredLines, notCoveredLines, coverage });
  }
  const all = [...files.values()];
  const coveredLines = all.reduce((sum, file) => sum + file.coveredLines, 0);
  const notCoveredLines = all.reduce((sum, file) => sum + file.notCoveredLines, 0);
  return { files, coveredLines, notCoveredLines, coverage: percent(coveredLines, notCoveredLines) };
}

const rangesJson = (ranges: readonly Range[]): OrderedJson | undefined =>
  ranges.length === 0
    ? undefined
    : ranges.map(({ start, end }) => ({
        start: { row: start.row, col: start.col },
        end: { row: end.row, col: end.col },
      }));

const unlessZero = (number: number): number | undefined => (number === 0 ? undefined : number);

export function coverageDocument(report: CoverageReport): OrderedJson {
  const files = [...report.files].map(([name, file]) => [
    name,
    {
      covered: rangesJson(file.covered),
      not_covered: rangesJson(file.notCovered),
      covered_lines: unlessZero(file.coveredLines),
      not_covered_lines: unlessZero(file.notCoveredLines),
      coverage: unlessZero(file.coverage),
    },
  ]);
  return {
    files: Object.fromEntries(files) as OrderedJson,
    covered_lines: report.coveredLines,
    not_covered_lines: report.notCoveredLines,
    coverage: report.coverage,
  };
}

/** The report as `opa test --coverage` writes it. */
export const coverageJson = (report: CoverageReport): string => orderedJson(coverageDocument(report));

function spans(rows: ReadonlySet<number>): readonly string[] {
  const texts: string[] = [];
  const sorted = [...rows].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; ) {
    let last = i;
    while (sorted[last + 1] === (sorted[last] as number) + 1) last += 1;
    texts.push(last === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[last]}`);
    i = last + 1;
  }
  return texts;
}

/** What OPA says when less is covered than asked; `verbose` lists the lines. */
export function thresholdMessage(report: CoverageReport, threshold: number, verbose: boolean): string | undefined {
  if (report.coverage >= threshold) return undefined;
  let text = `Code coverage threshold not met: got ${report.coverage.toFixed(2)} instead of ${threshold.toFixed(2)}`;
  if (!verbose) return text;
  text += '\nLines not covered:';
  for (const [file, { notCovered }] of report.files) {
    for (const span of spans(rowsOf(notCovered))) text += `\n\t${file}:${span}`;
  }
  return text;
}
