/** Writes `bench/results/pair.md`, and a timeline of every request of every case beside it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../system/harness.js';
import type { LoadRecord } from './agent.js';
import type { Figures } from './figures.js';

export interface CaseResult {
  readonly title: string;
  readonly figures: Figures;
  readonly records: readonly LoadRecord[];
}

export function writePairResults(results: readonly CaseResult[]): void {
  const folder = join(repositoryRoot, 'bench/results');
  const rows = results.map(
    ({ title, figures: { requests, failed, gapMs, denied, leaked, p50Ms, slowestMs } }) =>
      `| ${title} | ${requests} | ${failed} | ${gapMs} | ${denied} | ${leaked} | ${p50Ms} | ${slowestMs} |`,
  );
  const text = `# Two data centres, one thing after another taken away

One request every 20 ms through the virtual address, each on a connection of its own, every fourth by somebody who must be denied.
HAProxy 2.6, Keepalived 2.2 (VRRP every 0.1 s) and etcd with 2 + 1 members (or one each and a witness), in network namespaces of one machine with 2 cores: delays
between real data centres are missing here. Without an answer: the longest time in which no request was answered 200.

| taken away | requests | failed | without an answer, ms | denied | leaked | p50, ms | slowest, ms |
|---|---:|---:|---:|---:|---:|---:|---:|
${rows.join('\n')}

![every request of every case](pair.svg)

Reproduce, as root: \`BAILIWICK_WRITE_RESULTS=1 npm run test:real -- test/real/pair.test.ts\`
`;
  writeFileSync(join(folder, 'pair.md'), text);
  writeFileSync(join(folder, 'pair.svg'), timeline(results));
}

const rowPx = 34;
const widthPx = 900;
const leftPx = 10;

/** A row a case: a tick a request by when it was sent; grey answered, blue denied as it must be, red failed. */
function timeline(results: readonly CaseResult[]): string {
  const longestMs = Math.max(...results.map(({ records }) => (records.at(-1)?.atMs ?? 0) - (records[0]?.atMs ?? 0)));
  const rows = results.map(({ title, records }, index) => {
    const startMs = records[0]?.atMs ?? 0;
    const top = index * rowPx + 18;
    const ticks = (color: string, chosen: readonly LoadRecord[]): string => {
      const at = ({ atMs }: LoadRecord): string => (leftPx + ((atMs - startMs) / longestMs) * widthPx).toFixed(1);
      return `<path stroke="${color}" d="${chosen.map((one) => `M${at(one)} ${top}v12`).join('')}"/>`;
    };
    const isGood = (one: LoadRecord): boolean => one.status === (one.kind === 'allow' ? 200 : 403);
    return [
      `<text x="${leftPx}" y="${top - 4}">${title}</text>`,
      ticks(
        '#9aa5b1',
        records.filter((one) => isGood(one) && one.kind === 'allow'),
      ),
      ticks(
        '#3b82c4',
        records.filter((one) => isGood(one) && one.kind === 'deny'),
      ),
      ticks(
        '#d64545',
        records.filter((one) => !isGood(one)),
      ),
    ].join('\n');
  });
  const height = results.length * rowPx + 30;
  const legend = `grey: answered · blue: denied, as it must be · red: failed · ${(longestMs / 1000).toFixed(1)} s wide`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widthPx + 2 * leftPx} ${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
${rows.join('\n')}
<text x="${leftPx}" y="${height - 8}">${legend}</text>
</svg>
`;
}
