import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Frame, FrameReader } from './frames.js';

const read = (...pieces: string[]): Frame[] => {
  const reader = new FrameReader();
  return pieces.flatMap((piece) => reader.push(piece));
};

describe('frames', () => {
  const cases: [string, string, Frame[]][] = [
    ['an event with an id', 'event: put\nid: a.1\ndata: {}\n\n', [{ event: 'put', id: 'a.1', data: '{}' }]],
    ['no name', 'data: x\n\n', [{ event: 'message', id: undefined, data: 'x' }]],
    ['several lines of data', 'data: a\ndata: b\n\n', [{ event: 'message', id: undefined, data: 'a\nb' }]],
    ['comments and unknown fields', ': hello\nretry: 5\ndata:x\n\n', [{ event: 'message', id: undefined, data: 'x' }]],
    ['nothing without data', 'event: put\n\n', []],
    ['nothing before its empty line', 'data: x\n', []],
    [
      'carriage returns',
      'event: a\rdata: x\r\rdata: y\r\n\r\n',
      [
        { event: 'a', id: undefined, data: 'x' },
        { event: 'message', id: undefined, data: 'y' },
      ],
    ],
  ];
  for (const [what, text, expected] of cases) it(`are read with ${what}`, () => expect(read(text)).toEqual(expected));

  it('are the same however the text is cut up', () => {
    const line = fc.constantFrom('event: put', 'data: 1', 'data:', 'id: 7', '', '', ':x', 'data: äöü');
    const text = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 30 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(400), { maxLength: 8 }), (lines, cuts) => {
        const whole = lines.flat().join('');
        const places = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length];
        const pieces = places.slice(1).map((end, index) => whole.slice(places[index], end));
        expect(read(...pieces)).toEqual(read(whole));
      }),
      { numRuns: 500 },
    );
  });
});
