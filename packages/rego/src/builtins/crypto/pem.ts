/** PEM blocks (RFC 7468), found as leniently as Go's encoding/pem finds them. */
import { BASE64, decodeBase64 } from '../bytes.js';
import { BuiltinFailure } from '../errors.js';

export interface PemBlock {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** The first block of a text, and what follows it; undefined when there is none. */
export function decodePem(text: string): { readonly block: PemBlock; readonly rest: string } | undefined {
  const pattern = /(?:^|\n)-----BEGIN ([^\n]*?)-----[ \t]*\r?\n([\s\S]*?)-----END ([^\n]*?)-----[ \t]*(?:\r?\n|$)/g;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, type = '', body = '', end] = match;
    if (type === end) {
      try {
        const encoded = body.replace(/^(?:[^\n:]+:[^\n]*\n)+\r?\n/, '');
        const block = { type, bytes: decodeBase64(encoded.replace(/[ \t\r\n]/g, ''), BASE64) };
        return { block, rest: text.slice(match.index + match[0].length) };
      } catch (error) {
        if (!(error instanceof BuiltinFailure)) throw error;
      }
    }
    pattern.lastIndex = match.index + 1;
  }
  return undefined;
}

/** All blocks of a text. */
export function pemBlocks(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  for (let next = decodePem(text); next !== undefined; next = decodePem(next.rest)) blocks.push(next.block);
  return blocks;
}
