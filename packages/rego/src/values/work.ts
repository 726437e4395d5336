/**
 * The meter of work that no step of a policy counts: patterns matched, documents compared and written, numbers multiplied. A built-in
 * may take seconds over one value (twice the same list in a list, forty times over, has 2^40 elements), so whatever walks values or
 * texts says so here, and budget and deadline of the evaluation stop it. Evaluations are synchronous: whoever evaluates lends its
 * budget to the meter for as long as it does; outside of evaluations work is free.
 */

/** What work and memory are taken from. Errors: both throw when nothing is left. */
export interface Budget {
  charge(steps: number): void;
  hold(elements: number): void;
}

/** Units of work between two looks at the budget. */
const PORTION = 256;

let current: Budget | undefined;
let left = PORTION;

/** Lends a budget to the meter, none for undefined; gives back the one before, to be put back afterwards. */
export function meterWith(budget: Budget | undefined): Budget | undefined {
  const before = current;
  current = budget;
  left = PORTION;
  return before;
}

/** Whether somebody counts. */
export function isMetered(): boolean {
  return current !== undefined;
}

function settle(): void {
  const spent = PORTION - left;
  left = PORTION;
  current?.charge(spent);
}

/** Says that work is done. `units` are steps of a policy: some 50 ns each. */
export function work(units: number): void {
  left -= units;
  if (left < 0) settle();
}

/** Characters that weigh as much as one element, as a shift. */
const TEXT_SHIFT = 5;
/** Results no larger are free: they are gone before they matter. */
const SMALL_TEXT = 1024;
const SMALL_LIST = 256;

/** Says that a text of so many characters is about to be made. */
export function holdText(length: number): void {
  if (length <= SMALL_TEXT) return;
  work(length >> (TEXT_SHIFT + 1));
  current?.hold(length >> TEXT_SHIFT);
}

/** Says that a collection of so many elements is about to be made. */
export function holdList(length: number): void {
  if (length > SMALL_LIST) current?.hold(length);
}
