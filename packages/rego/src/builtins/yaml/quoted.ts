/** Quoted and block scalars. Each function leaves the reader just behind the scalar. */
import { work } from '../../values/index.js';
import type { FlowReader } from './flow-reader.js';

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\u0007',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\u001b',
  ' ': ' ',
  '"': '"',
  "'": "'",
  '/': '/',
  '\\': '\\',
  N: '\u0085',
  _: '\u00a0',
  L: '\u2028',
  P: '\u2029',
};
const HEX_LENGTHS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** A text without the blanks at its end, of which those before `kept` are meant. */
function withoutBlanks(text: string, kept = 0): string {
  let end = text.length;
  while (end > kept && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--;
  return end === text.length ? text : text.slice(0, end);
}

/** Folds the line break at the reader's place, and those that follow, as quoted scalars do. */
function foldBreaks(reader: FlowReader): string {
  let breaks = 0;
  work(2);
  while (reader.text[reader.at] === '\n') {
    breaks++;
    reader.at++;
    if (reader.isMarker('---') || reader.isMarker('...')) throw reader.error('found unexpected document indicator');
    while (reader.text[reader.at] === ' ' || reader.text[reader.at] === '\t') reader.at++;
  }
  return breaks > 1 ? '\n'.repeat(breaks - 1) : ' ';
}

export function readSingleQuoted(reader: FlowReader): string {
  const start = reader.at;
  let out = '';
  for (reader.at++; ; ) {
    const character = reader.text[reader.at];
    if (character === undefined) throw reader.error('found unexpected end of stream', start);
    if (character === '\n') out = withoutBlanks(out) + foldBreaks(reader);
    else if (character !== "'") {
      if ((reader.at & 63) === 0) work(16);
      out += character;
      reader.at++;
    } else if (reader.text[reader.at + 1] === "'") {
      out += "'";
      reader.at += 2;
    } else {
      reader.at++;
      return out;
    }
  }
}

function readEscape(reader: FlowReader): string {
  const letter = reader.text[reader.at + 1] ?? '';
  const length = HEX_LENGTHS[letter];
  if (length !== undefined) {
    const digits = reader.text.slice(reader.at + 2, reader.at + 2 + length);
    const point = /^[0-9a-fA-F]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : -1;
    if (point < 0) throw reader.error('did not find expected hexdecimal number');
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      throw reader.error('found invalid Unicode character escape code');
    }
    reader.at += 2 + length;
    return String.fromCodePoint(point);
  }
  const known = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
  if (known === undefined) throw reader.error('found unknown escape character');
  reader.at += 2;
  return known;
}

export function readDoubleQuoted(reader: FlowReader): string {
  const start = reader.at;
  let out = '';
  let kept = 0;
  for (reader.at++; ; ) {
    const character = reader.text[reader.at];
    if (character === undefined) throw reader.error('found unexpected end of stream', start);
    if (character === '"') {
      reader.at++;
      return out;
    }
    if (character === '\n') {
      out = withoutBlanks(out, kept) + foldBreaks(reader);
    } else if (character === '\\' && reader.text[reader.at + 1] === '\n') {
      reader.at++;
      const folded = foldBreaks(reader);
      out += folded === ' ' ? '' : folded;
      kept = out.length;
    } else if (character === '\\') {
      out += readEscape(reader);
      kept = out.length;
    } else {
      if ((reader.at & 63) === 0) work(16);
      out += character;
      reader.at++;
    }
  }
}

interface BlockHeader {
  readonly isFolded: boolean;
  readonly chomp: '' | '-' | '+';
  /** Undefined when it is to be found from the first line. */
  readonly indent: number | undefined;
}

function readHeader(reader: FlowReader, parent: number): BlockHeader {
  const match = /^([|>])(?:([-+])([1-9])?|([1-9])([-+])?)?[ \t]*(?:#[^\n]*)?(?=\n|$)/.exec(
    reader.text.slice(
      reader.at,
      reader.text.indexOf('\n', reader.at) < 0 ? undefined : reader.text.indexOf('\n', reader.at),
    ),
  );
  if (match === null) throw reader.error('did not find expected comment or line break');
  reader.at += match[0].length + 1;
  const digit = match[3] ?? match[4];
  return {
    isFolded: match[1] === '>',
    chomp: (match[2] ?? match[5] ?? '') as '' | '-' | '+',
    indent: digit === undefined ? undefined : Math.max(parent, 0) + Number(digit),
  };
}

/** The lines of the scalar without their indentation; ends before the first that is indented less. */
function readLines(reader: FlowReader, parent: number, fixed: number | undefined): readonly string[] {
  const lines: string[] = [];
  let indent = fixed;
  while (reader.at < reader.text.length) {
    const end = reader.text.indexOf('\n', reader.at);
    const line = reader.text.slice(reader.at, end < 0 ? undefined : end);
    const spaces = (/^ */.exec(line) as RegExpExecArray)[0].length;
    const isEmpty = spaces === line.length;
    if (!isEmpty) {
      if (reader.isMarker('---') || reader.isMarker('...')) break;
      indent ??= spaces > parent ? spaces : undefined;
      if (indent === undefined || spaces < indent) break;
    }
    work(2 + (line.length >> 6));
    lines.push(isEmpty && (indent === undefined || spaces <= indent) ? '' : line.slice(indent));
    reader.at = end < 0 ? reader.text.length : end + 1;
  }
  return lines;
}

/** Joins lines with spaces, except around empty lines and lines that begin with white space. */
function fold(lines: readonly string[]): string {
  let out = '';
  /** The last line that is not empty. */
  let before: string | undefined;
  for (const [i, line] of lines.entries()) {
    work(1 + (line.length >> 6));
    const last = before;
    if (line !== '') before = line;
    if (i === 0) {
      out = line;
      continue;
    }
    const previous = lines[i - 1] as string;
    const isSpaced = /^[ \t]/.test(line);
    if (line === '') {
      out += '\n';
      continue;
    }
    if (previous === '') {
      out += last === undefined || /^[ \t]/.test(last) || isSpaced ? `\n${line}` : line;
    } else out += (isSpaced || /^[ \t]/.test(previous) ? '\n' : ' ') + line;
  }
  return out;
}

export function readBlockScalar(reader: FlowReader, parent: number): string {
  const header = readHeader(reader, parent);
  const lines = [...readLines(reader, parent, header.indent)];
  let trailing = 0;
  while (lines.at(-1) === '') {
    lines.pop();
    trailing++;
  }
  const isCut = reader.at >= reader.text.length && !reader.text.endsWith('\n');
  if (reader.text[reader.at - 1] === '\n') reader.at--;
  const body = header.isFolded ? fold(lines) : lines.join('\n');
  if (isCut && trailing === 0) return body;
  if (header.chomp === '+') return body + '\n'.repeat(trailing + (lines.length > 0 ? 1 : 0));
  return header.chomp === '-' || lines.length === 0 ? body : `${body}\n`;
}
