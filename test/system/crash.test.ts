/** CRASH_ROUNDS sets how often the server is killed (default 8; the figure we publish is 200). */
import { expect, it } from 'vitest';
import { crashRounds } from './crash-rounds.js';

const rounds = Number(process.env['CRASH_ROUNDS'] ?? 8);

it(
  `loses and doubles nothing in ${rounds} rounds of kill -9 under concurrent writes`,
  async () => {
    const report = await crashRounds({ rounds });
    console.log(report);
    expect(report).toContain('0 lost, 0 doubled');
  },
  rounds * 5_000 + 60_000,
);
