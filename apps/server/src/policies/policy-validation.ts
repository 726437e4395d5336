/** What a policy must fulfil before it is stored: limits, a clean compile, its own tests. */
import { BailiwickError, type RegoFault, type TestOutcome } from '@bailiwick/contract';
import { isRegoErrors, isRegoEvaluationError, type RegoError, type Value } from '@bailiwick/rego';
import { ReservedNameError, type World, type WorldCompiler } from '../decisions/world.js';
import type { PolicyName } from '../ports/policy-archive.port.js';

export interface Limits {
  readonly maxRegoBytes: number;
  readonly maxDataBytes: number;
}

/** Throws `policy.rego_too_large` or `policy.data_too_large` (413). */
export function assertWithinLimits(rego: string, dataText: string, limits: Limits): void {
  const tooLarge = (what: string, size: number, max: number): BailiwickError =>
    new BailiwickError('too-large', {
      reason: `policy.${what}_too_large`,
      message: `The ${what} has ${size} bytes, at most ${max} are allowed. Split it across projects or raise the setting.`,
      extra: { size, max },
    });
  const regoBytes = Buffer.byteLength(rego);
  if (regoBytes > limits.maxRegoBytes) throw tooLarge('rego', regoBytes, limits.maxRegoBytes);
  const dataBytes = Buffer.byteLength(dataText);
  if (dataBytes > limits.maxDataBytes) throw tooLarge('data', dataBytes, limits.maxDataBytes);
}

export type Trial =
  | { readonly kind: 'compiled'; readonly world: World; readonly tests: readonly TestOutcome[] }
  | { readonly kind: 'refused'; readonly errors: readonly RegoFault[] };

/** Compiles a draft in its world and runs its `test_` rules. Throws only for faults of our own and for reserved data. */
export function tryPolicy(
  compiler: WorldCompiler,
  name: PolicyName,
  draft: { readonly rego: string; readonly dataText: string },
  platformData: Value,
): Trial {
  try {
    const world = compiler.build(name, { ...draft, revision: 0 }, name === 'platform' ? undefined : platformData);
    return { kind: 'compiled', world, tests: runTests(world) };
  } catch (error) {
    if (isRegoErrors(error)) return { kind: 'refused', errors: error.errors.map(regoFault) };
    // Rules that become code as a whole or not at all: there is no one place in them.
    if (isRegoEvaluationError(error))
      return {
        kind: 'refused',
        errors: [{ code: error.code, message: error.message, file: `${name}.rego`, row: 1, column: 1 }],
      };
    if (error instanceof ReservedNameError)
      throw new BailiwickError('invalid', { reason: 'policy.reserved_name', message: error.message });
    throw error;
  }
}

/** The trial's world, or the refusal that a write answers with. */
export function assertSound(trial: Trial): World {
  if (trial.kind === 'refused') {
    const first = trial.errors[0];
    throw new BailiwickError('invalid', {
      reason: 'policy.does_not_compile',
      message: `The Rego does not compile: ${first ? `line ${first.row}, column ${first.column}: ${first.message}` : 'no reason given'}. Nothing was stored.`,
      extra: { errors: trial.errors },
    });
  }
  const failed = trial.tests.filter((test) => !test.passed);
  if (failed.length > 0) {
    throw new BailiwickError('invalid', {
      reason: 'policy.tests_fail',
      message: `${failed.length} of the policy's ${trial.tests.length} tests fail, first ${failed[0]?.name}. Nothing was stored.`,
      extra: { tests: trial.tests },
    });
  }
  return trial.world;
}

function runTests(world: World): readonly TestOutcome[] {
  const seen = new Map<string, number>();
  for (const rule of world.policy.modules.flatMap((module) => module.rules)) {
    const [first] = rule.head.ref;
    if (first?.kind === 'var' && first.name.startsWith('test_') && !seen.has(first.name))
      seen.set(first.name, rule.location.row);
  }
  return [...seen].map(([name, row]) => runTest(world, name, row));
}

function runTest(world: World, name: string, row: number): TestOutcome {
  try {
    const value = world.policy.evaluate(`${world.packagePath}.${name}`);
    if (value === true) return { name, passed: true, row };
    return {
      name,
      passed: false,
      row,
      message: value === undefined ? 'undefined' : `answered ${JSON.stringify(value)}, not true`,
    };
  } catch (error) {
    if (isRegoEvaluationError(error))
      return { name, passed: false, row: error.location?.row ?? row, message: error.message };
    throw error;
  }
}

function regoFault(error: RegoError): RegoFault {
  return {
    code: error.code,
    message: error.message,
    file: error.location.file,
    row: error.location.row,
    column: error.location.col,
  };
}
