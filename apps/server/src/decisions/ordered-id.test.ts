import { describe, expect, it, vi } from 'vitest';
import { orderedId } from './ordered-id.js';

describe('an ordered id', () => {
  it('is a UUID of version 7 that holds its time, and no two are the same', () => {
    const before = Date.now();
    const ids = Array.from({ length: 1000 }, orderedId);
    expect(new Set(ids).size).toBe(1000);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      const madeMs = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
      expect(madeMs).toBeGreaterThanOrEqual(before);
      expect(madeMs).toBeLessThanOrEqual(Date.now());
    }
  });

  it('comes after those of an earlier millisecond', () => {
    vi.useFakeTimers({ now: 1_700_000_000_000 });
    const first = orderedId();
    vi.advanceTimersByTime(1);
    expect(orderedId() > first).toBe(true);
    vi.useRealTimers();
  });
});
