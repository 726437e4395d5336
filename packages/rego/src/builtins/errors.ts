/** How built-ins fail. Inside a family throw `OperandError` or `BuiltinFailure`; callers see `BuiltinError`. */

/** An argument of the wrong type; becomes `eval_type_error`. */
export class OperandError extends Error {
  override readonly name = 'OperandError';
}

/** An argument or a circumstance the function cannot work with; becomes `eval_builtin_error`. */
export class BuiltinFailure extends Error {
  override readonly name = 'BuiltinFailure';
}

/** OPA's codes for errors of built-ins. */
export type BuiltinErrorCode = 'eval_builtin_error' | 'eval_type_error';

/** A built-in's error as the evaluator sees it: the message begins with the function's name. */
export class BuiltinError extends Error {
  override readonly name = 'BuiltinError';
  readonly code: BuiltinErrorCode;

  constructor(code: BuiltinErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Stops the query even where built-in errors are not fatal. */
export class HaltError extends Error {
  override readonly name = 'HaltError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Throws a `BuiltinFailure`. */
export function fail(message: string): never {
  throw new BuiltinFailure(message);
}
