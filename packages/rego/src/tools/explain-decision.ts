/** `explain`: why a document has its value: the rules asked, which held, and which expressions decided. */

import { walkBody } from '../compile/walk.js';
import type { Expression } from '../syntax/ast.js';
import { stringifyJson, type Value } from '../values/index.js';
import { runQuery } from './evaluate-query.js';
import { type OrderedJson, orderedJson, RegoJson } from './ordered-json.js';
import { type Probe, type RunOptions, Workbench, type WorkbenchOptions } from './workbench.js';

export interface ExplainedExpression {
  readonly text: string;
  readonly file: string;
  readonly row: number;
  readonly col: number;
  /** `true` when it held at least once. */
  readonly held: boolean;
  /** How often it was evaluated. */
  readonly times: number;
}

/** One definition of a rule that was tried. */
export interface ExplainedRule {
  readonly rule: string;
  readonly file: string;
  readonly row: number;
  readonly col: number;
  readonly isDefault: boolean;
  readonly held: boolean;
  readonly expressions: readonly ExplainedExpression[];
}

export interface Explained {
  /** One value an answer of the query. */
  readonly values: readonly Value[];
  /** In the order first tried. */
  readonly rules: readonly ExplainedRule[];
}

interface Tried {
  readonly first: Probe;
  held: boolean;
  readonly expressions: Map<string, ExplainedExpression & { held: boolean; times: number }>;
}

/** What a default rule has for a body stands at the word itself. */
const isDefaultBody = (probe: Probe, source: string | undefined): boolean =>
  source?.slice(probe.location.offset, probe.location.end) === 'default';

class Recorder {
  private readonly hits = new Map<Probe, number>();
  private readonly sources: ReadonlyMap<string, string>;
  private readonly whole = new Set<Expression['location']>();

  constructor(options: WorkbenchOptions) {
    this.sources = new Map(options.modules.map((module) => [module.file, module.source]));
    for (const { rules } of options.modules) {
      for (const rule of rules.flatMap((each) => [each, ...each.otherwise])) {
        walkBody(rule.body, { expression: ({ location }) => void this.whole.add(location) });
      }
    }
  }

  note(probe: Probe): void {
    this.hits.set(probe, (this.hits.get(probe) ?? 0) + 1);
  }

  rules(): readonly ExplainedRule[] {
    const tried = new Map<string, Tried>();
    for (const [probe, times] of this.hits) {
      const { head, rule } = probe;
      const id = `${rule}\u0000${head.file}\u0000${head.offset}`;
      let entry = tried.get(id);
      if (entry === undefined) {
        entry = { first: probe, held: false, expressions: new Map() };
        tried.set(id, entry);
      }
      if (probe.kind === 'exit') entry.held = true;
      else if (probe.expression !== undefined) this.expression(entry, probe, times);
    }
    return [...tried.values()].map(({ first, held, expressions }) => ({
      rule: first.rule,
      file: first.head.file,
      row: first.head.row,
      col: first.head.col,
      isDefault: isDefaultBody(first, this.sources.get(first.location.file)),
      held,
      expressions: [...expressions.values()],
    }));
  }

  /** Parts the compiler took out of an expression are told of as that expression. */
  private expression(entry: Tried, probe: Probe, times: number): void {
    const { location } = probe;
    const text = this.sources.get(location.file)?.slice(location.offset, location.end) ?? '';
    if (text === 'default' || text === 'else' || !this.isWritten(location)) return;
    const held = probe.next !== undefined && this.hits.has(probe.next);
    const id = `${location.offset}:${location.end}`;
    const known = entry.expressions.get(id);
    const { file, row, col } = location;
    entry.expressions.set(id, { text, file, row, col, held: held || known?.held === true, times });
  }

  private isWritten(location: Expression['location']): boolean {
    for (const each of this.whole) {
      if (each.file === location.file && each.offset === location.offset && each.end === location.end) return true;
    }
    return false;
  }
}

/** Explains a query, mostly a path such as `data.a.allow`. Errors: `RegoErrors`, `RegoEvaluationError`. */
export function explainQuery(query: string, options: WorkbenchOptions & RunOptions): Explained {
  const recorder = new Recorder(options);
  const bench = new Workbench({ ...options, observed: true });
  bench.reached = (probe) => recorder.note(probe);
  const results = runQuery(bench, query, options);
  const values = results.map(({ expressions }) => expressions.at(-1)?.value ?? true);
  return { values, rules: recorder.rules() };
}

export function explanationJson({ values, rules }: Explained): string {
  return orderedJson({
    values: values.map((value) => new RegoJson(value)),
    rules: rules.map(
      ({ rule, file, row, col, isDefault, held, expressions }): OrderedJson => ({
        rule,
        location: { file, row, col },
        default: isDefault || undefined,
        held,
        expressions: expressions.map((each) => ({
          text: each.text,
          location: { file: each.file, row: each.row, col: each.col },
          held: each.held,
          times: each.times,
        })),
      }),
    ),
  });
}

/** The explanation for people: ✓ held, ✗ did not. */
export function prettyExplanation(query: string, { values, rules }: Explained): string {
  const shown = values.length === 0 ? 'undefined' : values.map((value) => stringifyJson(value)).join(', ');
  const lines = [`${query} is ${shown}`];
  for (const { rule, file, row, isDefault, held, expressions } of rules) {
    lines.push('', `${held ? '✓' : '✗'} ${isDefault ? 'default ' : ''}${rule}  (${file}:${row})`);
    for (const each of expressions) {
      const often = each.times > 1 ? `  [${each.times} times]` : '';
      const text = each.text.replace(/\s*\n\s*/g, ' ');
      lines.push(`    ${each.held ? '✓' : '✗'} ${each.row}: ${text}${often}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
