/**
 * Replacement in one pass from the left, as Go's strings.Replacer: at each position the first
 * pattern of the list that matches wins, and replaced text is not looked at again. Patterns are
 * found by their first character. An empty pattern matches between bytes.
 */
import { holdText, work } from '../values/index.js';
import type { BuiltinContext } from './builtin.js';

/** Output beyond this many characters is charged for, so that growth is bounded by the budget. */
const CHARGE_SHIFT = 6;

export function replaceAll(text: string, [from, to]: readonly [string, string], context: BuiltinContext): string {
  if (from === '') return replaceMany(text, [[from, to]], context);
  const parts = text.split(from);
  context.charge((text.length + parts.length * to.length) >> CHARGE_SHIFT);
  holdText(text.length + (parts.length - 1) * (to.length - from.length));
  return parts.length === 1 ? text : parts.join(to);
}

type Pair = readonly [from: string, to: string];

function byFirstUnit(pairs: readonly Pair[]): ReadonlyMap<number, readonly Pair[]> {
  const index = new Map<number, Pair[]>();
  for (const pair of pairs) {
    if (pair[0] === '') continue;
    const first = pair[0].charCodeAt(0);
    const bucket = index.get(first);
    if (bucket === undefined) index.set(first, [pair]);
    else bucket.push(pair);
  }
  return index;
}

/** A character for each byte of the text's UTF-8. */
function bytesOf(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}

function textOf(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
}

/** The pairs must be in order of priority, an empty pattern first. */
export function replaceMany(text: string, pairs: readonly Pair[], context: BuiltinContext): string {
  const empty = pairs.find(([from]) => from === '');
  // An empty pattern matches between the bytes of a character, too.
  if (empty !== undefined && empty[1] !== '' && /\P{ASCII}/u.test(text)) {
    const inBytes = pairs.map(([from, to]) => [bytesOf(from), bytesOf(to)] as const);
    return textOf(replaceUnits(bytesOf(text), inBytes, context));
  }
  return replaceUnits(text, pairs, context);
}

function replaceUnits(text: string, pairs: readonly Pair[], context: BuiltinContext): string {
  const index = byFirstUnit(pairs);
  const empty = pairs.find(([from]) => from === '');
  let out = '';
  let copied = 0;
  let wasEmpty = false;
  for (let at = 0; at <= text.length; ) {
    if ((at & 31) === 0) work(2);
    const canBeEmpty: boolean = !wasEmpty && empty !== undefined && !isInsidePair(text, at);
    const match = canBeEmpty ? empty : firstMatch(index.get(text.charCodeAt(at)), text, at);
    wasEmpty = canBeEmpty;
    if (match === undefined) {
      at++;
      continue;
    }
    out += text.slice(copied, at) + match[1];
    at += match[0].length;
    copied = at;
    context.charge(1 + (match[1].length >> CHARGE_SHIFT));
    holdText(match[1].length);
  }
  return copied === 0 && out === '' ? text : out + text.slice(copied);
}

function firstMatch(pairs: readonly Pair[] | undefined, text: string, at: number): Pair | undefined {
  if (pairs === undefined) return undefined;
  for (const pair of pairs) {
    work(1 + (pair[0].length >> 6));
    if (text.startsWith(pair[0], at)) return pair;
  }
  return undefined;
}

function isInsidePair(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;
}
