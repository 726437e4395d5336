/** One reader for a test file, closed when its tests are over; what it says of a refused file is a value to compare. */
import { isBailiwickError } from '@bailiwick/contract';
import { afterAll } from 'vitest';
import { type DocumentReaderOptions, openDocumentReader } from '../document-reader.js';
import type { ReadDocument } from '../read-document.js';
import type { ReadingLimits } from '../reading-limits.js';

export interface ReaderForTests {
  read(content: string | Uint8Array, name?: string, limits?: Partial<ReadingLimits>): Promise<ReadDocument>;
  /** The refusal's reason; throws when the file is read, or something else is thrown. */
  refusal(content: string | Uint8Array, name?: string, limits?: Partial<ReadingLimits>): Promise<string>;
}

export function readerForTests(options: DocumentReaderOptions = {}): ReaderForTests {
  const reader = openDocumentReader(options);
  afterAll(() => reader.close());
  const read: ReaderForTests['read'] = (content, name = 'file', limits = {}) =>
    reader.readDocument(typeof content === 'string' ? new TextEncoder().encode(content) : content, { name, limits });
  return {
    read,
    async refusal(content, name, limits) {
      try {
        const { text } = await read(content, name, limits);
        return `read: ${text.slice(0, 200)}`;
      } catch (error) {
        if (!isBailiwickError(error)) throw error;
        return error.details.reason;
      }
    },
  };
}
