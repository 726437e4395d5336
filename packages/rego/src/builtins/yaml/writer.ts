/** Writes values as YAML in the layout of go-yaml v3 with an indent of two, as OPA has it. */
import {
  BigNumber,
  entriesOf,
  isArray,
  isInteger,
  isObject,
  numberText,
  type ObjectValue,
  toDouble,
  type Value,
} from '../../values/index.js';
import { formatFloat } from '../go-float.js';
import { compareKeys } from './key-order.js';
import { isAmbiguous } from './scalars.js';

const INDICATORS = /^[-?:,[\]{}#&*!|>'"%@`]/;
const PRINTABLE = /^[\n\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]*$/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\ufeff': '\\uFEFF',
  '\u2028': '\\L',
  '\u2029': '\\P',
};

function writeNumber(value: number | BigNumber): string {
  const double = toDouble(value);
  if (isInteger(value) && (!(value instanceof BigNumber) || value.toString().length <= 20)) return numberText(value);
  const text = formatFloat(Math.abs(double), { verb: 'g', precision: -1 });
  return double < 0 ? `-${text}` : text;
}

function doubleQuoted(text: string): string {
  let out = '"';
  for (const character of text) {
    const known = ESCAPES[character];
    const point = character.codePointAt(0) as number;
    if (known !== undefined) out += known;
    else if (PRINTABLE.test(character)) out += character;
    else if (point <= 0xff) out += `\\x${hex(point, 2)}`;
    else out += point <= 0xffff ? `\\u${hex(point, 4)}` : `\\U${hex(point, 8)}`;
  }
  return `${out}"`;
}

const hex = (point: number, width: number): string => point.toString(16).toUpperCase().padStart(width, '0');

/** Whether the characters allow a plain scalar on one line in block context. */
function canBePlain(text: string): boolean {
  if (/^---|^\.\.\./.test(text)) return false;
  if (INDICATORS.test(text) && !/^[-?:][^\s]/.test(text)) return false;
  return !/^ | $|: |:$| #|[\u2028\u2029\u0085]/.test(text);
}

function writeLiteral(text: string, indent: string): string {
  const hint = /^[ \n\u0085\u2028\u2029]/.test(text) ? '2' : '';
  const trailing = /\n*$/.exec(text)?.[0].length ?? 0;
  const isAllBreaks = trailing === text.length;
  const chomp = trailing === 0 ? '-' : trailing > 1 || isAllBreaks ? '+' : '';
  const body = trailing === 0 ? text : text.slice(0, -1);
  const lines = body.split('\n').map((line) => (line === '' ? '' : indent + line));
  return `|${hint}${chomp}\n${lines.join('\n')}`;
}

function writeString(text: string, indent: string, isKey: boolean): string {
  const isPrintable = PRINTABLE.test(text);
  if (text.includes('\n')) {
    const fits = isPrintable && !isKey && !/ \n/.test(text) && !/ $/.test(text);
    return fits ? writeLiteral(text, indent) : doubleQuoted(text);
  }
  if (text === '' || isAmbiguous(text) || !isPrintable) return doubleQuoted(text);
  return canBePlain(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

function writeScalar(value: Value, indent: string, isKey = false): string {
  if (typeof value === 'string') return writeString(value, indent, isKey);
  return typeof value === 'number' || value instanceof BigNumber ? writeNumber(value) : String(value);
}

/** The lines of a block collection, each to be put at the indentation of the first. */
function writeBlock(value: Value, indent: string): string | undefined {
  const inner = `${indent}  `;
  if (isArray(value)) {
    if (value.length === 0) return undefined;
    return value
      .map((item) => `- ${(writeBlock(item, inner) ?? writeLeaf(item, inner)).trimStart()}`)
      .join(`\n${indent}`);
  }
  if (!isObject(value)) return undefined;
  const entries = [...entriesOf(value as ObjectValue)].sort(([a], [b]) => compareKeys(a as string, b as string));
  if (entries.length === 0) return undefined;
  const lines = entries.map(([key, member]) => {
    const block = writeBlock(member, inner);
    const literal = typeof key === 'string' && key.includes('\n') ? writeScalar(key, inner) : '';
    const name = literal.startsWith('|') ? `? ${literal}\n${indent}` : writeScalar(key, indent, true);
    return block === undefined ? `${name}: ${writeLeaf(member, inner)}` : `${name}:\n${inner}${block}`;
  });
  return lines.join(`\n${indent}`);
}

function writeLeaf(value: Value, indent: string): string {
  if (isArray(value)) return '[]';
  return isObject(value) ? '{}' : writeScalar(value, indent);
}

/** The value must be JSON-like: no sets, only string keys. */
export function writeYaml(value: Value): string {
  return `${writeBlock(value, '') ?? writeLeaf(value, '  ')}\n`;
}
