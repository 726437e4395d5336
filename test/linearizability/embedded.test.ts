/** The embedded store under many concurrent callers: its histories must be linearizable too. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openEmbedded } from '../../apps/server/src/adapters/embedded/open-embedded.js';
import { recordHistories } from './recorder.js';
import { checkRegister } from './register.js';

it('answers 12 concurrent callers of the embedded store as one copy would', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-history-'));
  const embedded = await openEmbedded({ directory });
  try {
    const { histories, operations, refused } = await recordHistories({
      stores: Array.from({ length: 12 }, () => embedded.keyValueStore),
      keys: Array.from({ length: 8 }, (_, index) => `/key/${index}`),
      until: new Promise((resolve) => setTimeout(resolve, 1000)),
      random: Math.random,
    });
    expect(operations).toBeGreaterThan(500);
    expect(refused).toBeGreaterThan(10);
    for (const [key, history] of histories) expect(checkRegister(history), key).toEqual({ isLinearizable: true });
  } finally {
    await embedded.close();
    await rm(directory, { recursive: true, force: true });
  }
});
