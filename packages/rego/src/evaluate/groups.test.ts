/** Comprehensions asked again and again: evaluated once for all questions, and given up where that would cost too much. */
import { describe, expect, it } from 'vitest';
import { compile } from '../policy.js';

const QUESTIONS = 400;
const words = Array.from({ length: QUESTIONS }, (_unused, index) => `w${index}`);
const input = { asked: words, words, letters: Object.fromEntries(words.map((word) => [word, word])) };
const CASES = [
  'some y in input.words; y == x',
  'some y in input.words; lower(y) == x',
  'some k, y in input.letters; k == x',
  'some y in input.words; concat("", [y]) == x',
];

describe.each(['generated', 'closures'] as const)('a comprehension asked again, with %s', (backend) => {
  const counts = (body: string, limits = {}, optimize = true): unknown => {
    const text = `package t\np := [n | some x in input.asked; n := count([y | ${body}])]\n`;
    return compile({ modules: [{ name: 't.rego', text }], backend, limits, optimize }).evaluate('t/p', input);
  };

  it.each(CASES)('takes as many steps as there are elements and questions, not their product: %s', (body) => {
    const few = { maxSteps: 20 * QUESTIONS };
    expect(counts(body, few)).toEqual(words.map(() => 1));
    expect(() => counts(body, few, false)).toThrow('the step budget is used up');
  });

  it('is evaluated for each question when keeping everything would break the memory budget', () => {
    const text = 'package t\np := [[y | some y in input.words; y == x] | some x in ["w1", "w2", "w3", "w4"]]\n';
    const policy = compile({ modules: [{ name: 't.rego', text }], backend, limits: { maxElements: 100 } });
    expect(policy.evaluate('t/p', input)).toEqual([['w1'], ['w2'], ['w3'], ['w4']]);
  });

  it('keeps nothing for the next evaluation', () => {
    const text = 'package t\np := [[y | some y in input.words; y == x] | some x in ["a", "b", "a"]]\n';
    const policy = compile({ modules: [{ name: 't.rego', text }], backend });
    expect(policy.evaluate('t/p', { words: ['a', 'a', 'c'] })).toEqual([['a', 'a'], [], ['a', 'a']]);
    expect(policy.evaluate('t/p', { words: ['b'] })).toEqual([[], ['b'], []]);
    expect(policy.evaluate('t/p', { words: {} })).toEqual([[], [], []]);
    expect(policy.evaluate('t/p', {})).toEqual([[], [], []]);
  });

  it('fails in nothing that it would not meet for the questions asked', () => {
    const text = `package t
p := [[y | some y in input.words; y == x; to_number(y) > 0] | some x in ["1", "2", "1"]]
`;
    const policy = compile({ modules: [{ name: 't.rego', text }], backend });
    const strict = { strictBuiltinErrors: true };
    expect(policy.evaluate('t/p', { words: ['1', 'not a number'] }, strict)).toEqual([['1'], [], ['1']]);
  });
});
