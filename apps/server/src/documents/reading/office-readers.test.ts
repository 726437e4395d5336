import { describe, expect, it } from 'vitest';
import type { ReadDocument } from './read-document.js';
import { docx, paragraph, pptx, row, shape, xlsx } from './test/office-fixtures.js';
import { readerForTests } from './test/reader-for-tests.js';
import { zip } from './test/zip-fixture.js';

const { read, refusal } = readerForTests();
const outline = ({ blocks }: ReadDocument): string[] =>
  blocks.map(({ kind, level, text }) => `${kind}${level ?? ''}: ${text}`);

describe('DOCX', () => {
  it('has headings by style, lists, tables and footnotes', async () => {
    const cell = (text: string): string => `<w:tc>${paragraph(text)}</w:tc>`;
    const document = await read(
      docx(
        [
          paragraph('Main', { style: 'Heading1' }),
          paragraph('Words &amp; more'),
          paragraph('first', { style: 'Bullets' }),
          paragraph('second', { properties: '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr>' }),
          paragraph('Sub', { style: 'Kap2' }),
          `<w:tbl><w:tr>${cell('Name')}${cell('Price')}</w:tr><w:tr>${cell('Tea')}<w:tc><w:tbl><w:tr>${cell('3')}</w:tr></w:tbl></w:tc></w:tr></w:tbl>`,
          '<w:p><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t></w:r></w:p>',
        ].join(''),
        { title: 'The  letter', footnotes: paragraph('A note') },
      ),
      'wrong.pdf',
    );
    expect(document).toMatchObject({
      title: 'The letter',
      pages: null,
      mediaType: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    });
    expect(outline(document)).toEqual([
      'heading1: Main',
      'paragraph: Words & more',
      'list: - first\n  - second',
      'heading2: Sub',
      'table: Name | Price\nTea | 3',
      'paragraph: one\ttwo\nthree',
      'paragraph: A note',
    ]);
  });

  it.each([
    ['a hidden run', paragraph('SECRET', { run: '<w:vanish/>' })],
    ['a run hidden by its style', paragraph('SECRET', { run: '<w:rStyle w:val="Secret"/>' })],
    ['a paragraph hidden by its style', paragraph('SECRET', { style: 'Secret' })],
    ['white text', paragraph('SECRET', { run: '<w:color w:val="FFFFFF"/>' })],
    ['text of one point', paragraph('SECRET', { run: '<w:sz w:val="2"/>' })],
    [
      'a hidden run with a text box in it',
      '<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:drawing><w:txbxContent><w:p><w:r><w:t>SECRET</w:t></w:r></w:p></w:txbxContent></w:drawing><w:t>SECRET</w:t></w:r></w:p>',
    ],
    ['deleted text', '<w:del><w:p><w:r><w:t>SECRET</w:t><w:delText>SECRET</w:delText></w:r></w:p></w:del>'],
    ['moved text', '<w:p><w:moveFrom><w:r><w:t>SECRET</w:t></w:r></w:moveFrom></w:p>'],
    ['a field instruction', '<w:p><w:r><w:instrText>SECRET</w:instrText></w:r></w:p>'],
  ])('leaves out %s, and says so', async (_what, body) => {
    const document = await read(docx(paragraph('seen') + body));
    expect(document.text).toBe('seen');
    if (!body.includes('instrText')) expect(document.notes).toHaveLength(1);
  });

  it('keeps white text on a coloured ground, and text that says it is not hidden', async () => {
    const document = await read(
      docx(
        paragraph('a', { run: '<w:color w:val="FFFFFF"/><w:shd w:fill="000000"/>' }) +
          paragraph('b', { run: '<w:vanish w:val="0"/>' }),
      ),
    );
    expect(document.text).toBe('a\n\nb');
  });

  it('leaves out macros and comments, and says so', async () => {
    const document = await read(
      docx(paragraph('seen'), { more: [{ name: 'word/vbaProject.bin', content: 'SECRET' }] }),
    );
    expect(document.notes).toEqual(['Left out: macros (1).']);
  });

  it('is refused when it is protected, damaged or nothing', async () => {
    expect(await refusal(docx(''))).toBe('document.empty');
    expect(await refusal(docx('<w:p>'))).toBe('document.malformed');
    expect(await refusal(docx(paragraph('a')).slice(0, 400))).toBe('document.malformed');
    expect(await refusal(zip([{ name: 'a.txt', content: 'hello' }]), 'a.docx')).toBe('document.unknown_type');
    expect(await refusal(zip([{ name: 'a.txt', content: 'hello', flags: 1 }]), 'a.docx')).toBe('document.encrypted');
    const cover = Buffer.concat([
      Buffer.from('d0cf11e0a1b11ae1', 'hex'),
      Buffer.alloc(512),
      Buffer.from('EncryptedPackage', 'utf16le'),
    ]);
    expect(await refusal(cover, 'a.docx')).toBe('document.encrypted');
    expect(await refusal(cover.subarray(0, 300), 'a.doc')).toBe('document.unknown_type');
  });
});

describe('PPTX', () => {
  it('has a page a slide, its title first', async () => {
    const document = await read(
      pptx([
        { shapes: shape(['point one', 'point two']) + shape(['Slide one'], { type: 'title' }) },
        { shapes: shape(['Slide two'], { type: 'ctrTitle' }) + shape(['text']) },
      ]),
      'talk.pptx',
    );
    expect(document).toMatchObject({ pages: 2, title: 'Slide one' });
    expect(document.blocks.map(({ page, text }) => `${page} ${text}`)).toEqual([
      '1 Slide one',
      '1 - point one\n- point two',
      '2 Slide two',
      '2 text',
    ]);
  });

  it.each([
    ['hidden slides', { shapes: shape(['SECRET']), isHidden: true }],
    ['hidden shapes', { shapes: shape(['SECRET'], { properties: 'hidden="1"' }) }],
    [
      'hidden groups',
      { shapes: `<p:grpSp><p:nvGrpSpPr><p:cNvPr hidden="1"/></p:nvGrpSpPr>${shape(['SECRET'])}</p:grpSp>` },
    ],
    [
      'shapes beside the slide',
      { shapes: shape(['SECRET'], { place: '<a:xfrm><a:off x="9999999" y="0"/><a:ext cx="100" cy="100"/></a:xfrm>' }) },
    ],
    ['text of one point', { shapes: shape(['SECRET'], { run: 'sz="100"' }) }],
  ])('leaves out %s, and says so', async (_what, slide) => {
    const document = await read(pptx([{ shapes: shape(['seen']) }, slide]));
    expect(document.text).toBe('seen');
    expect(document.notes.length).toBeGreaterThan(0);
    expect(document.pages).toBe(2);
  });

  it('has at most so many slides', async () => {
    const slides = Array.from({ length: 5 }, () => ({ shapes: shape(['a']) }));
    expect(await refusal(pptx(slides), 'a', { maxPages: 4 })).toBe('document.too_many_pages');
  });
});

describe('XLSX', () => {
  it('has a heading and a table a sheet, with values as they are shown', async () => {
    const cells =
      '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="D2" s="1"><v>45292</v></c><c r="E2"><v>0.30000000000000004</v></c><c r="F2" t="b"><v>1</v></c><c r="G2" s="3"><v>45292.5</v></c></row>';
    const document = await read(
      xlsx([{ name: 'Stock', rows: row(1, ['Name', '', '', 'Day', 'Sum', 'On']) + cells }], ['Tea']),
      'list.xlsx',
    );
    expect(document.title).toBe('list');
    expect(outline(document)).toEqual([
      'heading1: Stock',
      'table: Name | Day | Sum | On | \nTea | 2024-01-01 | 0.3 | TRUE | 2024-01-01 12:00:00',
    ]);
  });

  it.each([
    ['hidden sheets', { name: 'B', rows: row(1, ['SECRET']), state: 'hidden' }],
    ['very hidden sheets', { name: 'B', rows: row(1, ['SECRET']), state: 'veryHidden' }],
    ['hidden rows', { name: 'B', rows: row(1, ['SECRET'], 'hidden="1"') }],
    ['rows of no height', { name: 'B', rows: row(1, ['SECRET'], 'ht="0" customHeight="1"') }],
    [
      'hidden columns',
      { name: 'B', rows: row(1, ['SECRET']), columns: '<cols><col min="1" max="1" hidden="1"/></cols>' },
    ],
    [
      'cells formatted to show nothing',
      { name: 'B', rows: '<row r="1"><c r="A1" s="2" t="str"><v>SECRET</v></c></row>' },
    ],
  ])('leaves out %s, and says so', async (_what, sheet) => {
    const document = await read(xlsx([{ name: 'A', rows: row(1, ['seen']) }, sheet]));
    expect(document.text).toBe('A\n\nseen');
    expect(document.notes).toHaveLength(1);
  });

  it('is not made wide by one far cell, and refused when it has too many', async () => {
    const far = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>';
    expect((await read(xlsx([{ name: 'A', rows: far }]))).text).toBe('A\n\n1 | \n | 2');
    expect(await refusal(xlsx([{ name: 'A', rows: row(1, ['a', 'b']).repeat(60) }]), 'a', { maxTableCells: 100 })).toBe(
      'document.too_many_cells',
    );
  });
});
