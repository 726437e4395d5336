/** What a suite found. */
export interface SuiteReport {
  readonly name: string;
  readonly passed: number;
  /** One line each: which case, what was expected, what came. */
  readonly failures: readonly string[];
  /** Why the suite did not run. */
  readonly skipped?: string;
  /** Single cases that cannot apply, each with its reason. */
  readonly leftOut?: readonly string[];
}

/** Collects outcomes; keeps the first hundred failures in words and counts the rest. */
export class Tally {
  passed = 0;
  readonly failures: string[] = [];
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  check(label: string, actual: unknown, expected: unknown): void {
    const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (got === wanted) this.passed += 1;
    else this.failures.push(`${label}: expected ${wanted}, got ${got}`);
  }

  report(): SuiteReport {
    return { name: this.name, passed: this.passed, failures: this.failures };
  }
}

/** A small seeded generator of numbers, 0 ≤ n < 1 (mulberry32): a run can be repeated from its seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
