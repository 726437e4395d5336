import { afterEach, describe, expect, it, vi } from 'vitest';
import { BusyPoll } from './busy-poll.js';

afterEach(() => vi.restoreAllMocks());

/** The turns of the event loop that are asked for, and a clock that says what it is told. */
function watched(microseconds: number) {
  let nowMs = 1_000;
  const turns: (() => void)[] = [];
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  vi.spyOn(globalThis, 'setImmediate').mockImplementation(((turn: () => void) => turns.push(turn)) as never);
  const poll = new BusyPoll(microseconds);
  /** Runs what was asked for before this turn; how many there were. */
  const turn = (): number => {
    const now = turns.splice(0);
    for (const run of now) run();
    return now.length;
  };
  return {
    ...{ poll, turn },
    pass: (microsecondsLater: number) => {
      nowMs += microsecondsLater / 1_000;
    },
    /** `count` answers in one turn. */
    answer: (count = 1) => {
      for (let at = 0; at < count; at += 1) poll.answered();
      turn();
    },
    isLooking: () => turns.length > 0,
  };
}

describe('looking for the next request', () => {
  it('begins when a caller comes back soon, and ends when nobody does', () => {
    const { answer, pass, turn, isLooking } = watched(100);
    answer();
    expect(isLooking()).toBe(false);
    pass(50);
    answer();
    expect(isLooking()).toBe(true);
    pass(60);
    expect(turn()).toBe(1);
    expect(isLooking()).toBe(true);
    pass(60);
    turn();
    expect(isLooking()).toBe(false);
  });

  it('goes on from answer to answer', () => {
    const { answer, pass, isLooking, turn } = watched(100);
    answer();
    for (let at = 0; at < 50; at += 1) {
      pass(80);
      answer();
      expect(isLooking()).toBe(true);
    }
    pass(101);
    turn();
    expect(isLooking()).toBe(false);
  });

  it('is left out more and more often while it is in vain, and not any more once it pays', () => {
    const { answer, pass, turn, isLooking } = watched(100);
    let looks = 0;
    answer();
    // Back after 300 µs each time: soon, but later than a look lasts.
    for (let at = 0; at < 1_000; at += 1) {
      if (isLooking()) {
        looks += 1;
        pass(101);
        turn();
      } else pass(101);
      pass(199);
      answer();
    }
    expect(looks).toBeGreaterThan(5);
    expect(looks).toBeLessThan(30);
    for (let at = 0; at < 100; at += 1) {
      pass(50);
      answer();
    }
    for (let at = 0; at < 20; at += 1) {
      expect(isLooking()).toBe(true);
      pass(50);
      answer();
    }
  });

  it('is not done for callers who come late, under load, or where it is off', () => {
    const late = watched(100);
    for (let at = 0; at < 20; at += 1) {
      late.answer();
      late.pass(500);
      expect(late.isLooking()).toBe(false);
    }
    vi.restoreAllMocks();
    const loaded = watched(100);
    for (let at = 0; at < 20; at += 1) {
      loaded.answer(3);
      loaded.pass(50);
      expect(loaded.isLooking()).toBe(false);
    }
    vi.restoreAllMocks();
    const off = watched(0);
    for (let at = 0; at < 20; at += 1) {
      off.answer();
      off.pass(50);
      expect(off.isLooking()).toBe(false);
    }
  });

  it('ends when load comes', () => {
    const { answer, pass, turn, isLooking } = watched(100);
    answer();
    pass(50);
    answer();
    expect(isLooking()).toBe(true);
    answer(5);
    turn();
    expect(isLooking()).toBe(false);
  });

  it('leaves an idle process asleep', async () => {
    const poll = new BusyPoll(200);
    for (let at = 0; at < 20; at += 1) {
      poll.answered();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const before = performance.eventLoopUtilization();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(performance.eventLoopUtilization(before).active).toBeLessThan(200);
  });
});
