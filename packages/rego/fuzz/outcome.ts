/** What a program does, in a form in which two engines can be compared. */
import { keyOf, type Value } from '../src/values/index.js';

/** An answer: a value's canonical key, `undefined`, or `error CODE`. */
export type Answer = string;

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
  if (expected.length >= ERROR_LIMIT) return codes(expected) === codes(got) || got.length >= ERROR_LIMIT;
  return [...new Set(wanted)].join(' ') === [...new Set(found)].join(' ');
}

function shapeOf(answer: Answer): string {
  return answer.startsWith('error') || answer === 'undefined' ? answer : 'value';
}

/** `expected` is OPA's outcome. */
export function compareOutcomes(expected: Outcome, got: Outcome): Difference | undefined {
  if (!sameErrors(expected.compileErrors, got.compileErrors)) {
    return {
      category: `compile: OPA ${codes(expected.compileErrors) || 'accepts'}, we ${codes(got.compileErrors) || 'accept'}`,
      expected: expected.compileErrors.join(' ') || 'compiles',
      got: got.compileErrors.join(' ') || 'compiles',
    };
  }
  for (const [path, answer] of expected.answers) {
    const own = got.answers.get(path);
    if (own === undefined || own === answer) continue;
    return {
      category: `${shapeOf(answer)} / ${shapeOf(own)}`,
      expected: `${path} = ${answer}`,
      got: `${path} = ${own}`,
    };
  }
  return undefined;
}
