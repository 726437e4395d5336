import { describe, expect, it } from 'vitest';
import { lines, pdf } from './test/pdf-fixture.js';
import { readerForTests } from './test/reader-for-tests.js';

const { read, refusal } = readerForTests();
const body = (count: number): { readonly text: string }[] =>
  Array.from({ length: count }, (_, index) => ({ text: `This is line ${index} of a longer paragraph that goes on` }));

describe('PDF', () => {
  it('has pages, headings by size and weight, and paragraphs by distance', async () => {
    const document = await read(
      pdf(
        [
          lines([
            { text: 'Big title', size: 20 },
            ...body(3),
            { text: 'Another one begins here.', gap: 2.5 },
            { text: 'Bold head', font: 'F2', gap: 2.5 },
            { text: 'After it.' },
          ]),
          lines([{ text: 'A hyphen-' }, { text: 'ated word.' }]),
        ],
        { title: 'The report' },
      ),
      'x.txt',
    );
    expect(document).toMatchObject({ title: 'The report', mediaType: 'application/pdf', pages: 2, notes: [] });
    expect(document.blocks.map(({ kind, level, page, text }) => `${page} ${kind}${level ?? ''} ${text}`)).toEqual([
      '1 heading1 Big title',
      '1 paragraph This is line 0 of a longer paragraph that goes on This is line 1 of a longer paragraph that goes on This is line 2 of a longer paragraph that goes on',
      '1 paragraph Another one begins here.',
      '1 heading2 Bold head',
      '1 paragraph After it.',
      '2 paragraph A hyphenated word.',
    ]);
  });

  it('puts blanks where letters are moved apart, and none where they are kerned', async () => {
    expect((await read(pdf(['BT /F1 12 Tf 50 700 Td [(W) 80 (ord) -400 (next)] TJ 60 0 Td (far) Tj ET']))).text).toBe(
      'Word next far',
    );
  });

  it('leaves out headers and footers that run through the pages', async () => {
    const pages = Array.from({ length: 4 }, (_, index) =>
      lines([
        { text: 'Company secret paper' },
        { text: `Text of page ${'abcd'[index]} alone.`, gap: 4 },
        { text: `Page ${index + 1} of 4`, gap: 4 },
      ]),
    );
    const document = await read(pdf(pages));
    expect(document.text).toBe(
      'abcd'
        .split('')
        .map((letter) => `Text of page ${letter} alone.`)
        .join('\n\n'),
    );
    expect(document.notes).toEqual(['Left out: running headers and footers (8).']);
  });

  it.each([
    ['in rendering mode 3', '3 Tr'],
    ['white on nothing', '1 1 1 rg'],
    ['nearly white on nothing', '0.99 g'],
    ['white on a white ground', '1 g 0 0 600 900 re f'],
    ['transparent', '/G0 gs'],
    ['tiny', '0.01 0 0 0.01 50 500 cm'],
    ['beside the page', '1 0 0 1 900 0 cm'],
  ])('leaves out text that is %s, and says so', async (_what, before) => {
    const document = await read(
      pdf([lines([{ text: 'What people see.' }, { text: 'SECRET', before }])], {
        resources: '/ExtGState << /G0 << /ca 0 >> >>',
      }),
    );
    expect(document.text).toBe('What people see.');
    expect(document.notes).toEqual(['Left out: hidden pieces of text (1).']);
  });

  it('leaves out a layer that is off', async () => {
    const document = await read(
      pdf([`${lines([{ text: 'seen' }])} /OC /L0 BDC ${lines([{ text: 'SECRET' }])} EMC`], {
        resources: '/Properties << /L0 100 0 R >>',
        catalog: '/OCProperties << /OCGs [100 0 R] /D << /OFF [100 0 R] >> >>',
        objects: ['<< /Type /OCG /Name (hidden) >>'],
      }),
    );
    expect(document.text).toBe('seen');
  });

  it('keeps white text on a dark ground and on a picture', async () => {
    const ground = '0 0 0.5 rg 0 0 600 900 re f 1 g';
    expect((await read(pdf([lines([{ text: 'on blue', before: ground }])]))).text).toBe('on blue');
    const image =
      '<< /Type /XObject /Subtype /Image /Width 9 /Height 9 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 81 >>\nstream\n'.concat(
        'x'.repeat(81),
        '\nendstream',
      );
    const picture = 'q 595 0 0 842 0 0 cm /I0 Do Q 1 g';
    expect(
      (
        await read(
          pdf([lines([{ text: 'on a photo', before: picture }])], {
            resources: '/XObject << /I0 100 0 R >>',
            objects: [image],
          }),
        )
      ).text,
    ).toBe('on a photo');
  });

  it('is refused without text, without a key, with too many pages, damaged', async () => {
    expect(await refusal(pdf(['0 0 100 100 re f']))).toBe('document.no_text');
    expect(await refusal(pdf([lines([{ text: 'SECRET', before: '3 Tr' }])]))).toBe('document.no_text');
    const encrypt = `/Encrypt << /Filter /Standard /V 1 /R 2 /O <${'ab'.repeat(32)}> /U <${'cd'.repeat(32)}> /P -4 >> /ID [<00> <00>]`;
    expect(await refusal(pdf([lines([{ text: 'a' }])], { trailer: encrypt }))).toBe('document.encrypted');
    const page = lines([{ text: 'a' }]);
    expect(await refusal(pdf([page, page, page]), 'a', { maxPages: 2 })).toBe('document.too_many_pages');
    expect((await read(pdf([page], { declaredPages: 1_000_000_000 }))).pages).toBe(1);
    expect(await refusal('%PDF-1.7\nnothing of the kind')).toBe('document.malformed');
  });

  it('leaves out scripts, and says so', async () => {
    const document = await read(
      pdf([lines([{ text: 'seen' }])], {
        catalog:
          '/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> /Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (app.alert\\(1\\)) >>] >> >>',
      }),
    );
    expect(document.notes).toEqual(['Left out: scripts (1).']);
    expect(document.text).toBe('seen');
  });
});
