import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Embedded, openEmbedded } from '../../adapters/embedded/open-embedded.js';
import { FeedbackLog } from './feedback-log.js';

const directory = mkdtempSync(join(tmpdir(), 'bailiwick-feedback-'));
const day = 24 * 3_600_000;
let embedded: Embedded;
let nowMs = Date.UTC(2026, 0, 1);
beforeAll(async () => {
  embedded = await openEmbedded({ directory });
});
afterAll(async () => {
  await embedded.close();
  rmSync(directory, { recursive: true });
});

it('keeps one entry an answer and person for 90 days, newest first, by project', async () => {
  const log = new FeedbackLog(embedded.keyValueStore, () => nowMs);
  await log.rate('p', 'one', 'ann', { rating: 'good' });
  nowMs += 60 * day;
  await log.rate('p', 'two', 'ann', { rating: 'good' });
  await log.rate('p', 'two', 'ann', { rating: 'bad' });
  await log.rate('q', 'three', 'ben', { rating: 'good' });
  const shown = async () => (await log.list('p', 10)).map(({ answer_id: id, rating }) => `${id} ${rating}`);
  expect(await shown()).toEqual(['two bad', 'one good']);
  nowMs += 31 * day;
  await log.prune();
  expect(await shown()).toEqual(['two bad']);
});
