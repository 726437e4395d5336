/** A program on this engine. */
import { type BackendName, compile, isRegoErrors, isRegoEvaluationError, type Policy } from '../src/index.js';
import { toJsonValue, type Value } from '../src/values/index.js';
import type { Program } from './generate.js';
import { type Answer, answerOf, type Outcome } from './outcome.js';

/** Enough for every generated program that ends soon, and an end for those that do not. */
const LIMITS = { maxSteps: 5_000_000, deadlineMs: 5000 };
/** Milliseconds by which even what used up its budget must have ended. */
const RUNAWAY_MS = 10_000;

function ask(policy: Policy, program: Program, path: string, input: unknown): Answer {
  const start = Date.now();
  try {
    const value = policy.evaluate(path, input as Value, {
      strictBuiltinErrors: program.strictBuiltinErrors,
      limits: LIMITS,
    });
    const taken = Date.now() - start;
    if (taken > RUNAWAY_MS) return `crash ran for ${taken} ms`;
    return answerOf(value === undefined ? undefined : toJsonValue(value));
  } catch (error) {
    if (isRegoEvaluationError(error)) return `error ${error.code}`;
    return `crash ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}

/** Compiles what OPA compiled and asks for what OPA was asked for. */
export function runOurs(program: Program, backend: BackendName, expected: Outcome): Outcome {
  let policy: Policy;
  try {
    const modules = program.modules
      .map((text, index) => ({ name: `m${index}`, text, version: program.version }))
      .filter((_, index) => expected.onlyModule === undefined || index === expected.onlyModule);
    policy = compile({ modules, data: program.data as Value, backend });
  } catch (error) {
    const errors = isRegoErrors(error)
      ? error.errors.map(({ code, location }) => `${code}@${location.file}:${location.row}`)
      : [`crash@${error instanceof Error ? error.stack : String(error)}`];
    return { compileErrors: errors.sort(), answers: new Map() };
  }
  const answers = new Map<string, Answer>();
  for (const key of expected.answers.keys()) {
    const at = key.indexOf(':');
    answers.set(key, ask(policy, program, key.slice(at + 1), program.inputs[Number(key.slice(0, at))]));
  }
  return { compileErrors: [], answers };
}
