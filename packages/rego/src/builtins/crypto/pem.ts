/** PEM blocks (RFC 7468), found as leniently as Go's encoding/pem finds them. */
import { work } from '../../values/index.js';
import { BASE64, decodeBase64 } from '../bytes.js';
import { BuiltinFailure } from '../errors.js';

export interface PemBlock {
  readonly type: string;
  readonly bytes: Uint8Array;
}

const BEGIN = /(?:^|\n)-----BEGIN ([^\n]{0,256}?)-----[ \t]*\r?\n/g;
const END = /-----END ([^\n]{0,256}?)-----[ \t]*(?:\r?\n|$)/g;

function find(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(text);
}

function decodeBody(body: string): Uint8Array | undefined {
  work(body.length >> 4);
  const encoded = body.replace(/^(?:[^\n:]+:[^\n]*\n)+\r?\n/, '');
  try {
    return decodeBase64(encoded.replace(/[ \t\r\n]/g, ''), BASE64);
  } catch (error) {
    if (error instanceof BuiltinFailure) return undefined;
    throw error;
  }
}

/** The first block of a text, and what follows it; undefined when there is none. Cost: each line is looked at once. */
export function decodePem(text: string): { readonly block: PemBlock; readonly rest: string } | undefined {
  work(text.length >> 6);
  let end: RegExpExecArray | null = null;
  for (let begin = find(BEGIN, text, 0); begin !== null; begin = find(BEGIN, text, begin.index + 1)) {
    const start = begin.index + begin[0].length;
    if (end === null || end.index < start) end = find(END, text, start);
    if (end === null) return undefined;
    const [, type = ''] = begin;
    if (type !== end[1]) continue;
    const bytes = decodeBody(text.slice(start, end.index));
    if (bytes !== undefined) return { block: { type, bytes }, rest: text.slice(end.index + end[0].length) };
  }
  return undefined;
}

/** All blocks of a text. */
export function pemBlocks(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  for (let next = decodePem(text); next !== undefined; next = decodePem(next.rest)) blocks.push(next.block);
  return blocks;
}
