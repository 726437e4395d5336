import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactWhole } from './json-redactor.js';
import { isIban, isLuhn, personalDataKinds, Redactor } from './personal-data.js';
import { StreamRedactor } from './stream-redactor.js';
import { EventRedactor } from './stream-texts.js';

const redactor = new Redactor(personalDataKinds, [{ name: 'badge', pattern: 'B-[0-9]{6}' }]);

describe('personal data', () => {
  it.each([
    ['Write to jane.doe+x@mail.example.co.uk, please.', 'Write to [EMAIL], please.'],
    ['Call +49 30 901820 44 or (030) 123-4567.', 'Call [PHONE] or [PHONE].'],
    ['+4915112345678', '[PHONE]'],
    ['+49 30 901820 44 +49 30 901820 45', '[PHONE] [PHONE]'],
    ['IBAN DE89 3704 0044 0532 0130 00!', 'IBAN [IBAN]!'],
    ['GB82WEST12345698765432', '[IBAN]'],
    ['card 4111 1111 1111 1111, thanks', 'card [CREDIT_CARD], thanks'],
    ['5500-0000-0000-0004', '[CREDIT_CARD]'],
    ['Badge B-123456.', 'Badge [BADGE].'],
  ])('replaces it in %j', (text, expected) => expect(redactor.redact(text)).toBe(expected));

  it.each([
    'On 2026-11-21 at 10:30.',
    'order 1234567812345678',
    'v1.2.3',
    'DE00 3704 0044 0532 0130 00',
    'a@b',
    '192.168.0.1',
    'pi is 3.14159265358979',
  ])('leaves %j alone', (text) => expect(redactor.redact(text)).toBe(text));

  it('checks digits', () => {
    expect([isLuhn('4111111111111111'), isLuhn('4111111111111112'), isLuhn('0000000000000000')]).toEqual([
      true,
      false,
      false,
    ]);
    expect([isIban('DE89370400440532013000'), isIban('DE89370400440532013001')]).toEqual([true, false]);
  });
});

const personal = fc.constantFrom(
  'jane@mail.example',
  '+49 30 901820 44',
  'DE89 3704 0044 0532 0130 00',
  '4111 1111 1111 1111',
  'B-123456',
  '(030) 123-4567',
);
const word = fc.constantFrom(
  'the',
  'quick',
  'brown',
  'fox,',
  'Émile',
  '42',
  '\n',
  '你好',
  '.',
  'a'.repeat(90),
  '12-34',
  '@',
);
const text = fc
  .array(fc.oneof({ weight: 1, arbitrary: personal }, { weight: 4, arbitrary: word }), { maxLength: 150 })
  .map((words) => words.join(' '));

function pieces(whole: string, cuts: readonly number[]): readonly string[] {
  const at = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, index) => whole.slice(start, [...at, whole.length][index]));
}

describe('a text that comes in pieces', () => {
  it('becomes the same whatever the pieces are, and no personal data gets through', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 40 }), (whole, cuts) => {
        const stream = new StreamRedactor(redactor);
        const result =
          pieces(whole, cuts)
            .map((piece) => stream.push(piece))
            .join('') + stream.flush();
        expect(result).toBe(redactWhole(redactor, whole));
        expect(result).not.toMatch(/jane@|DE89|4111 1111|B-123456/);
      }),
      { numRuns: 500, verbose: 1 },
    );
  });

  it('becomes the same as a stream of events, whatever the bytes come in', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 20 }), fc.integer({ min: 1, max: 60 }), (whole, cuts, size) => {
        const event = (choice: object): string =>
          `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, ...choice }] })}\n\n`;
        const stream = `${pieces(whole, cuts)
          .map((content) => event({ delta: { content }, finish_reason: null }))
          .join('')}${event({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`;
        const bytes = Buffer.from(stream);
        const events = new EventRedactor(redactor);
        const out: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) out.push(events.push(bytes.subarray(at, at + size)));
        out.push(events.flush());
        const result = Buffer.concat(out).toString('utf8');
        const contents = result.split('\n\n').flatMap((one) => {
          if (!one.startsWith('data: {')) return [];
          const { choices } = JSON.parse(one.slice(6)) as { choices: { delta: { content?: string } }[] };
          return choices.map(({ delta }) => delta.content ?? '');
        });
        expect(contents.join('')).toBe(redactWhole(redactor, whole));
        expect(result.endsWith('data: [DONE]\n\n')).toBe(true);
      }),
      { numRuns: 200, verbose: 1 },
    );
  });

  it('holds back no more than a line', () => {
    const stream = new StreamRedactor(redactor);
    expect(stream.push('done.\nnext')).toBe('done.\n');
    expect(stream.push(' word'.repeat(200)).length).toBeGreaterThan(500);
  });
});
