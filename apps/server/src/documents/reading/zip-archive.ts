/**
 * A packed file in memory, for reading by name. The directory is judged whole before anything is unpacked: sizes, ratio, entries that share
 * bytes. Names are keys of a map and nothing else: no path is ever made of one. yauzl stops an entry that turns out longer than declared.
 */
import type { Readable } from 'node:stream';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { documentError } from './document-errors.js';
import type { ReadingLimits } from './reading-limits.js';

const minRatioBytes = 4 * 1024 * 1024;
const localHeaderBytes = 30;

export class ZipArchive {
  readonly #zip: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #limits: ReadingLimits;
  #expandedBytes = 0;

  private constructor(zip: ZipFile, entries: ReadonlyMap<string, Entry>, limits: ReadingLimits) {
    this.#zip = zip;
    this.#entries = entries;
    this.#limits = limits;
  }

  /** Errors: `document.malformed`, `document.encrypted`, `document.expands_too_much`. */
  static async open(bytes: Uint8Array, limits: ReadingLimits): Promise<ZipArchive> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const entries = new Map<string, Entry>();
    let zip: ZipFile;
    try {
      zip = await fromBufferPromise(buffer, { lazyEntries: true, validateEntrySizes: true });
      if (zip.entryCount > limits.maxEntries)
        throw documentError('document.expands_too_much', `At most ${limits.maxEntries} packed entries are taken.`);
      for await (const entry of zip.eachEntry()) {
        if (entries.has(entry.fileName)) throw documentError('document.malformed', 'Two packed entries have one name.');
        entries.set(entry.fileName, entry);
      }
    } catch (error) {
      throw asMalformed(error);
    }
    judge([...entries.values()], bytes.byteLength, limits);
    return new ZipArchive(zip, entries, limits);
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** The entry's bytes in pieces; nothing when it is not there. Errors: as `open`. */
  async *read(name: string): AsyncGenerator<Uint8Array> {
    const entry = this.#entries.get(name);
    if (!entry) return;
    let stream: Readable;
    try {
      stream = await this.#zip.openReadStreamPromise(entry);
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        // Counted again as it comes: an entry that is read twice costs twice.
        this.#expandedBytes += chunk.length;
        if (this.#expandedBytes > this.#limits.maxExpandedBytes) throw documentError('document.expands_too_much');
        yield chunk;
      }
    } catch (error) {
      throw asMalformed(error);
    }
  }
}

const isOurs = (error: unknown): boolean => (error as Error).name === 'BailiwickError';

function asMalformed(error: unknown): Error {
  if (isOurs(error)) return error as Error;
  if (/too many bytes in the stream/.test((error as Error).message))
    return documentError('document.expands_too_much', 'A packed entry is longer than it says.', error);
  return documentError('document.malformed', undefined, error);
}

function judge(entries: readonly Entry[], fileBytes: number, limits: ReadingLimits): void {
  if (entries.some((entry) => entry.isEncrypted())) throw documentError('document.encrypted');
  const declared = entries.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
  if (declared > limits.maxExpandedBytes)
    throw documentError('document.expands_too_much', `At most ${limits.maxExpandedBytes} bytes are taken.`);
  if (declared > minRatioBytes && declared > fileBytes * limits.maxExpansionRatio)
    throw documentError('document.expands_too_much', `At most ${limits.maxExpansionRatio} times its size is taken.`);
  const ranges = entries
    .map((entry) => ({
      start: entry.relativeOffsetOfLocalHeader,
      end: entry.relativeOffsetOfLocalHeader + localHeaderBytes + entry.compressedSize,
    }))
    .sort((one, other) => one.start - other.start);
  for (const [index, range] of ranges.entries())
    if (range.start < (ranges[index - 1]?.end ?? 0))
      throw documentError('document.expands_too_much', 'Packed entries share their bytes.');
}
