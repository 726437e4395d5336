import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Block, BlockKind, ReadDocument } from '../reading/read-document.js';
import { chunkDocument, type Passage, passageHash } from './chunk-document.js';
import { estimateTokens } from './estimate-tokens.js';

type Part = readonly [kind: BlockKind, text: string, levelOrPage?: number];

function documentOf(parts: readonly Part[], title = 'Title'): ReadDocument {
  const blocks: Block[] = [];
  let text = '';
  for (const [kind, part, number] of parts) {
    if (text !== '') text += '\n\n';
    const place = kind === 'heading' ? { level: number ?? 1, page: null } : { page: number ?? null };
    blocks.push({ kind, text: part, ...place, start: text.length, end: text.length + part.length });
    text += part;
  }
  return { title, mediaType: 'text/plain', text, pages: null, blocks, notes: [] };
}

/** A generator of words that is the same every time. */
function wordsFrom(seed: number): (count: number) => string {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
  const syllables = 'ba ce di fo gu la me ni po ru sa te vi wo xu za'.split(' ');
  const word = (): string => Array.from({ length: 1 + (next() % 3) }, () => syllables[next() % 16]).join('');
  return (count) =>
    Array.from({ length: count }, (_, index) => word() + (index % 11 === 10 || index === count - 1 ? '.' : '')).join(
      ' ',
    );
}

const textsOf = (passages: readonly Passage[]): string[] => passages.map(({ text }) => text);

describe('chunkDocument', () => {
  it('never goes over a heading, and joins small neighbours of one section', () => {
    const passages = chunkDocument(
      documentOf([
        ['paragraph', 'Before all.'],
        ['heading', 'A', 1],
        ['paragraph', 'One.'],
        ['list', '- two\n- three'],
        ['heading', 'B', 2],
        ['paragraph', 'Four.'],
        ['heading', 'C', 1],
        ['heading', 'D', 2],
        ['paragraph', 'Five.'],
        ['heading', 'E', 1],
      ]),
    );
    expect(passages.map(({ headings, text }) => [headings.join('/'), text])).toEqual([
      ['', 'Before all.'],
      ['A', 'One.\n\n- two\n- three'],
      ['A/B', 'Four.'],
      ['C/D', 'Five.'],
      ['', 'E'],
    ]);
    expect(passages.map(({ ordinal }) => ordinal)).toEqual([0, 1, 2, 3, 4]);
    expect(passages[2]?.embeddedText).toBe('Title > A > B\n\nFour.');
  });

  it('keeps sentences whole in a long paragraph', () => {
    const words = wordsFrom(1);
    const sentences = Array.from({ length: 120 }, () => `Now ${words(10).replaceAll('.', '')} end.`);
    const passages = chunkDocument(documentOf([['paragraph', sentences.join(' ')]]));
    expect(passages.length).toBeGreaterThan(5);
    for (const { text, tokens } of passages) {
      expect(text.endsWith('end.')).toBe(true);
      expect(tokens).toBeLessThanOrEqual(240);
    }
    expect(textsOf(passages).join(' ')).toBe(sentences.join(' '));
  });

  it('repeats the header row where a table goes on', () => {
    const rows = Array.from(
      { length: 100 },
      (_, index) => `Product number ${index} | ${index * 3} pieces | shelf ${index % 7}`,
    );
    const passages = chunkDocument(documentOf([['table', ['Name | Stock | Place', ...rows].join('\n')]]));
    expect(passages.length).toBeGreaterThan(4);
    for (const { text } of passages) expect(text.split('\n')[0]).toBe('Name | Stock | Place');
    expect(passages.flatMap(({ text }) => text.split('\n').slice(1))).toEqual(rows);
  });

  it('cuts words that are too long, between characters', () => {
    const passages = chunkDocument(documentOf([['paragraph', `Key: ${'👩‍💻'.repeat(500)} ${'A1b2'.repeat(3000)}`]]));
    for (const { text, embeddedText } of passages) {
      expect(estimateTokens(embeddedText)).toBeLessThan(260);
      expect(Buffer.from(text).toString()).toBe(text);
      expect(text).not.toMatch(/^\u200d|^\udcbb/);
    }
  });

  it('cuts a sentence without end between words', () => {
    const text = Array.from({ length: 6000 }, (_, index) => `word${'abc'[index % 3]}`).join(' ');
    for (const passage of chunkDocument(documentOf([['paragraph', text]])))
      expect(passage.text).toMatch(/^word[abc]( word[abc])*$/);
  });

  it('is not held up by text that costs nothing', () => {
    const startedMs = performance.now();
    chunkDocument(documentOf(Array.from({ length: 20_000 }, () => ['paragraph', '\u0301'] as const)));
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('cuts text without blanks at its own full stops', () => {
    const sentence = '会议室可以在每周一至周五的上午九点到下午六点之间预订。';
    const passages = chunkDocument(documentOf([['paragraph', sentence.repeat(60)]]));
    expect(passages.length).toBeGreaterThan(5);
    for (const { text, tokens } of passages) {
      expect(text.endsWith('。')).toBe(true);
      expect(tokens).toBeLessThanOrEqual(240);
    }
  });

  it('begins a new page with a new passage, once there is enough', () => {
    const words = wordsFrom(5);
    const passages = chunkDocument(
      documentOf(Array.from({ length: 6 }, (_, index) => ['paragraph', words(90), index + 1] as const)),
    );
    expect(passages.map(({ page }) => page)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('refuses sizes that cannot be kept', () => {
    expect(() => chunkDocument(documentOf([['paragraph', 'a']]), { targetTokens: 4 })).toThrow(RangeError);
  });

  const part = fc.oneof(
    fc.tuple(fc.constantFrom<BlockKind>('paragraph', 'list', 'code', 'table'), fc.lorem({ maxCount: 120 })),
    fc.tuple(
      fc.constantFrom<BlockKind>('paragraph'),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 900 }).map((text) => text.trim() || 'x'),
    ),
    fc.tuple(fc.constant<BlockKind>('heading'), fc.lorem({ maxCount: 3 }), fc.integer({ min: 1, max: 4 })),
  );

  it('has every word of the text once, in order, where it says', () => {
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 30, max: 300 }),
        (parts, targetTokens) => {
          const document = documentOf(parts as Part[]);
          const passages = chunkDocument(document, { targetTokens });
          let at = 0;
          for (const { text, start, end } of passages) {
            expect(start).toBeGreaterThanOrEqual(at);
            expect(text.endsWith(document.text.slice(start, end))).toBe(true);
            at = end;
          }
          const wordsOf = (text: string): string => text.replace(/\s+/g, '');
          const bodies = document.blocks.filter(({ kind }) => kind !== 'heading');
          const held = passages.map(({ start, end }) => document.text.slice(start, end)).join(' ');
          for (const { text } of bodies) expect(wordsOf(held)).toContain(wordsOf(text));
          expect(chunkDocument(document, { targetTokens })).toEqual(passages);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('leaves nine of ten passages alone when one paragraph changes, is added or goes', () => {
    const shares: number[] = [];
    fc.assert(
      fc.property(
        fc.integer(),
        fc.nat(299),
        fc.constantFrom('change', 'add', 'remove'),
        fc.boolean(),
        (seed, place, edit, hasHeadings) => {
          const words = wordsFrom(seed);
          const parts: Part[] = [];
          for (let index = 0; index < 300; index++) {
            if (hasHeadings && index % 25 === 0) parts.push(['heading', `Part ${index}`, 1]);
            parts.push(['paragraph', words(20 + ((index * 37) % 60))]);
          }
          const edited = [...parts];
          if (edit === 'change') edited[place] = ['paragraph', words(45)];
          else
            edited.splice(
              place,
              edit === 'remove' ? 1 : 0,
              ...(edit === 'add' ? [['paragraph', words(33)] as Part] : []),
            );
          const before = chunkDocument(documentOf(parts)).map(passageHash);
          const after = new Set(chunkDocument(documentOf(edited)).map(passageHash));
          shares.push(before.filter((hash) => after.has(hash)).length / before.length);
        },
      ),
      { numRuns: 60 },
    );
    shares.sort((a, b) => a - b);
    // Segments end where the text happens to say so: now and then one is long.
    expect(shares[Math.floor(shares.length * 0.1)]).toBeGreaterThanOrEqual(0.9);
    expect(shares[0]).toBeGreaterThanOrEqual(0.75);
  });

  it('takes less than 300 ms for a MiB', () => {
    const words = wordsFrom(3);
    const parts: Part[] = [];
    for (let length = 0; length < 2 ** 20; length += parts.at(-1)?.[1].length ?? 0)
      parts.push(['paragraph', words(20 + ((parts.length * 31) % 400))]);
    const document = documentOf(parts);
    chunkDocument(document);
    const times = [0, 1, 2].map(() => {
      const startedMs = performance.now();
      chunkDocument(document);
      return performance.now() - startedMs;
    });
    expect(Math.min(...times)).toBeLessThan(300);
  });
});
