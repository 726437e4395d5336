/** A dataset as the RAG service takes it in: each document read, cut into passages and embedded. Vectors are kept in `.cache` under the hash of their texts. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CorpusDocument } from '../../apps/cli/src/rag/dataset.js';
import { searchedText } from '../../apps/server/src/documents/document-chunks.js';
import { openDocumentReader } from '../../apps/server/src/documents/reading/document-reader.js';
import type { Embedder } from '../../apps/server/src/ports/embedder.port.js';

export interface EmbeddedPassage {
  readonly id: string;
  readonly document: number;
  readonly text: string;
  readonly vector: Float32Array;
}

/** Passages of all documents, in order. */
export async function takeIn(corpus: readonly CorpusDocument[], embedder: Embedder): Promise<EmbeddedPassage[]> {
  const reader = openDocumentReader();
  const texts: { readonly document: number; readonly text: string }[] = [];
  for (const [document, { _id, title = '', text }] of corpus.entries()) {
    const { passages } = await reader.readPassages(Buffer.from(text), {
      ...{ name: `${_id}.txt`, chunking: { targetTokens: 200, maxTokens: 256 } },
    });
    for (const passage of passages) texts.push({ document, text: searchedText(title, passage) });
  }
  await reader.close();
  const vectors = await embedAll(
    embedder,
    texts.map(({ text }) => text),
  );
  return texts.map(({ document, text }, at) => ({ id: `${document}:${at}`, document, text, vector: vectors[at] as Float32Array }));
}

export async function embedAll(embedder: Embedder, texts: readonly string[]): Promise<Float32Array[]> {
  const name = createHash('sha256').update(JSON.stringify([embedder.model, texts])).digest('hex').slice(0, 24);
  const folder = join(process.cwd(), '.cache', 'bench-rag');
  const file = join(folder, `${name}.f32`);
  const { dimensions } = embedder;
  if (!existsSync(file)) {
    const all = new Float32Array(texts.length * dimensions);
    for (let at = 0; at < texts.length; at += 32) {
      const some = await embedder.embed(texts.slice(at, at + 32));
      for (const [place, vector] of some.entries()) all.set(vector, (at + place) * dimensions);
      if (at % 1024 === 0) console.error(`  ${at} of ${texts.length} texts embedded`);
    }
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, Buffer.from(all.buffer));
  }
  const bytes = readFileSync(file);
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  return texts.map((_text, at) => all.subarray(at * dimensions, (at + 1) * dimensions));
}
