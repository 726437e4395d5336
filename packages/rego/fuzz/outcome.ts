/** What a program does, in a form in which two engines can be compared. */

import { keyOf, type Value } from '../src/values/index.js';
import type { Program } from './generate.js';

/** An answer: a value's canonical key, `undefined`, or `error CODE`. */
export type Answer = string;

/** OPA's answer to what makes it panic; there is nothing to compare then. */
export const PANIC = 'panic';

export interface Outcome {
  /** Codes and rows of the errors met while compiling, sorted; empty when it compiles. */
  readonly compileErrors: readonly string[];
  /** By `input number:path`. */
  readonly answers: ReadonlyMap<string, Answer>;
  /** The only module OPA looked at: it refused the library before it saw the rest. */
  readonly onlyModule?: number;
}

export interface Difference {
  /** Stays the same while shrinking. */
  readonly category: string;
  /** `input number:path` of the answer that differs. */
  readonly path?: string;
  readonly expected: string;
  readonly got: string;
}

export function answerOf(value: Value | undefined): Answer {
  return value === undefined ? 'undefined' : String(keyOf(value));
}

/** OPA stops after ten errors, and which ten is its own affair. */
const ERROR_LIMIT = 10;

function codes(errors: readonly string[]): string {
  return [...new Set(errors.map((error) => error.split('@')[0]))].sort().join(' ');
}

/** References to rules share parts in OPA, so that it gives many type errors the row of another use of the package. */
function withoutRow(error: string): string {
  return error.startsWith('rego_type_error') ? 'rego_type_error' : error;
}

function sameErrors(expected: readonly string[], got: readonly string[]): boolean {
  const [wanted, found] = [expected.map(withoutRow), got.map(withoutRow)];
  // Some errors have no place at all in OPA.
  if (expected.length >= ERROR_LIMIT || expected.some((error) => error.endsWith('@:0')))
    return codes(expected) === codes(got) || got.length >= ERROR_LIMIT;
  if ([...new Set(wanted)].join(' ') === [...new Set(found)].join(' ')) return true;
  // Into the closures of expressions it could not order OPA looks only sometimes.
  const isUnsafe = wanted.concat(found).every((error) => error.startsWith('rego_unsafe_var_error'));
  return isUnsafe && wanted.some((error) => found.includes(error));
}

function shapeOf(answer: Answer): string {
  return answer.startsWith('error') || answer === 'undefined' ? answer : 'value';
}

/**
 * OPA overlooks the unsafe variables of an expression that also closes over variables of its body
 * (its reorderBodyForSafety replaces the one set by the other); the program then fails when it is
 * evaluated, with an internal error. Refusing it is right.
 */
function isOverlooked(program: Program, expected: readonly string[], got: readonly string[]): boolean {
  const extra = got.filter((error) => !expected.includes(error));
  return (
    extra.length > 0 &&
    extra.every((error) => {
      const [, module = '', row = ''] = /^rego_unsafe_var_error@m(\d):(\d+)$/.exec(error) ?? [];
      const line = program.modules[Number(module)]?.split('\n')[Number(row) - 1] ?? '';
      return row !== '' && /\||\bevery\b|\bnot\b/.test(line);
    })
  );
}

/**
 * For some safe bodies OPA finds no order: where a closure reads a variable that is bound by way of
 * another. We run them, or go on to their types; were they unsafe, they could not be compiled.
 */
function isUnordered(program: Program, expected: readonly string[], got: readonly string[]): boolean {
  if (!got.every((error) => error.startsWith('rego_type_error'))) return false;
  return expected.every((error) => {
    const [, module = '', row = ''] = /^rego_unsafe_var_error@m(\d):(\d+)$/.exec(error) ?? [];
    return /\||\bevery\b|\bnot\b/.test(program.modules[Number(module)]?.split('\n')[Number(row) - 1] ?? '');
  });
}

const INCOMPARABLE: ReadonlySet<Answer> = new Set(['error eval_internal_error', `error ${PANIC}`]);

/** `expected` is OPA's outcome. */
export function compareOutcomes(program: Program, expected: Outcome, got: Outcome): Difference | undefined {
  if (expected.compileErrors.includes(PANIC)) return undefined;
  if (!sameErrors(expected.compileErrors, got.compileErrors)) {
    if (isOverlooked(program, expected.compileErrors, got.compileErrors)) return undefined;
    if (isUnordered(program, expected.compileErrors, got.compileErrors)) return undefined;
    return {
      category: `compile: OPA ${codes(expected.compileErrors) || 'accepts'}, we ${codes(got.compileErrors) || 'accept'}`,
      expected: expected.compileErrors.join(' ') || 'compiles',
      got: got.compileErrors.join(' ') || 'compiles',
    };
  }
  for (const [path, answer] of expected.answers) {
    const own = got.answers.get(path);
    if (own === undefined || own === answer || INCOMPARABLE.has(answer)) continue;
    return {
      path,
      category: `${shapeOf(answer)} / ${shapeOf(own)}`,
      expected: `${path} = ${answer}`,
      got: `${path} = ${own}`,
    };
  }
  return undefined;
}
