import { describe, expect, it } from 'vitest';
import { estimateTokens } from './estimate-tokens.js';

/** Counted with BERT's uncased WordPiece vocabulary. */
const counted: readonly (readonly [tokens: number, text: string])[] = [
  [
    58,
    'The reading room opens at nine in the morning and closes at eight in the evening, except on public holidays. Visitors leave coats and bags at the entrance, and show their cards when they borrow a book. Whoever returns a book late pays twenty cents for every day, up to ten euros.',
  ],
  [
    77,
    'Patients with a low creatinine clearance (below 30 mL/min) received half of the dose of the anticoagulant; haemoglobin, thrombocytes and transaminases were measured on days 1, 7, 14 and 28. No interaction with angiotensin-converting enzyme inhibitors was observed in the 412 patients who completed the trial.',
  ],
  [
    72,
    'const total = items.filter((item) => item.price > 0).reduce((sum, item) => sum + item.price * item.count, 0); if (total !== expected) { throw new Error(`total is ${total}, not ${expected}`); }',
  ],
  [
    64,
    'Invoice 2024-00173 of 14 March 2024: 12 chairs at 89.50 EUR each, 3 tables at 240.00 EUR each, delivery 35.00 EUR; in all 1,829.00 EUR, payable within 30 days to the account named below.',
  ],
  [47, '会议室可以在每周一至周五的上午九点到下午六点之间预订。取消预订必须至少提前二十四小时通知前台。'],
];

describe('estimateTokens', () => {
  it.each(counted)('is within 15 %% of %i for a text of that many tokens', (tokens, text) => {
    expect(Math.abs(estimateTokens(text) / tokens - 1)).toBeLessThan(0.15);
  });

  it('adds up over the parts of a text', () => {
    const text = counted.map(([, one]) => one).join(' ');
    const parts = text.split(' ').reduce((sum, part) => sum + estimateTokens(part), 0);
    expect(parts).toBeCloseTo(estimateTokens(text), 6);
  });

  it('counts Chinese and Japanese by the character, without blanks', () => {
    expect(estimateTokens('我们的价格包括增值税。')).toBe(11);
    expect(estimateTokens('')).toBe(0);
  });
});
