/**
 * What is wrong with a definition: where, why, and what to do.
 * Faults are values: a definition with faults is an expected outcome, so nothing is thrown for it.
 */
export interface Fault {
  /** JSON pointer into the definition, `''` for the whole of it. */
  readonly path: string;
  /** `<area>.<reason>`; codes never change their meaning. */
  readonly code: string;
  /** What is wrong and what would be right; never a value that could be a secret. */
  readonly message: string;
}
