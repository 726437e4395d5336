/** Stage "types": calls whose arguments can never have the right type (`rego_type_error`). */
import type { CompileContext } from './model.js';

export function checkTypes(_context: CompileContext): void {}
