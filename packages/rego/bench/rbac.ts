/**
 * Measures this engine on the shared `bench/rbac` policy: the best of several rounds for each path,
 * input and back end, in nanoseconds a decision. Node only; bundle it or run it with a loader.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BackendName, compile, parseJson, type Value } from '../src/index.js';

export interface Measurement {
  readonly backend: BackendName;
  readonly path: string;
  readonly input: string;
  readonly nanoseconds: number;
}

const ROUNDS = 7;
const CALLS = 50_000;

function best(run: () => void): number {
  for (let i = 0; i < CALLS / 2; i++) run();
  let lowest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) run();
    lowest = Math.min(lowest, Number(process.hrtime.bigint() - start) / CALLS);
  }
  return lowest;
}

/** `directory` is the shared `bench/rbac` folder. */
export function measureRbac(directory: string): readonly Measurement[] {
  const read = (name: string): string => readFileSync(join(directory, name), 'utf8');
  const modules = [{ name: 'policy.rego', text: read('policy.rego') }];
  const data = parseJson(read('data.json'));
  const inputs: readonly (readonly [string, Value])[] = [
    ['allow', parseJson(read('input-allow.json'))],
    ['deny', parseJson(read('input-deny.json'))],
  ];
  return (['generated', 'closures'] as const).flatMap((backend) => {
    const policy = compile({ modules, data, backend });
    return ['gateway/authz/allow', 'gateway/authz/decision'].flatMap((path) => {
      const decide = policy.prepare(path);
      return inputs.map(([input, value]) => ({ backend, path, input, nanoseconds: best(() => decide(value)) }));
    });
  });
}
