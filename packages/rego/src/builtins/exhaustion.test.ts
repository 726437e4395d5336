import { describe, expect, it } from 'vitest';
import { compile, isRegoEvaluationError, type Value } from '../index.js';

function nested(depth: number): Value {
  let value: Value = 1;
  for (let i = 0; i < depth; i++) value = { a: value };
  return value;
}

describe.each(['generated', 'closures'] as const)('built-ins over a value 100,000 deep, with %s', (backend) => {
  it.each([
    'walk(input, [path, value])',
    'json.marshal(input)',
    'yaml.marshal(input)',
    'json.match_schema(input, {"type": "object"})',
    'object.union(input, {"b": 1})',
    'json.filter(input, ["a/a"])',
    'sprintf("%v", [input])',
    'sort([input, input])',
    'count({input, 1}) == 2',
    'input == {"a": 1}',
    'json.patch(input, [{"op": "add", "path": "a/a", "value": 1}])',
    'object.get(input, ["a", "a"], 1)',
  ])('%s has its answer or is an error', (expression) => {
    const policy = compile({ modules: [{ name: 'p.rego', text: `package t\np := 1 if { ${expression} }` }], backend });
    let outcome: unknown;
    try {
      outcome = policy.evaluate('t/p', nested(100_000));
    } catch (error) {
      outcome = isRegoEvaluationError(error) ? error.code : error;
    }
    const isFalse = expression.includes(' == {');
    expect(isFalse ? [undefined, 'eval_limit_error'] : [1, 'eval_limit_error']).toContain(outcome);
  });
});
