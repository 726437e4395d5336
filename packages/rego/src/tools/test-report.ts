/** The results of tests as `opa test` prints them, for people and as JSON. */
import { type OrderedJson, orderedJson } from './ordered-json.js';
import type { CaseResult, TestResult } from './test-runner.js';

const LABELS = { pass: 'PASS', fail: 'FAIL', skip: 'SKIPPED', error: 'ERROR' } as const;
const RULE = '-'.repeat(80);

/** As Go prints durations: `1.5ms`, `2m3.5s`. */
export function formatDuration(ns: number): string {
  const trim = (value: number, digits: number): string => String(Number(value.toFixed(digits)));
  if (ns === 0) return '0s';
  if (ns < 1e3) return `${Math.round(ns)}ns`;
  if (ns < 1e6) return `${trim(ns / 1e3, 3)}µs`;
  if (ns < 1e9) return `${trim(ns / 1e6, 6)}ms`;
  const minutes = Math.floor(ns / 6e10);
  const seconds = `${trim((ns - minutes * 6e10) / 1e9, 9)}s`;
  return minutes === 0 ? seconds : `${minutes}m${seconds}`;
}

function title(result: TestResult): string {
  const label = `${result.package}.${result.name}: ${LABELS[result.outcome]}`;
  return result.outcome === 'skip' ? label : `${label} (${formatDuration(result.durationNs)})`;
}

function* caseLines(cases: readonly CaseResult[], depth: number, verbose: boolean): Generator<string> {
  for (const { name, fail, cases: inner } of cases) {
    if (fail || verbose) yield `${'  '.repeat(depth)}  ${name}: ${fail ? 'FAIL' : 'PASS'}`;
    yield* caseLines(inner, depth + 1, verbose);
  }
}

function leaves(cases: readonly CaseResult[]): readonly CaseResult[] {
  return cases.flatMap((each) => (each.cases.length === 0 ? [each] : leaves(each.cases)));
}

interface Counts {
  pass: number;
  fail: number;
  skip: number;
  error: number;
}

function count(results: readonly TestResult[]): Counts {
  const counts: Counts = { pass: 0, fail: 0, skip: 0, error: 0 };
  for (const { outcome, cases } of results) {
    if (cases.length === 0 || outcome === 'error') counts[outcome] += 1;
    else for (const leaf of leaves(cases)) counts[leaf.fail ? 'fail' : 'pass'] += 1;
  }
  return counts;
}

const indent = (text: string, by = '  '): string => text.replace(/^/gm, by);

function failureLines(result: TestResult): readonly string[] {
  const lines = [title(result), ''];
  for (const { rule, location, text } of result.failed) {
    lines.push(`  ${location.file}:${location.row}: ${rule}`, indent(text, '    '));
  }
  if (result.cases.length > 0) lines.push('', ...caseLines(result.cases, 0, false));
  return [...lines, ''];
}

function resultLines(result: TestResult, lastFile: string, verbose: boolean): readonly string[] {
  const { location, cases, output, error } = result;
  const lines: string[] = [];
  if (lastFile !== '' && lastFile !== location.file) lines.push('');
  lines.push(`${location.file}:${location.row}:`, title(result), ...caseLines(cases, 0, verbose));
  if (output.trim() !== '') lines.push('', indent(output.trim()), '');
  if (error !== undefined) lines.push(`  ${error.message}`);
  return lines;
}

/** The report for people; `verbose` also shows what passed and where failures came from. */
export function prettyTestReport(results: readonly TestResult[], verbose: boolean): string {
  const lines: string[] = [];
  let lastFile = '';
  for (const result of results) {
    if (!verbose && result.outcome === 'pass') continue;
    lines.push(...resultLines(result, lastFile, verbose));
    lastFile = result.location.file;
  }
  const isDirty = lines.length > 0;
  const failures = results.filter(({ outcome }) => outcome === 'fail');
  if (verbose && failures.length > 0) lines.push(RULE, 'FAILURES', RULE, ...failures.flatMap(failureLines));
  if (isDirty) lines.push(RULE);
  const counts = count(results);
  const total = counts.pass + counts.fail + counts.skip + counts.error;
  for (const key of ['pass', 'fail', 'skip', 'error'] as const) {
    if (counts[key] !== 0) lines.push(`${LABELS[key]}: ${counts[key]}/${total}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function base64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

const place = ({ file, row, col }: TestResult['location']): OrderedJson => ({ file, row, col });

function casesJson(cases: readonly CaseResult[]): OrderedJson | undefined {
  if (cases.length === 0) return undefined;
  const entries = cases.map((each) => [
    each.name,
    { name: each.name, fail: each.fail || undefined, sub_results: casesJson(each.cases) },
  ]);
  return Object.fromEntries(entries) as OrderedJson;
}

/** A result as OPA writes it as JSON. */
export function resultJson(result: TestResult): OrderedJson {
  const { error, output } = result;
  return {
    location: place(result.location),
    package: result.package,
    name: result.name,
    fail: result.outcome === 'fail' || undefined,
    error: error && {
      code: error.code,
      message: error.reason,
      location: error.location && { file: error.location.file, row: error.location.row, col: error.location.col },
    },
    skip: result.outcome === 'skip' || undefined,
    duration: result.durationNs,
    output: output === '' ? undefined : base64(output),
    sub_results: casesJson(result.cases),
  };
}

export function testReportJson(results: readonly TestResult[]): string {
  return orderedJson(results.map(resultJson));
}
