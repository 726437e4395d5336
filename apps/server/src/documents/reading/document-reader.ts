/**
 * Reads documents in processes of their own, so that one bad file stops nothing: a job over its time or memory loses its process, which is
 * replaced, and is refused; the others go on. Whatever a process can do to itself (V8's own end by an array that outgrows the heap
 * included) stays in it. Each watches its own memory and ends when this process has gone (`reading-process.ts`).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { BailiwickError } from '@bailiwick/contract';
import type { ChunkingOptions, Passage } from '../chunking/chunk-document.js';
import { documentError } from './document-errors.js';
import type { ReadDocument } from './read-document.js';
import { defaultReadingLimits, type ReadingLimits } from './reading-limits.js';
import { type PackedDocument, type ReadingJob, type ReadingReply, unpackBlocks } from './reading-messages.js';

export interface ReadingOptions {
  /** The file's name or address; tells Markdown and CSV from plain text, and is the title of a document without one. */
  readonly name: string;
  readonly limits?: Partial<ReadingLimits>;
  /** Ends the job: rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ReadPassages {
  readonly document: Omit<ReadDocument, 'blocks'>;
  readonly passages: readonly Passage[];
}

/** Both methods take the bytes by copy. Errors: `document-errors.ts`; jobs wait while all processes are busy. */
export interface DocumentReader {
  readDocument(bytes: Uint8Array, options: ReadingOptions): Promise<ReadDocument>;
  /** Cut in the process as well: for a long document that is work the event loop should not do. */
  readPassages(
    bytes: Uint8Array,
    options: ReadingOptions & { readonly chunking: ChunkingOptions },
  ): Promise<ReadPassages>;
  /** Waiting and running jobs reject with `document.reader_failed`. */
  close(): Promise<void>;
}

export interface DocumentReaderOptions {
  /** At most this many documents at a time; started when first needed. */
  readonly processes?: number;
  /** V8's heap of one process, in MiB. */
  readonly heapMiB?: number;
  /** All resident memory of one process (heap, buffers, code), in MiB. */
  readonly memoryMiB?: number;
  readonly limits?: Partial<ReadingLimits>;
  /** A process without work is ended after this: each holds a hundred megabytes. Milliseconds. */
  readonly idleMs?: number;
  /** What the processes run: `reading-program.mjs`, beside this file. */
  readonly program?: URL;
}

interface Waiting {
  readonly job: ReadingJob;
  readonly resolve: (document: PackedDocument) => void;
  readonly reject: (error: Error) => void;
  isOver: boolean;
}

interface Reader {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  current: Waiting | undefined;
  /** Ends it: when its job takes too long, or when it has had none for a while. */
  timer: NodeJS.Timeout | undefined;
  isGone: boolean;
}

/** How a process ends that outgrew its memory: V8 aborts (a trap on some processors), the process's own watch or the kernel kills it. */
const memorySignals: ReadonlySet<NodeJS.Signals | null> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGKILL']);
/** V8's own end where there are no signals (Windows). */
const outOfMemoryExitCode = 134;

/** Nobody waits for it. */
const idleEnd = documentError('document.reader_failed');

class ReadingPool implements DocumentReader {
  readonly #options: Required<Omit<DocumentReaderOptions, 'limits'>>;
  readonly #limits: ReadingLimits;
  readonly #readers = new Set<Reader>();
  readonly #ending = new Set<Promise<void>>();
  #queue: Waiting[] = [];
  #isClosed = false;

  constructor({ limits, ...options }: DocumentReaderOptions) {
    const processes = Math.min(2, Math.max(1, availableParallelism() - 1));
    const program = new URL('./reading-program.mjs', import.meta.url);
    this.#options = { processes, heapMiB: 768, memoryMiB: 1536, idleMs: 60_000, program, ...options };
    this.#limits = { ...defaultReadingLimits, ...limits };
  }

  async readDocument(bytes: Uint8Array, options: ReadingOptions): Promise<ReadDocument> {
    const { packed, passages: _none, ...rest } = await this.#run(bytes, options, null);
    return { ...rest, blocks: unpackBlocks(packed, rest.text) };
  }

  async readPassages(
    bytes: Uint8Array,
    options: ReadingOptions & { readonly chunking: ChunkingOptions },
  ): Promise<ReadPassages> {
    const { packed: _none, passages, ...document } = await this.#run(bytes, options, options.chunking);
    return { document, passages };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const closed = documentError('document.reader_failed', 'The service is stopping.');
    for (const waiting of this.#queue.splice(0)) this.#settle(waiting, closed);
    for (const reader of this.#readers) this.#end(reader, closed);
    await Promise.all(this.#ending);
  }

  #run(
    bytes: Uint8Array,
    { name, limits, signal }: ReadingOptions,
    chunking: ChunkingOptions | null,
  ): Promise<PackedDocument> {
    const job: ReadingJob = { bytes, name, limits: { ...this.#limits, ...limits }, chunking };
    if (bytes.byteLength > job.limits.maxBytes)
      return Promise.reject(documentError('document.too_large', `At most ${job.limits.maxBytes} bytes are taken.`));
    if (this.#isClosed) return Promise.reject(documentError('document.reader_failed', 'The service is stopping.'));
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const abort = (): void => this.#abort(waiting, signal?.reason as Error);
      const waiting: Waiting = {
        job,
        resolve: (document) => {
          signal?.removeEventListener('abort', abort);
          resolve(document);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', abort);
          reject(error);
        },
        isOver: false,
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(waiting);
      this.#next();
    });
  }

  #abort(waiting: Waiting, reason: Error): void {
    this.#queue = this.#queue.filter((one) => one !== waiting);
    const reader = [...this.#readers].find(({ current }) => current === waiting);
    if (reader) this.#end(reader, reason);
    else this.#settle(waiting, reason);
    this.#next();
  }

  #settle(waiting: Waiting, error: Error): void {
    if (waiting.isOver) return;
    waiting.isOver = true;
    waiting.reject(error);
  }

  #next(): void {
    while (this.#queue.length > 0 && !this.#isClosed) {
      const idle = [...this.#readers].find(({ current }) => current === undefined);
      if (!idle && this.#readers.size >= this.#options.processes) return;
      const waiting = this.#queue.shift();
      if (waiting) this.#start(waiting, idle ?? this.#open());
    }
  }

  #start(waiting: Waiting, reader: Reader): void {
    reader.current = waiting;
    const { maxSeconds } = waiting.job.limits;
    const late = (): void =>
      this.#end(reader, documentError('document.takes_too_long', `At most ${maxSeconds} s are given.`));
    clearTimeout(reader.timer);
    reader.timer = setTimeout(late, maxSeconds * 1000);
    reader.child.ref();
    reader.child.channel?.ref();
    // A process that has just ended cannot be told; its end refuses the job.
    reader.child.send(waiting.job, () => undefined);
  }

  #open(): Reader {
    const { heapMiB, memoryMiB, program } = this.#options;
    const child = fork(program, [String(memoryMiB)], {
      serialization: 'advanced',
      // Options of this process (`--expose-gc`, `--input-type`) are not for these; nor is its environment, which has its secrets.
      execArgv: [`--max-old-space-size=${heapMiB}`, '--stack-size=3900'],
      env: {},
      // What a library prints about a file is that file's content.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const reader: Reader = { child, ended, current: undefined, timer: undefined, isGone: false };
    this.#readers.add(reader);
    child.on('message', (reply) => this.#receive(reader, reply as ReadingReply));
    child.on('error', (error) => this.#end(reader, documentError('document.reader_failed', undefined, error)));
    child.on('exit', (code, signal) => {
      const isMemory = memorySignals.has(signal) || code === outOfMemoryExitCode;
      this.#end(reader, documentError(isMemory ? 'document.takes_too_much_memory' : 'document.reader_failed'));
    });
    return reader;
  }

  #receive(reader: Reader, reply: ReadingReply): void {
    const waiting = this.#release(reader);
    if (!waiting || waiting.isOver) return;
    if (reply.ok) {
      waiting.isOver = true;
      waiting.resolve(reply.document);
    } else if ('fault' in reply) {
      this.#settle(waiting, documentError('document.malformed', undefined, new Error(reply.fault)));
    } else {
      const { kind, reason, message } = reply;
      this.#settle(waiting, new BailiwickError(kind, { reason, message }));
    }
    this.#next();
  }

  #release(reader: Reader): Waiting | undefined {
    const { current } = reader;
    clearTimeout(reader.timer);
    if (!reader.isGone) reader.timer = setTimeout(() => this.#end(reader, idleEnd), this.#options.idleMs).unref();
    reader.current = undefined;
    // One that waits for work does not keep this process alive.
    reader.child.unref();
    reader.child.channel?.unref();
    return current;
  }

  /** Its job, if it has one, is refused. */
  #end(reader: Reader, error: Error): void {
    if (reader.isGone) return;
    reader.isGone = true;
    this.#readers.delete(reader);
    const waiting = this.#release(reader);
    const ended = reader.ended.finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    // Whoever waits for its end (`close`) must see it.
    reader.child.ref();
    reader.child.kill('SIGKILL');
    if (waiting) this.#settle(waiting, error);
    this.#next();
  }
}

/** Starts nothing yet: a process is made when the first document comes. */
export function openDocumentReader(options: DocumentReaderOptions = {}): DocumentReader {
  return new ReadingPool(options);
}
