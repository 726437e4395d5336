/**
 * The package's two error families: problems found before evaluation (`RegoErrors`, a list with
 * positions, codes as OPA's `v1/ast/errors.go`) and a failed evaluation (`RegoEvaluationError`,
 * codes as OPA's `v1/topdown/errors.go`). Both are recognised by a symbol brand.
 */

export type RegoErrorCode =
  | 'rego_parse_error'
  | 'rego_compile_error'
  | 'rego_type_error'
  | 'rego_unsafe_var_error'
  | 'rego_recursion_error';

export type EvaluationErrorCode =
  | 'eval_internal_error'
  | 'eval_cancel_error'
  | 'eval_conflict_error'
  | 'eval_type_error'
  | 'eval_builtin_error'
  | 'eval_with_merge_error'
  | 'eval_limit_error';

/** A position in a module: rows and columns count from 1, columns in code points. */
export interface ErrorLocation {
  readonly file: string;
  readonly row: number;
  readonly col: number;
}

/** What belongs to an error beside its message, as JSON; undefined members are left out. */
export type ErrorDetails =
  | null
  | boolean
  | number
  | string
  | readonly ErrorDetails[]
  | { readonly [key: string]: ErrorDetails | undefined };

/** One problem found while parsing or compiling. */
export interface RegoError {
  readonly code: RegoErrorCode;
  readonly message: string;
  readonly location: ErrorLocation;
  /** Of type errors: the types in question, of which the lines after the message's first tell. */
  readonly details?: ErrorDetails;
}

/** What stands in the place of the errors beyond a limit. */
export const ERROR_LIMIT_REACHED: RegoError = {
  code: 'rego_compile_error',
  message: 'error limit reached',
  location: { file: '', row: 0, col: 0 },
};

const ERRORS_BRAND: unique symbol = Symbol.for('bailiwick.rego.errors');
const EVALUATION_BRAND: unique symbol = Symbol.for('bailiwick.rego.evaluation-error');

/** Formats one error as OPA prints it: `file:row: code: message`. */
export function formatRegoError(error: RegoError): string {
  const { file, row } = error.location;
  if (row === 0) return file === '' ? `${error.code}: ${error.message}` : `${file}: ${error.code}: ${error.message}`;
  return `${file === '' ? String(row) : `${file}:${row}`}: ${error.code}: ${error.message}`;
}

/** Thrown when modules or a query cannot be parsed or compiled; lists every problem found. */
export class RegoErrors extends Error {
  readonly [ERRORS_BRAND] = true;
  readonly errors: readonly RegoError[];

  constructor(errors: readonly RegoError[]) {
    const lines = errors.map(formatRegoError);
    super(
      errors.length === 1 ? `1 error occurred: ${lines[0]}` : `${errors.length} errors occurred:\n${lines.join('\n')}`,
    );
    this.name = 'RegoErrors';
    this.errors = errors;
  }
}

/** True for a `RegoErrors` from any copy of this package. */
export function isRegoErrors(value: unknown): value is RegoErrors {
  return typeof value === 'object' && value !== null && ERRORS_BRAND in value;
}

/** Thrown when an evaluation fails: a conflict, a fatal built-in error, or an exceeded limit. */
export class RegoEvaluationError extends Error {
  readonly [EVALUATION_BRAND] = true;
  readonly code: EvaluationErrorCode;
  readonly location: ErrorLocation | undefined;
  /** The message without position and code. */
  readonly reason: string;

  constructor(code: EvaluationErrorCode, reason: string, location?: ErrorLocation, options?: { cause?: unknown }) {
    const where =
      location === undefined || location.row === 0
        ? ''
        : `${location.file === '' ? '' : `${location.file}:`}${location.row}: `;
    super(`${where}${code}: ${reason}`, options);
    this.name = 'RegoEvaluationError';
    this.code = code;
    this.reason = reason;
    this.location = location;
  }
}

/** True for a `RegoEvaluationError` from any copy of this package. */
export function isRegoEvaluationError(value: unknown): value is RegoEvaluationError {
  return typeof value === 'object' && value !== null && EVALUATION_BRAND in value;
}
