import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { steadyClock } from './steady-clock.js';

/** A machine whose clock can be set. */
class Machine {
  monotonic = 5_000;
  wall = 1_000_000;
  slept = 70_000;
  readonly ahead: number[] = [];
  readonly clock = steadyClock({
    clocks: {
      wallMs: () => this.wall,
      monotonicMs: () => this.monotonic,
      uptimeMs: () => this.monotonic + this.slept,
    },
    onAhead: (ms) => this.ahead.push(ms),
  });

  pass(ms: number): void {
    this.monotonic += ms;
    this.wall += ms;
  }
}

describe('the steady clock', () => {
  it('is the machine’s while nobody sets it', () => {
    const machine = new Machine();
    for (const ms of [0, 1, 250, 60_000, 86_400_000]) {
      machine.pass(ms);
      expect(machine.clock()).toBe(machine.wall);
    }
    expect(machine.ahead).toEqual([]);
  });

  it('does not follow a jump ahead, says so once, and takes it up slowly', () => {
    const machine = new Machine();
    machine.wall += 3_600_000;
    expect(machine.clock()).toBe(1_000_000);
    machine.pass(2_000_000);
    expect(machine.clock()).toBe(1_000_000 + 2_000_000 + 1_000);
    expect(machine.ahead).toEqual([3_600_000]);
  });

  it('follows a jump back at once', () => {
    const machine = new Machine();
    machine.wall -= 500_000;
    expect(machine.clock()).toBe(500_000);
    machine.pass(1_000);
    expect(machine.clock()).toBe(501_000);
  });

  it('knows that time passed while the machine slept', () => {
    const machine = new Machine();
    machine.wall += 8 * 3_600_000;
    machine.slept += 8 * 3_600_000;
    expect(machine.clock()).toBe(machine.wall);
    expect(machine.ahead).toEqual([]);
    machine.wall += 60_000;
    expect(machine.clock()).toBe(machine.wall - 60_000);
  });

  it('is never ahead of the machine’s, and never faster than time by more than it may slew', () => {
    const move = fc.record({ passed: fc.nat(100_000), set: fc.integer({ min: -1_000_000, max: 1_000_000 }) });
    fc.assert(
      fc.property(fc.array(move), (moves) => {
        const machine = new Machine();
        let before = machine.clock();
        for (const { passed, set } of moves) {
          machine.pass(passed);
          machine.wall += set;
          const now = machine.clock();
          expect(now).toBeLessThanOrEqual(machine.wall);
          expect(now - before).toBeLessThanOrEqual(passed * 1.0005 + 1);
          before = now;
        }
      }),
    );
  });
});
