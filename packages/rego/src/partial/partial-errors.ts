/** What cannot be said as a filter, and where the policy says it. */
import type { ErrorLocation } from '../errors.js';

const BRAND: unique symbol = Symbol.for('bailiwick.rego.partial-error');

export class PartialEvaluationError extends Error {
  readonly [BRAND] = true;
  readonly reason: string;
  readonly location: ErrorLocation | undefined;

  constructor(reason: string, location?: ErrorLocation) {
    const where =
      location === undefined || location.row === 0 ? '' : `${location.file}:${location.row}:${location.col}: `;
    super(`${where}${reason}`);
    this.name = 'PartialEvaluationError';
    this.reason = reason;
    this.location = location && { file: location.file, row: location.row, col: location.col };
  }
}

export function isPartialEvaluationError(value: unknown): value is PartialEvaluationError {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** What `run` gives; an error that does not say where gets the place. */
export function locating<T>(place: ErrorLocation | undefined, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (place === undefined || !isPartialEvaluationError(error) || error.location !== undefined) throw error;
    throw new PartialEvaluationError(error.reason, place);
  }
}
