/** What every benchmark prints and keeps: a table, the command, the machine and the date. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { drawBars, type Plot } from './plot.js';

export interface Report {
  readonly name: string;
  /** What comes after `npm run bench -- `, when that is not the name. */
  readonly command?: string;
  readonly title: string;
  /** One sentence: what was measured and how. */
  readonly about: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly notes?: readonly string[];
  readonly plot?: Plot;
}

/** Prints the table and writes `bench/results/NAME.md` (in the working directory). */
export function publish(report: Report): void {
  const table = [report.columns, report.columns.map((_column, index) => (index === 0 ? '---' : '---:')), ...report.rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
  const text = `# ${report.title}\n\n${report.about}\n\n${table}\n\n${(report.notes ?? []).map((note) => `- ${note}\n`).join('')}\nCommand: \`npm run bench -- ${report.command ?? report.name}\`. Machine: ${machine}. Date: ${new Date().toISOString().slice(0, 10)}.\n`;
  console.log(`\n${text}`);
  const folder = join(process.cwd(), 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const picture = report.plot ? `\n![${report.title}](${report.name}.svg)\n` : '';
  writeFileSync(join(folder, `${report.name}.md`), text + picture);
  if (report.plot) writeFileSync(join(folder, `${report.name}.svg`), drawBars(report.plot));
}

/** The p-th percentile (0 … 1) of samples, nearest rank. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? Number.NaN;
}

export const round = (value: number, digits = 2): number => Math.round(value * 10 ** digits) / 10 ** digits;
