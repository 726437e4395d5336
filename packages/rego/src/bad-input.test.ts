/** Whatever comes in: a right answer, or an error with a place or a limit; never a crash, never a hang. */
import { describe, expect, it } from 'vitest';
import { isRegoErrors, isRegoEvaluationError } from './errors.js';
import { compile } from './policy.js';
import { JsonError, parseJson, toJson, type Value } from './values/index.js';

const MIB = 2 ** 20;
const QUICK_MS = 30_000;

describe.each(['generated', 'closures'] as const)('bad input, with %s', (backend) => {
  const evaluate = (body: string, input: Value = {}): unknown => {
    const started = performance.now();
    try {
      const policy = compile({ modules: [{ name: 'p.rego', text: `package t\n${body}\n` }], backend });
      const value = policy.evaluate('data.t.p', input);
      return value === undefined ? 'undefined' : toJson(value);
    } catch (error) {
      if (isRegoErrors(error)) {
        const [first] = error.errors;
        return `${first?.code}:${first?.location.row}:${first?.location.col}`;
      }
      if (isRegoEvaluationError(error)) return error.code;
      throw error;
    } finally {
      expect(performance.now() - started).toBeLessThan(QUICK_MS);
    }
  };

  it.each([
    ['p := {', 'rego_parse_error:3:0'],
    ['p if x > 1', 'rego_unsafe_var_error:2:6'],
    ['p if q\nq if p', 'rego_recursion_error:2:1'],
    ['p := count(1)', 'rego_type_error:2:6'],
    ['p := nope(1)', 'rego_type_error:2:6'],
    ['p := 1\np(x) := x', 'rego_type_error:2:1'],
  ])('places what does not compile: %j', (body, want) => {
    expect(evaluate(body)).toBe(want);
  });

  const text = 'ab cd,é'.repeat((10 * MIB) / 8);
  const characters = text.length;
  it.each([
    ['p := count(input.text)', characters],
    ['p := count(upper(input.text))', characters],
    ['p := contains(input.text, "zz")', false],
    ['p := count(split(input.text, ","))', characters / 7 + 1],
    ['p := count(replace(input.text, "ab", "x"))', characters - characters / 7],
    ['p := count(regex.replace(input.text, "b  c", ""))', characters],
    ['p := regex.match("(a+)+$", input.text)', false],
    ['p := count(sprintf("%s!", [input.text]))', characters + 1],
    ['p := count(json.unmarshal(json.marshal(input.text)))', characters],
    ['p := count(base64.decode(base64.encode(input.text)))', characters],
    ['p := indexof(input.text, "zz")', -1],
    ['p := count(crypto.sha256(input.text))', 64],
    ['p if input.text == input.text', true],
  ])('takes texts of 10 MB: %s', (body, want) => {
    expect(evaluate(body, { text })).toBe(want);
  });

  it('takes sets and lists of a million, and stops at the memory budget', () => {
    expect(evaluate('p := count({x | some x in numbers.range(1, 1000000)})')).toBe(1_000_000);
    expect(evaluate('p := sum([x | some x in numbers.range(1, 1000000)])')).toBe(500_000_500_000);
    const million: Value = Array.from({ length: 1_000_000 }, (_, n) => `e${n}`);
    expect(evaluate('p if "e999999" in input.list', { list: million })).toBe(true);
    expect(evaluate('p := count({x | some x in input.list} - {"e1"})', { list: million })).toBe(999_999);
    const policy = compile({
      modules: [
        { name: 'p.rego', text: 'package t\np := count({[x, y] | some x in input.list; some y in input.list})' },
      ],
      backend,
    });
    const list: Value = Array.from({ length: 3000 }, (_, n) => n);
    expect(() => policy.evaluate('data.t.p', { list }, { limits: { maxElements: 100_000 } })).toThrow('memory budget');
    expect(() => policy.evaluate('data.t.p', { list }, { limits: { maxSteps: 100_000 } })).toThrow('step budget');
    expect(() => policy.evaluate('data.t.p', { list }, { limits: { deadlineMs: 20 } })).toThrow('deadline');
  });

  it('takes nesting as deep as it is, or says that it is too deep', () => {
    const nest = (levels: number): Value => {
      let value: Value = 1;
      for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
      return value;
    };
    expect(() => parseJson(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)).toThrow(JsonError);
    expect(evaluate('p if input.x == input.x', { x: nest(1000) })).toBe(true);
    expect(evaluate('p := count([1 | walk(input.x, _)])', { x: nest(500) })).toBe(501);
    for (const body of [
      'p if input.x == input.y',
      'p := count(json.marshal(input.x))',
      'p := count([1 | walk(input.x, _)])',
      'p := {input.x, input.y}',
      'p := sprintf("%v", [input.x])',
    ]) {
      const answer = evaluate(body, { x: nest(50_000), y: nest(50_000) });
      expect(['eval_limit_error', true], `${body}: ${JSON.stringify(answer).slice(0, 80)}`).toContain(answer);
    }
  });

  it.each([
    ['(a+)+$', false],
    ['^(a|a)*$', false],
    ['(a|aa)+$', false],
    ['^([a-z]+)*$', false],
    ['(x+x+)+y', false],
    ['(a|b|aa)*!', true],
    // As in Go, no repetition beyond 1,000.
    ['a{1000}{1000}', 'undefined'],
  ])('is not stalled by the expression %s', (pattern, want) => {
    const text = `${'a'.repeat(50_000)}!`;
    expect(evaluate('p := regex.match(input.pattern, input.text)', { pattern, text })).toBe(want);
  });

  it('takes oversized modules', () => {
    expect(evaluate(`p := count("${'x'.repeat(10 * MIB)}")`)).toBe(10 * MIB);
    expect(evaluate(`p := count([${'1, '.repeat(100_000)}2])`)).toBe(100_001);
    expect(evaluate(`p := x if {\n${'\ttrue\n'.repeat(20_000)}\tx := 1\n}`)).toBe(1);
    expect(evaluate(`p := ${'f('.repeat(5000)}1${')'.repeat(5000)}`)).toMatch(/^rego_parse_error:2:/);
  });

  it('gives the errors of built-ins only when they are asked for', () => {
    const policy = compile({ modules: [{ name: 'p.rego', text: 'package t\np := to_number(input.x)' }], backend });
    expect(policy.evaluate('data.t.p', { x: 'no' })).toBeUndefined();
    expect(() => policy.evaluate('data.t.p', { x: 'no' }, { strictBuiltinErrors: true })).toThrow('p.rego:2');
  });
});
