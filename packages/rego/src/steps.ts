/** Long work in steps: whoever runs it may do something else between two of them. */

/** Yields between steps, each well under a millisecond unless said otherwise, and returns what it came to. */
export type Steps<T> = Generator<undefined, T>;

/** Runs all steps one after the other. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
