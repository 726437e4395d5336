/** The formats that are text: plain, Markdown, CSV, JSON and JSON lines. */
import { parse as parseCsv } from 'csv-parse/sync';
import { type Options as MarkdownOptions, micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import { type DocumentBuilder, oneLine } from './document-builder.js';
import { documentError } from './document-errors.js';
import { readHtml } from './html-reader.js';

/** Tried at the start of each run of blanks only: from every blank of a long run it would be quadratic. */
const trailingBlanks = /(?<![^\S\n])[^\S\n]+$/gm;

/** Pieces between matches, one at a time: an array of all could be larger than the heap allows. */
function* piecesBetween(text: string, separator: RegExp): Generator<string> {
  let from = 0;
  for (const match of text.matchAll(separator)) {
    yield text.slice(from, match.index);
    from = match.index + match[0].length;
  }
  yield text.slice(from);
}

/** Blank lines part paragraphs; a page break does too. */
export function readPlainText(text: string, builder: DocumentBuilder): void {
  for (const paragraph of piecesBetween(builder.visible(text.replaceAll('\f', '\n\n')), /\n[^\S\n]*\n\s*/g))
    builder.add('paragraph', paragraph.replace(trailingBlanks, ''));
}

/** A front matter (`---`) is for machines, but for its title. */
function frontMatter(text: string): { readonly title: string; readonly rest: string } {
  const match = /^---[^\S\n]*\n([\s\S]{0,20000}?)\n(?:---|\.\.\.)[^\S\n]*(?:\n|$)/.exec(text);
  if (!match) return { title: '', rest: text };
  const title = /^title:[^\S\n]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\n]*))/m.exec(match[1] ?? '');
  return { title: title?.[1] ?? title?.[2] ?? title?.[3] ?? '', rest: text.slice(match[0].length) };
}

/** The parser's cost grows with the square of how deep quotes and lists of one line are. */
function checkContainers(text: string, builder: DocumentBuilder): void {
  const { maxDepth } = builder.limits;
  for (const match of text.matchAll(/^(?:[ \t]{0,3}(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t]))[ \t]?)+/gm)) {
    if (match[0].length < maxDepth) continue;
    builder.checkDepth(match[0].match(/>|[-+*]|\d+[.)]/g)?.length ?? 0);
  }
  // A list in a list is indented by its depth.
  for (const match of text.matchAll(/^[ \t]+(?=(?:[-+*]|\d{1,9}[.)])[ \t])/gm))
    builder.checkDepth(match[0].length >> 1);
  for (const match of text.matchAll(/[[({<*_~!]{200,}/g)) builder.checkDepth(match[0].length);
}

const { exit, ...restOfGfm } = gfmHtml();
// Scripts and the like are left as they are, not shown as text: the HTML reader knows what to do with them.
const { htmlFlowData: _flow, htmlTextData: _text, ...gfmExit } = exit ?? {};
const html: NonNullable<MarkdownOptions['htmlExtensions']>[number] = { ...restOfGfm, exit: gfmExit };

/** GitHub's Markdown, with whatever HTML is in it read as HTML is. */
export function readMarkdown(given: string, builder: DocumentBuilder): void {
  const { title, rest } = frontMatter(given.replace(/\r\n?/g, '\n'));
  builder.setTitle(title);
  checkContainers(rest, builder);
  readHtml(micromark(rest, { allowDangerousHtml: true, extensions: [gfm()], htmlExtensions: [html] }), builder);
}

const delimiters = [',', ';', '\t', '|'] as const;

/** The one that parts the first lines into the same number of fields most often. */
function delimiterOf(text: string): string {
  const lines = text
    .slice(0, 64 * 1024)
    .replace(/"(?:[^"]|"")*"/g, '')
    .split(/\r\n?|\n/, 20)
    .filter((line) => line !== '');
  let best: { readonly delimiter: string; readonly score: number } = { delimiter: ',', score: 0 };
  for (const delimiter of delimiters) {
    const counts = lines.map((line) => line.split(delimiter).length - 1);
    const first = counts[0] ?? 0;
    const score = first === 0 ? 0 : counts.filter((count) => count === first).length * 100 + first;
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}

/** One table, its first line the header. Quotes that do not match are taken as they stand. */
export function readCsv(text: string, builder: DocumentBuilder): void {
  let rows: string[][];
  try {
    rows = parseCsv(text, {
      delimiter: delimiterOf(text),
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      max_record_size: 4 * 1024 * 1024,
      on_record: (record: string[]) => {
        builder.countCells(record.length);
        return record;
      },
    });
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('CSV_'))
      throw documentError('document.malformed', 'A quoted field does not end.', error);
    throw error;
  }
  builder.addTable(rows);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Brackets outside of strings, before anything is built. */
function checkJsonDepth(text: string, builder: DocumentBuilder): void {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) {
      for (index++; index < text.length && text.charCodeAt(index) !== 0x22; index++)
        if (text.charCodeAt(index) === 0x5c) index++;
    } else if (code === 0x7b || code === 0x5b) builder.checkDepth(++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
}

/** `path: value` a line, for everything below. */
function jsonLines(value: unknown, path: string, lines: string[]): void {
  if (!isObject(value)) {
    if (value === null || value === '') return;
    const text = oneLine(String(value));
    lines.push(path === '' ? text : `${path}: ${text}`);
  } else if (Array.isArray(value) && value.every((item) => !isObject(item))) {
    const items = value.filter((item) => item !== null && item !== '').map((item) => oneLine(String(item)));
    if (items.length > 0) lines.push(path === '' ? items.join(', ') : `${path}: ${items.join(', ')}`);
  } else {
    for (const [key, item] of Object.entries(value)) {
      const name = Array.isArray(value) ? String(Number(key) + 1) : oneLine(key);
      jsonLines(item, path === '' ? name : `${path}.${name}`, lines);
    }
  }
}

/** A member or item a paragraph: what belongs together stays together. */
function addJson(value: unknown, builder: DocumentBuilder): void {
  const parts: (readonly [string, unknown])[] = !isObject(value)
    ? [['', value]]
    : Array.isArray(value)
      ? value.every((item) => !isObject(item))
        ? [['', value]]
        : value.map((item) => ['', item] as const)
      : Object.entries(value).map(([key, item]) => [oneLine(key), item] as const);
  let simple: string[] = [];
  const flush = (): void => {
    if (simple.length > 0) builder.add('paragraph', simple.join('\n'));
    simple = [];
  };
  for (const [name, part] of parts) {
    const lines: string[] = [];
    jsonLines(part, name, lines);
    if (!isObject(part)) simple.push(...lines);
    else {
      flush();
      builder.add('paragraph', lines.join('\n'));
    }
  }
  flush();
}

const titleKeys = ['title', 'name', 'headline', 'subject'];

/** False: it is not JSON, or no object or array; nothing was added. */
export function readJson(text: string, builder: DocumentBuilder): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  let value: unknown;
  checkJsonDepth(text, builder);
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }
  if (isObject(value) && !Array.isArray(value)) {
    const title = titleKeys
      .map((key) => (value as Record<string, unknown>)[key])
      .find((one) => typeof one === 'string');
    if (title) builder.setTitle(title as string);
  }
  addJson(value, builder);
  return true;
}

/** False: not every line is an object; nothing was added. */
export function readJsonLines(text: string, builder: DocumentBuilder): boolean {
  if (!/^\s*\{/.test(text)) return false;
  const values: unknown[] = [];
  for (const line of piecesBetween(text, /\n+/g)) {
    if (line.trim() === '') continue;
    if (!line.trimStart().startsWith('{')) return false;
    checkJsonDepth(line, builder);
    try {
      values.push(JSON.parse(line));
    } catch {
      return false;
    }
  }
  addJson(values, builder);
  return true;
}
