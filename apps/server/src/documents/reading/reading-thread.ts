/**
 * A reading thread: one job at a time, each answered once. It holds nothing between jobs and is ended without warning when a job costs too much.
 * Bundled as `reading-worker.mjs` beside the server; from the sources that file bundles this one as it starts.
 */
import { parentPort } from 'node:worker_threads';
import { type BailiwickError, isBailiwickError } from '@bailiwick/contract';
import { chunkDocument } from '../chunking/chunk-document.js';
import { documentError } from './document-errors.js';
import { readBytes } from './read-bytes.js';
import { packBlocks, type ReadingJob, type ReadingReply } from './reading-messages.js';

function refusal({ kind, details: { reason, message } }: BailiwickError): ReadingReply {
  return { ok: false, kind, reason, message };
}

async function answer({ bytes, name, limits, chunking }: ReadingJob): Promise<ReadingReply> {
  try {
    const document = await readBytes({ bytes, name, limits });
    const { blocks, ...rest } = document;
    const packed = packBlocks(chunking ? [] : blocks);
    return { ok: true, document: { ...rest, packed, passages: chunking ? chunkDocument(document, chunking) : [] } };
  } catch (error) {
    if (isBailiwickError(error)) return refusal(error);
    // V8's own words: there is no code to tell these by.
    const message = error instanceof RangeError ? error.message : '';
    if (/call stack/.test(message)) return refusal(documentError('document.nested_too_deeply'));
    if (/allocation failed|Invalid (?:string|array|typed array)/.test(message))
      return refusal(documentError('document.takes_too_much_memory'));
    return { ok: false, fault: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

parentPort?.on('message', (job: ReadingJob) => {
  void answer(job).then((reply) => parentPort?.postMessage(reply));
});
// PDF.js leaves promises behind whose failure is reported elsewhere already; a thread that ended by one would fail the next job.
process.on('unhandledRejection', () => undefined);
