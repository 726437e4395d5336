/** Passages of a document as the catalog keeps them: each with a name that stays when its text stays, and the text that is embedded and searched. */
import { createHash } from 'node:crypto';
import type { Chunk } from '../ports/document-catalog.port.js';
import type { Passage } from './chunking/chunk-document.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Of a title or a heading: models read the beginning of a text only, and that is to be the passage. */
const maxTitleChars = 250;
const maxHeadings = 4;

/** What is embedded and searched by words: the passage under the title and headings it stands below. */
export function searchedText(title: string, chunk: Pick<Chunk, 'headings' | 'text'>): string {
  const above = [title, ...chunk.headings.slice(-maxHeadings)].map((part) => part.slice(0, maxTitleChars));
  return [...above, chunk.text].filter((part) => part !== '').join('\n');
}

/** `generation` is the one they will be shown in. */
export function toChunks(
  document: { readonly id: string; readonly title: string },
  generation: number,
  passages: readonly Passage[],
): Chunk[] {
  const seen = new Map<string, number>();
  return passages.map(({ text, headings, page, start, end }, ordinal) => {
    const hash = sha256(searchedText(document.title, { headings, text }));
    const again = seen.get(hash) ?? 0;
    seen.set(hash, again + 1);
    const id = sha256(`${document.id}\n${hash}\n${again}`).slice(0, 32);
    return { id, documentId: document.id, generation, ordinal, text, headings, page, start, end, hash };
  });
}
