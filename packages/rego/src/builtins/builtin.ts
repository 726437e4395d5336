/**
 * What a built-in function is: one entry with its name, types, documentation, purity and
 * implementation. Families are tables of entries; `family` turns one into built-ins, filling in
 * what they share and naming the function in every error, as OPA does.
 */
import type { Value } from '../values/index.js';
import { ArithmeticError } from '../values/index.js';
import type { BuiltinContext } from './context.js';
import { BuiltinError, BuiltinFailure, HaltError, OperandError } from './errors.js';
import type { TypeDecl } from './type-decl.js';

export type { BuiltinContext } from './context.js';

/** A named argument or result, for documentation. */
export interface DocumentedType {
  readonly name: string;
  readonly type: TypeDecl;
}

/** What the reference page says of a built-in. */
export interface BuiltinDocs {
  readonly description: string;
  readonly args: readonly DocumentedType[];
  readonly result: DocumentedType | undefined;
  readonly categories: readonly string[];
}

/** What a built-in reaches beyond its arguments; it fails unless the context provides it. */
export type Capability = 'network' | 'runtime' | 'time' | 'random';

/** A built-in function. */
export interface Builtin {
  readonly name: string;
  readonly infix?: string;
  readonly args: readonly TypeDecl[];
  /** Absent for functions that only have effects. */
  readonly result?: TypeDecl;
  /** The type of further arguments. */
  readonly variadic?: TypeDecl;
  /** Relations yield every element of the set or array they return as one answer. */
  readonly relation?: boolean;
  /** The answer may differ between two calls with the same arguments. */
  readonly nondeterministic?: boolean;
  readonly deprecated?: boolean;
  readonly capability?: Capability;
  readonly docs: BuiltinDocs;
  /**
   * The function's value, or undefined when it has none for these arguments.
   * Errors: `BuiltinError` for bad arguments, `HaltError` when the query must stop.
   */
  evaluate(args: readonly Value[], context: BuiltinContext): Value | undefined;
}

/** An entry of a family's table. Argument and result names serve the documentation. */
export interface BuiltinEntry {
  readonly about: string;
  readonly args: Readonly<Record<string, TypeDecl>>;
  readonly result?: Readonly<Record<string, TypeDecl>>;
  readonly infix?: string;
  readonly variadic?: TypeDecl;
  readonly relation?: boolean;
  readonly nondeterministic?: boolean;
  readonly deprecated?: boolean;
  readonly capability?: Capability;
  evaluate(args: readonly Value[], context: BuiltinContext): Value | undefined;
}

/** A platform out of stack, or a text or number longer than it can hold: not the function's verdict on its arguments. */
function isExhaustion(error: Error): boolean {
  return /call stack|too much recursion|string length|array length|BigInt size/i.test(error.message);
}

function toBuiltinError(name: string, error: unknown): unknown {
  if (
    error instanceof Error &&
    (error instanceof RangeError || error.name === 'InternalError') &&
    isExhaustion(error)
  ) {
    return new HaltError('eval_limit_error', `${name}: ${error.message}`);
  }
  if (error instanceof OperandError) return new BuiltinError('eval_type_error', `${name}: ${error.message}`, error);
  if (error instanceof BuiltinFailure || error instanceof ArithmeticError) {
    return new BuiltinError('eval_builtin_error', `${name}: ${error.message}`, error);
  }
  if (error instanceof BuiltinError || error instanceof HaltError) return error;
  if (error instanceof RangeError) return new BuiltinError('eval_builtin_error', `${name}: ${error.message}`, error);
  return error;
}

function documented(types: Readonly<Record<string, TypeDecl>> | undefined): readonly DocumentedType[] {
  return Object.entries(types ?? {}).map(([name, type]) => ({ name, type }));
}

function toBuiltin(name: string, category: string, entry: BuiltinEntry): Builtin {
  const { about, args, result, evaluate, ...rest } = entry;
  const results = documented(result);
  return {
    ...rest,
    name,
    args: Object.values(args),
    ...(results[0] === undefined ? {} : { result: results[0].type }),
    docs: { description: about, args: documented(args), result: results[0], categories: [category] },
    evaluate(values, context) {
      try {
        return evaluate(values, context);
      } catch (error) {
        throw toBuiltinError(name, error);
      }
    },
  };
}

/** The built-ins of one family. Shape: `entries` by full name. */
export function family(category: string, entries: Readonly<Record<string, BuiltinEntry>>): readonly Builtin[] {
  return Object.entries(entries).map(([name, entry]) => toBuiltin(name, category, entry));
}
