/**
 * The linter: rules over the syntax tree of one file at a time, each an entry of a table. A comment
 * `# lint ignore:name` (or Regal's `# regal ignore:name`) on the line or the one above silences it.
 */
import type { Module } from '../syntax/ast.js';
import { BUG_RULES } from './lint/bug-rules.js';
import { IDIOMATIC_RULES } from './lint/idiomatic-rules.js';
import { type LintCategory, LintFile, type LintRule } from './lint/lint-rule.js';
import { PERFORMANCE_RULES } from './lint/performance-rules.js';
import { STYLE_RULES } from './lint/style-rules.js';
import { orderedJson } from './ordered-json.js';

/** All rules, the gravest first. */
export const LINT_RULES: readonly LintRule[] = [...BUG_RULES, ...PERFORMANCE_RULES, ...IDIOMATIC_RULES, ...STYLE_RULES];

export interface Violation {
  readonly rule: string;
  readonly category: LintCategory;
  /** The rule's sentence. */
  readonly text: string;
  /** What it is about here: a name, or what to write; may be empty. */
  readonly detail: string;
  readonly file: string;
  readonly row: number;
  readonly col: number;
  /** The line it stands in. */
  readonly line: string;
}

export interface LintOptions {
  /** Rule names and categories to leave out. */
  readonly disabled?: readonly string[];
  /** When given, only these rule names and categories. */
  readonly enabled?: readonly string[];
}

function ignoredRules(module: Module): ReadonlyMap<number, ReadonlySet<string>> {
  const byRow = new Map<number, Set<string>>();
  for (const { text, location } of module.comments) {
    const match = /^\s*(?:lint|regal) ignore:\s*([\w,\s-]+)/.exec(text);
    if (match === null) continue;
    const names = (match[1] ?? '').split(',').map((name) => name.trim());
    for (const row of [location.row, location.row + 1]) {
      byRow.set(row, new Set([...(byRow.get(row) ?? []), ...names]));
    }
  }
  return byRow;
}

const matches = (rule: LintRule, names: readonly string[]): boolean =>
  names.includes(rule.name) || names.includes(rule.category);

function lintModule(module: Module, rules: readonly LintRule[]): readonly Violation[] {
  const file = new LintFile(module);
  const ignored = ignoredRules(module);
  const lines = module.source.split('\n');
  const found = new Map<string, Violation>();
  for (const { name, category, text, check } of rules) {
    check(file, ({ row, col }, detail = '') => {
      if (ignored.get(row)?.has(name) === true) return;
      const line = (lines[row - 1] ?? '').trim();
      const violation = { rule: name, category, text, detail, file: module.file, row, col, line };
      found.set(`${name}:${row}:${col}:${detail}`, violation);
    });
  }
  return [...found.values()].sort((a, b) => a.row - b.row || a.col - b.col);
}

/** What is wrong with each module, by file and place. */
export function lintModules(modules: readonly Module[], options: LintOptions = {}): readonly Violation[] {
  const { disabled = [], enabled } = options;
  const rules = LINT_RULES.filter(
    (rule) => !matches(rule, disabled) && (enabled === undefined || matches(rule, enabled)),
  );
  return modules.flatMap((module) => lintModule(module, rules));
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** One line a violation, and a summary. */
export function prettyLintReport(violations: readonly Violation[], files: number): string {
  const lines = violations.map(({ file, row, col, category, rule, text, detail }) => {
    return `${file}:${row}:${col}: ${category}/${rule}: ${text}${detail === '' ? '' : ` (${detail})`}`;
  });
  const summary = `${plural(files, 'file')} linted. ${violations.length === 0 ? 'No violations' : plural(violations.length, 'violation')} found.`;
  return `${[...lines, ...(lines.length === 0 ? [] : ['']), summary].join('\n')}\n`;
}

/** The shape of Regal's JSON report. */
export function lintReportJson(violations: readonly Violation[], files: number): string {
  return orderedJson({
    violations: violations.map(({ rule, category, text, detail, file, row, col, line }) => ({
      title: rule,
      description: text,
      category,
      level: 'error',
      detail: detail === '' ? undefined : detail,
      location: { file, row, col, text: line },
    })),
    summary: {
      files_scanned: files,
      files_failed: new Set(violations.map(({ file }) => file)).size,
      num_violations: violations.length,
    },
  });
}
