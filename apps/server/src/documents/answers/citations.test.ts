import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CitationFilter } from './citations.js';

function filtered(pieces: readonly string[], count = 3) {
  const filter = new CitationFilter(count);
  const shown = pieces.map((piece) => filter.push(piece));
  return { text: [...shown, filter.end()].join(''), cited: filter.cited, refused: filter.refused };
}

describe('citations', () => {
  it.each([
    ['Thirty days [1].', 'Thirty days [1].', [1], 0],
    ['Both [1][3] say so.', 'Both [1][3] say so.', [1, 3], 0],
    ['Together [1, 2; 3].', 'Together [1][2][3].', [1, 2, 3], 0],
    ['Made up [7].', 'Made up .', [], 1],
    ['Half [2, 9].', 'Half [2].', [2], 1],
    ['None [0].', 'None .', [], 1],
    ['An array[i] and [a note].', 'An array[i] and [a note].', [], 0],
    ['See [here](https://evil.example/?q=secret).', 'See here.', [], 1],
    ['![x](https://evil.example/p.png) Hi', ' Hi', [], 1],
    ['A <img src="https://evil.example/p.png"> b', 'A  b', [], 1],
    ['[1](https://evil.example)', '[1]', [1], 1],
    ['[1](http://a.x)(http://evil.example)', '[1] (http://evil.example)', [1], 1],
    ['Less < more, a <b> c', 'Less < more, a <b> c', [], 0],
  ])('of %j are %j', (text, shown, cited, refused) => {
    expect(filtered([text])).toEqual({ text: shown, cited, refused });
  });

  it('are the same however the text is cut into pieces, and nothing of a link or picture ever shows', () => {
    const parts = [
      'word ',
      '[1]',
      '[2, 3]',
      '[9]',
      '[',
      ']',
      '!',
      '(',
      ')',
      '<img src=x>',
      '<',
      'i',
      '[a](http://e.x/y)',
    ];
    const more = ['![p](http://e.x/z)', '[note]', '\n', '[1](http://e.x)', '[[2]]', 'http', '['.repeat(3)];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...parts, ...more), { maxLength: 15 }),
        fc.infiniteStream(fc.nat(6)),
        (list, cuts) => {
          const text = list.join('');
          const pieces: string[] = [];
          for (let at = 0; at < text.length; ) {
            const length = 1 + Number(cuts.next().value);
            pieces.push(text.slice(at, at + length));
            at += length;
          }
          const whole = filtered([text]);
          expect(filtered(pieces)).toEqual(whole);
          expect(whole.text).not.toMatch(/\]\(|<img/);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
