/** A dataset as the RAG service takes it in: each document read, cut into passages and embedded. Vectors are kept in `.cache` under the hash of their texts. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
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
  return texts.map(({ document, text }, at) => ({
    id: `${document}:${at}`,
    document,
    text,
    vector: vectors[at] as Float32Array,
  }));
}

/** Once a text: an interrupted run goes on where it was. */
export async function embedAll(embedder: Embedder, texts: readonly string[]): Promise<Float32Array[]> {
  const folder = join(process.cwd(), '.cache', 'bench-rag');
  const file = join(folder, `${embedder.model}.vectors`);
  mkdirSync(folder, { recursive: true });
  const known = readVectors(file, embedder.dimensions);
  const missing = [...new Set(texts)].filter((text) => !known.has(hashOf(text)));
  for (let at = 0; at < missing.length; at += 32) {
    const some = missing.slice(at, at + 32);
    for (const [place, vector] of (await embedder.embed(some)).entries()) {
      const hash = hashOf(some[place] as string);
      known.set(hash, vector);
      appendFileSync(file, Buffer.concat([Buffer.from(hash, 'hex'), Buffer.from(vector.slice().buffer)]));
    }
    if (at % 1024 === 0) console.error(`  ${at} of ${missing.length} texts embedded`);
  }
  return texts.map((text) => known.get(hashOf(text)) as Float32Array);
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Records of a hash and a vector; a broken last one is passed over. */
function readVectors(file: string, dimensions: number): Map<string, Float32Array> {
  const vectors = new Map<string, Float32Array>();
  if (!existsSync(file)) return vectors;
  const bytes = readFileSync(file);
  const size = 32 + dimensions * 4;
  for (let at = 0; at + size <= bytes.length; at += size) {
    const record = bytes.subarray(at + 32, at + size);
    const vector = new Float32Array(record.buffer.slice(record.byteOffset, record.byteOffset + record.length));
    vectors.set(bytes.toString('hex', at, at + 32), vector);
  }
  return vectors;
}
