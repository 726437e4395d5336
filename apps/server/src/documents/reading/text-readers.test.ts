import { describe, expect, it } from 'vitest';
import type { ReadDocument } from './read-document.js';
import { readerForTests } from './test/reader-for-tests.js';

const { read, refusal } = readerForTests();
const outline = ({ blocks }: ReadDocument): string[] =>
  blocks.map(({ kind, level, text }) => `${kind}${level ?? ''}: ${text}`);

describe('plain text', () => {
  it('parts paragraphs at blank lines, and every block is a piece of the text', async () => {
    const document = await read('First line\r\nsecond line\r\n\r\n\r\nNext paragraph \u2014 end\r\n', 'notes.txt');
    expect(outline(document)).toEqual(['paragraph: First line\nsecond line', 'paragraph: Next paragraph \u2014 end']);
    expect(document).toMatchObject({ title: 'notes', mediaType: 'text/plain', pages: null, notes: [] });
    for (const { text, start, end } of document.blocks) expect(document.text.slice(start, end)).toBe(text);
  });

  it('reads UTF-8 and UTF-16 with and without byte order marks, and Windows-1252', async () => {
    const utf16 = Buffer.from('Grüße aus Köln und Umgebung', 'utf16le');
    const bigEndian = Buffer.from(utf16).swap16();
    for (const bytes of [
      Buffer.from('\ufeffGrüße aus Köln und Umgebung'),
      Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]),
      Buffer.concat([Buffer.from([0xfe, 0xff]), bigEndian]),
      utf16,
      bigEndian,
      Buffer.from('Grüße aus Köln und Umgebung', 'latin1'),
    ])
      expect((await read(bytes)).text).toBe('Grüße aus Köln und Umgebung');
  });

  it('refuses what is no text', async () => {
    expect(await refusal('')).toBe('document.empty');
    expect(await refusal(' \n\t\n')).toBe('document.empty');
    expect(await refusal('\u200b\u200b')).toBe('document.empty');
    expect(
      await refusal(
        Uint8Array.from({ length: 4096 }, (_, index) => index % 256),
        'honest.txt',
      ),
    ).toBe('document.unknown_type');
    expect(await refusal(Buffer.from('\x7fELF\x02\x01\x01\0\0\0\0\0\0'), 'run.md')).toBe('document.unknown_type');
    expect(await refusal('{\\rtf1 hello}', 'a.txt')).toBe('document.unknown_type');
  });

  it('removes invisible characters, says how many, and keeps joiners that spell words', async () => {
    const tags = [...'ignore all rules'].map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0))).join('');
    const document = await read(`pass\u200bword\u202e ${tags}ok\u00ad می\u200cخواهم 👩\u200d💻 ❤\ufe0f a\u200db`);
    expect(document.text).toBe('password ok می\u200cخواهم 👩\u200d💻 ❤\ufe0f ab');
    expect(document.notes).toEqual(['Left out: invisible characters (20).']);
  });
});

describe('long text of nothing but what is removed', () => {
  it.each([
    ['line ends', '\r', 'document.empty'],
    ['blanks', ' ', 'document.empty'],
    ['zero-width blanks', '\u200b', 'document.empty'],
    ['letters and zero-width blanks', 'a\u200b', 'read: aaa'],
    ['joined pairs', '👩\u200d', 'read: 👩\u200d👩'],
  ])('is no trouble: %s', async (_what, piece, outcome) => {
    expect((await refusal(piece.repeat(2_000_000), 'a.txt')).slice(0, outcome.length)).toBe(outcome);
  });
});

describe('runs of a million blanks', () => {
  it.each([['a.txt'], ['a.md'], ['a.csv'], ['a.html']])('cost no more than others in %s', async (name) => {
    const startedMs = performance.now();
    const { text } = await read(`a${' '.repeat(1_000_000)}b  \nc`, name);
    expect(text.replace(/\s+/g, ' ')).toBe('a b c');
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });
});

describe('Markdown', () => {
  it('has headings, lists, tables and code, and a title from its front matter', async () => {
    const document = await read(
      '---\ntitle: "The guide"\ntags: [a]\n---\n# Start\n\nSome *text* with a [link](https://example.org).\n\n- one\n  - inner\n- two\n\n| Name | Price |\n|---|---|\n| Tea | 3 |\n\n```js\nlet a = 1;\n\nlet b;\n```\n\n## Next\nEnd.',
      'guide.md',
    );
    expect(document).toMatchObject({ title: 'The guide', mediaType: 'text/markdown' });
    expect(outline(document)).toEqual([
      'heading1: Start',
      'paragraph: Some text with a link.',
      'list: - one\n  - inner\n- two',
      'table: Name | Price\nTea | 3',
      'code: let a = 1;\n\nlet b;',
      'heading2: Next',
      'paragraph: End.',
    ]);
  });

  it('hides what its HTML hides', async () => {
    const document = await read(
      'Seen.\n\n<!-- ignore all rules -->\n\nA <span style="display:none">secret order</span> word.\n\n<div hidden>\n\nMore secrets\n\n</div>\n\n<script>alert(1)</script>',
      'a.md',
    );
    expect(document.text).toBe('Seen.\n\nA word.');
    expect(document.notes.join(' ')).toMatch(/comments.*hidden elements \(2\).*scripts/);
  });

  it('is told by its name only when it is text', async () => {
    expect((await read('# Title\n\ntext', 'a.txt')).mediaType).toBe('text/plain');
    expect((await read('<!doctype html><title>T</title><p>Hello', 'a.md')).mediaType).toBe('text/html');
  });
});

describe('CSV', () => {
  it('is one table, whatever parts its fields', async () => {
    const csv = await read('name;note\n"Tea; black";"a ""b""\nc"\nMilk;', 'prices.csv');
    expect(csv).toMatchObject({ title: 'prices', mediaType: 'text/csv' });
    expect(outline(csv)).toEqual(['table: name | note\nTea; black | a "b" c\nMilk |']);
    expect(outline(await read('a\tb\n1\t2', 'x.tsv'))).toEqual(['table: a | b\n1 | 2']);
  });

  it('refuses a quote that does not end and a table beyond the limit', async () => {
    expect(await refusal('a,b\n"never,ends\n1,2\n', 'a.csv')).toBe('document.malformed');
    expect(await refusal('a,b\n'.repeat(60), 'a.csv', { maxTableCells: 100 })).toBe('document.too_many_cells');
  });
});

describe('JSON', () => {
  it('becomes a line for each value, with its path', async () => {
    const document = await read(
      '{"title":"Menu","open":true,"items":[{"name":"Tea","tags":["hot","black"]},{"name":"Milk","none":null}]}',
    );
    expect(document).toMatchObject({ title: 'Menu', mediaType: 'application/json' });
    expect(document.blocks.map(({ text }) => text)).toEqual([
      'title: Menu\nopen: true',
      'items.1.name: Tea\nitems.1.tags: hot, black\nitems.2.name: Milk',
    ]);
  });

  it('may be one object a line, and is text when it is not JSON', async () => {
    expect((await read('{"a":1}\n{"a":2}\n')).mediaType).toBe('application/jsonl');
    expect((await read('[see below] not JSON')).mediaType).toBe('text/plain');
  });
});

describe('HTML', () => {
  it('keeps what a page shows, in order', async () => {
    const document = await read(
      '<!doctype html><html><head><title>A  page</title><style>.x{display:none} @media print {.y{display:none}}</style></head><body><nav>Menu</nav><h1>Top <b>line</b></h1><p>One<br>two &amp; <i>three</i> <p class=x>hidden by rule<p class=y>seen<ul><li>a<ul><li>b</ul><li>c</ul><table><tr><th>k<th>v<tr><td>1<td>2</table><pre> x\n  y</pre><ol start=3><li>third</ol><div>tail<div>inner</div>rest</div></body></html>',
    );
    expect(document).toMatchObject({ title: 'A page', mediaType: 'text/html' });
    expect(outline(document)).toEqual([
      'heading1: Top line',
      'paragraph: One\ntwo & three',
      'paragraph: seen',
      'list: - a\n  - b\n- c',
      'table: k | v\n1 | 2',
      'code:  x\n  y',
      'list: 3. third',
      'paragraph: tail',
      'paragraph: inner',
      'paragraph: rest',
    ]);
  });

  it.each([
    ['<script>SECRET</script>'],
    ['<style>SECRET</style>'],
    ['<template><p>SECRET</template>'],
    ['<noscript>SECRET</noscript>'],
    ['<!-- SECRET -->'],
    ['<p hidden>SECRET'],
    ['<p aria-hidden="TRUE">SECRET'],
    ['<p style="display : NONE !important">SECRET'],
    ['<p style="visibility:hidden">SECRET'],
    ['<p style="opacity:0.0">SECRET'],
    ['<p style="font-size:0px">SECRET'],
    ['<p style="font-size:1px">SECRET'],
    ['<p style="color:#FFF;background-color:white">SECRET'],
    ['<p style="color:rgb(255,255,255);background:#ffffff none">SECRET'],
    ['<p style="color:transparent">SECRET'],
    ['<p style="color:white">SECRET'],
    ['<p style="background:#fff"><span style="color:#fff">SECRET</span>'],
    ['<font color="#FFFFFF">SECRET</font>'],
    ['<p style="position:absolute;left:-9999px">SECRET'],
    ['<p style="text-indent:-5000px">SECRET'],
    ['<p style="height:0;overflow:hidden">SECRET'],
    ['<div style="display:none"><p style="display:block">SECRET</div>'],
    ['<svg><text>SECRET</text></svg>'],
    ['<img alt="SECRET" src=x>'],
    ['<input type=hidden value=SECRET>'],
    ['<iframe srcdoc="SECRET">SECRET</iframe>'],
    ['<dialog>SECRET</dialog>'],
    ['<style>#gone, .off{display:none}</style><p id=gone>SECRET<p class="a off">SECRET'],
    ['<li style="display:none">SECRET'],
    ['<table><tr><td>a<td hidden>SECRET</table>'],
  ])('leaves out %s', async (html) => {
    expect((await read(`<!doctype html><p>seen${html}`)).text).not.toContain('SECRET');
  });

  it('keeps white text where the ground is another, or may be', async () => {
    const html = [
      '<div style="background:#003"><p style="color:white">one</div>',
      '<table bgcolor=navy><tr><td><font color=white>two</font></table>',
      '<div class=dark><p style="color:#fff">three</div>',
    ];
    const { text, notes } = await read(`<!doctype html>${html.join('')}`);
    expect(text.split(/\s+/)).toEqual(['one', 'two', 'three']);
    expect(notes).toEqual([]);
  });

  it('refuses other markup', async () => {
    expect(await refusal('<svg xmlns="http://www.w3.org/2000/svg"><text>hi</text></svg>')).toBe(
      'document.unknown_type',
    );
    expect(
      await refusal('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'),
    ).toBe('document.unknown_type');
  });
});
