/** Valid files of every format with bytes changed, cut out and doubled: an answer or a refusal, never anything else, never later than the limit. */
import { isBailiwickError } from '@bailiwick/contract';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openDocumentReader } from './document-reader.js';
import { docx, paragraph, pptx, row, shape, xlsx } from './test/office-fixtures.js';
import { lines, pdf } from './test/pdf-fixture.js';

const reader = openDocumentReader({ processes: 2, limits: { maxSeconds: 5 } });
afterAll(() => reader.close());

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const samples: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  [
    'a.pdf',
    pdf([lines([{ text: 'Title', size: 20 }, { text: 'Some words of text.' }]), lines([{ text: 'More.' }])], {
      title: 'T',
    }),
  ],
  [
    'a.docx',
    docx(paragraph('Head', { style: 'Heading1' }) + paragraph('Body'), { title: 'T', footnotes: paragraph('note') }),
  ],
  ['a.pptx', pptx([{ shapes: shape(['Title'], { type: 'title' }) + shape(['a', 'b']) }, { shapes: shape(['c']) }])],
  ['a.xlsx', xlsx([{ name: 'A', rows: row(1, ['a', 'b']) + row(2, ['1', '2']) }], ['s'])],
  ['a.csv', utf8('name;price\n"Tea; black";3\nMilk;"1"\n'.repeat(5))],
  [
    'a.html',
    utf8(
      '<!doctype html><title>T</title><h1>A</h1><p style="color:red">b<ul><li>c</ul><table><tr><td>d</table><svg><a/></svg>',
    ),
  ],
  [
    'a.md',
    utf8('# A\n\n- b\n  - c\n\n> d\n\n| e | f |\n|---|---|\n| 1 | 2 |\n\n```\ng\n```\n<b hidden>h</b> [i](j "k")'),
  ],
  ['a.json', utf8('{"title":"A","b":[1,2,{"c":"\\u00e4"}],"d":null}')],
  ['a.txt', utf8('One paragraph.\n\nAnother: ä ö 👩‍💻.')],
];

/** A piece of the file at a share of its length: changed, cut out, doubled, or put to an extreme. */
const mutation = fc.record({
  kind: fc.constantFrom('change', 'cut', 'double', 'zeros', 'ones', 'end'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 40 }),
  value: fc.integer({ min: 0, max: 255 }),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(bytes: Uint8Array, { kind, at, length, value }: Mutation): Uint8Array {
  const from = Math.floor(at * bytes.length);
  const to = Math.min(bytes.length, from + length);
  if (kind === 'end') return bytes.slice(0, from);
  if (kind === 'cut') return Uint8Array.from([...bytes.subarray(0, from), ...bytes.subarray(to)]);
  if (kind === 'double') return Uint8Array.from([...bytes.subarray(0, to), ...bytes.subarray(from)]);
  const changed = bytes.slice();
  if (kind === 'change' && from < changed.length) changed[from] = value;
  else changed.fill(kind === 'zeros' ? 0 : 255, from, to);
  return changed;
}

async function expectAnswer(bytes: Uint8Array, name: string): Promise<void> {
  const startedMs = performance.now();
  try {
    const { text, blocks } = await reader.readDocument(bytes, { name });
    for (const block of blocks) expect(text.slice(block.start, block.end)).toBe(block.text);
  } catch (error) {
    if (!isBailiwickError(error)) throw error;
    expect(error.details.reason).toMatch(/^document\./);
    // A thread that died is a fault of ours, not of the file.
    expect(error.details.reason).not.toBe('document.reader_failed');
  }
  expect(performance.now() - startedMs).toBeLessThan(7_000);
}

describe.each(samples)('three hundred broken copies of %s', (name, bytes) => {
  it('are read or refused, in time', async () => {
    expect((await reader.readDocument(bytes, { name })).text.length).toBeGreaterThan(0);
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) =>
        expectAnswer(mutations.reduce(mutate, bytes), name),
      ),
      { numRuns: 300 },
    );
  }, 120_000);
});

/** Packing would hide most changes behind a wrong checksum: these are made before. */
const table = `<w:tbl><w:tr><w:tc>${paragraph('a')}</w:tc><w:tc>${paragraph('b')}</w:tc></w:tr></w:tbl>`;
const insides: readonly (readonly [what: string, inside: string, make: (inside: string) => Uint8Array])[] = [
  [
    'a DOCX body',
    paragraph('Head', { style: 'Heading1' }) + table + paragraph('x', { run: '<w:vanish/>' }),
    (body) => docx(body),
  ],
  [
    'a PPTX slide',
    shape(['Title'], { type: 'title' }) + shape(['a', 'b'], { place: '<a:xfrm><a:off x="1" y="1"/></a:xfrm>' }),
    (shapes) => pptx([{ shapes }]),
  ],
  [
    'an XLSX sheet',
    `${row(1, ['a', 'b'])}<row r="2"><c r="A2" s="1"><v>45292</v></c><c r="B2" t="s"><v>0</v></c></row>`,
    (rows) => xlsx([{ name: 'A', rows }], ['s']),
  ],
  [
    'a PDF page',
    `${lines([
      { text: 'One line', size: 20 },
      { text: 'and another', before: '1 g' },
    ])} q 9 0 0 9 1 1 cm 0 0 5 5 re f Q BT /F2 9 Tf [(a) -300 (b)] TJ T* (c) ' ET`,
    (content) => pdf([content]),
  ],
];

describe.each(insides)('three hundred broken copies of %s', (_what, inside, make) => {
  it('are read or refused, in time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const broken = mutations.reduce(mutate, utf8(inside));
        return expectAnswer(make(Buffer.from(broken).toString('latin1')), 'a');
      }),
      { numRuns: 300 },
    );
  }, 120_000);
});
