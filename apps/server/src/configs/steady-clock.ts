/**
 * The time that timetables, windows and freezes go by: this machine's clock, carried on by one that only goes forward. When the machine's clock
 * jumps ahead nothing starts early: what it says more than passed is taken up slowly, as much as a clock may drift. When it jumps
 * back, that counts at once: things start late, never early. Time that the machine slept has passed. A restart takes the clock as it is.
 */
import { uptime } from 'node:os';

export interface Clocks {
  /** Milliseconds since 1970, by this machine. */
  readonly wallMs: () => number;
  /** Milliseconds since anything, never backwards. */
  readonly monotonicMs: () => number;
  /** The same, and it goes on while the machine sleeps (on Linux; elsewhere it may follow the machine's clock). Asked only after a jump. */
  readonly uptimeMs: () => number;
}

const systemClocks: Clocks = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  uptimeMs: process.platform === 'linux' ? () => uptime() * 1_000 : () => performance.now(),
};

export interface SteadyClockOptions {
  readonly clocks?: Clocks;
  /** Once a jump: how many milliseconds the machine's clock is ahead of the time that counts. */
  readonly onAhead?: (ms: number) => void;
}

/** A second in two thousand (500 ppm), the most that NTP slews by. */
const maxSlew = 1 / 2_000;
/** More than drift and slewing come to between two looks. */
const jumpMs = 2_000;

/** Milliseconds since 1970. */
export function steadyClock({ clocks = systemClocks, onAhead }: SteadyClockOptions = {}): () => number {
  const { wallMs, monotonicMs, uptimeMs } = clocks;
  const awakeMs = (): number => uptimeMs() - monotonicMs();
  let sleptMs = awakeMs();
  let lastMs = monotonicMs();
  let nowMs = wallMs();
  let isAhead = false;
  return () => {
    const monotonic = monotonicMs();
    const wall = wallMs();
    nowMs = Math.min(wall, nowMs + Math.max(0, monotonic - lastMs) * (1 + maxSlew));
    lastMs = monotonic;
    if (wall - nowMs <= jumpMs) {
      isAhead = false;
      return Math.floor(nowMs);
    }
    if (isAhead) return Math.floor(nowMs);
    const asleepMs = Math.max(0, awakeMs() - sleptMs);
    sleptMs += asleepMs;
    nowMs = Math.min(wall, nowMs + asleepMs);
    isAhead = wall - nowMs > jumpMs;
    if (isAhead) onAhead?.(wall - nowMs);
    return Math.floor(nowMs);
  };
}
