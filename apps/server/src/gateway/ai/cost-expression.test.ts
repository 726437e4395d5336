import { describe, expect, it } from 'vitest';
import { compileCostExpression } from './cost-expression.js';

const usage = { input_tokens: 10, output_tokens: 4, details: { x: 1 }, huge: 1e300 };
const cost = (text: string): number => compileCostExpression(text)(usage);

describe('a cost expression', () => {
  it.each([
    ['input_tokens + cache_creation_input_tokens + output_tokens', 14],
    ['input_tokens * 2 + output_tokens * 3.5', 34],
    ['(input_tokens - output_tokens) / 4', 2],
    ['2 ^ 3 ^ 2', 512],
    ['-2 ^ 2 + 5', 1],
    ['7 // 2', 3],
    ['(0 - 7) % 3', 2],
    ['math.max(input_tokens, output_tokens) + min(1, 2)', 11],
    ['ceil(0.2) + math.floor(1.8) + abs(0 - 3)', 5],
    ['output_tokens - input_tokens', 0],
    ['details + constructor + 1e1', 10],
    [' .5 + 1. ', 2],
  ])('%s is %d', (text, value) => expect(cost(text)).toBe(value));

  it.each([
    '',
    '1 +',
    '(1',
    '1 2',
    'os.exit(1)',
    'math.huge',
    'sqrt(4)',
    'a = 1',
    '"x"',
    'a.b',
    'max()',
    '#t',
    '('.repeat(60),
  ])('%j is refused', (text) => expect(() => compileCostExpression(text)).toThrow(SyntaxError));

  it.each(['input_tokens / 0', 'huge * huge', '0 / 0'])('%s throws when it is worked out', (text) =>
    expect(() => cost(text)).toThrow(RangeError),
  );
});
