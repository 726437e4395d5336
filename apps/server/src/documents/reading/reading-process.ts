/**
 * A reading process: one job at a time, each answered once. It holds nothing between jobs and is ended without warning when a job costs too much.
 * A thread of it looks 20 times a second whether its memory is within `argv[2]` MiB and its parent is still there, and kills it when not:
 * a job may keep the process itself busy for minutes. Bundled as `reading-program.mjs` beside the server; from the sources that file
 * bundles this one as it starts.
 */
import { writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
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

const watch = `
  const { workerData: { maxBytes, parent } } = require('node:worker_threads');
  setInterval(() => {
    if (process.memoryUsage.rss() > maxBytes || process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
  }, 50);`;
const maxBytes = Number(process.argv[2]) * 1024 * 1024;
new Worker(watch, { eval: true, workerData: { maxBytes, parent: process.ppid } }).unref();
try {
  // Linux: should the machine run out of memory, this one goes and not the server.
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // Elsewhere there is no such file.
}

process.on('message', ({ bytes, ...job }: ReadingJob) => {
  // Bytes of a `Buffer` come as one, which PDF.js refuses.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  void answer({ ...job, bytes: plain }).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit());
// The server stops in good order and ends this one when it has; a key pressed in its terminal is for all of its processes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
// PDF.js leaves promises behind whose failure is reported elsewhere already; a process that ended by one would fail the next job.
process.on('unhandledRejection', () => undefined);
