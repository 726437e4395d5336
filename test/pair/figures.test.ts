import { describe, expect, it } from 'vitest';
import type { LoadRecord } from './agent.js';
import { figuresOf, gapsOf } from './figures.js';

const everyMs = 20;
const answered = (atMs: number, status = 200): LoadRecord => ({ kind: 'allow', atMs, tookMs: 4, status, by: 'a' });
/** One request every 20 ms from `fromMs` up to `toMs`. */
const steadily = (fromMs: number, toMs: number, status = 200): LoadRecord[] =>
  Array.from({ length: (toMs - fromMs) / everyMs }, (_, index) => answered(fromMs + index * everyMs, status));

describe('the longest time without an answer', () => {
  it('counts whole while the client went on asking', () => {
    const records = [...steadily(0, 1000), ...steadily(1000, 2200, 0), ...steadily(2200, 3000)];
    expect(figuresOf(records, everyMs)).toMatchObject({ gapMs: 1220, stoodStillMs: 0, failed: 60 });
  });

  it('counts when it does not end', () => {
    const records = [...steadily(0, 1000), ...steadily(1000, 1800, 0)];
    expect(figuresOf(records, everyMs).gapMs).toBe(1780 - 984);
  });

  it('leaves out what the client itself stood still, and says how long that was', () => {
    const records = [...steadily(0, 1000), ...steadily(2200, 3000)];
    expect(figuresOf(records, everyMs)).toMatchObject({ gapMs: 20, stoodStillMs: 1200 });
  });

  it('counts what is left of a gap in which the client stood still for a part', () => {
    const records = [...steadily(0, 1000), ...steadily(1000, 1500, 0), ...steadily(2000, 3000)];
    expect(gapsOf(records, everyMs)[0]).toMatchObject({ fromMs: 984, toMs: 2004, stoodStillMs: 500, gapMs: 520 });
  });
});
