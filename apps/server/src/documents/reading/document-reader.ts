/**
 * Reads documents on threads of their own, so that one bad file stops nothing: a job over its time or memory loses its thread, which is
 * replaced, and is refused; the others go on. V8 bounds a thread's heap; what lies outside of it (buffers) is watched by the process's
 * resident memory. When that grows too much while several jobs run, none can be named: all lose their threads and are tried again one by one.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
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

/** Both methods take the bytes by copy. Errors: `document-errors.ts`; jobs wait while all threads are busy. */
export interface DocumentReader {
  readDocument(bytes: Uint8Array, options: ReadingOptions): Promise<ReadDocument>;
  /** Cut on the thread as well: for a long document that is work the event loop should not do. */
  readPassages(
    bytes: Uint8Array,
    options: ReadingOptions & { readonly chunking: ChunkingOptions },
  ): Promise<ReadPassages>;
  /** Waiting and running jobs reject with `document.reader_failed`. */
  close(): Promise<void>;
}

export interface DocumentReaderOptions {
  /** At most this many documents at a time; started when first needed. */
  readonly threads?: number;
  /** V8's heap of one thread, in MiB. */
  readonly heapMiB?: number;
  /** How far the process's resident memory may grow while documents are read, in MiB. */
  readonly growthMiB?: number;
  readonly limits?: Partial<ReadingLimits>;
}

interface Waiting {
  readonly job: ReadingJob;
  readonly resolve: (document: PackedDocument) => void;
  readonly reject: (error: Error) => void;
  /** Had to go because memory grew while others ran too. */
  isAlone: boolean;
  isOver: boolean;
}

interface Thread {
  readonly worker: Worker;
  current: Waiting | undefined;
  timer: NodeJS.Timeout | undefined;
  isGone: boolean;
}

const mebibyte = 1024 * 1024;
const watchMs = 50;

class ReadingPool implements DocumentReader {
  readonly #options: Required<Omit<DocumentReaderOptions, 'limits'>>;
  readonly #limits: ReadingLimits;
  readonly #threads = new Set<Thread>();
  readonly #ending = new Set<Promise<unknown>>();
  #queue: Waiting[] = [];
  #watch: NodeJS.Timeout | undefined;
  #restingBytes = 0;
  #isClosed = false;
  #isPaused = false;

  constructor({ limits, ...options }: DocumentReaderOptions) {
    const threads = Math.min(2, Math.max(1, availableParallelism() - 1));
    this.#options = { threads, heapMiB: 768, growthMiB: 1024, ...options };
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
    for (const thread of this.#threads) this.#end(thread, closed);
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
        isAlone: false,
        isOver: false,
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(waiting);
      this.#next();
    });
  }

  #abort(waiting: Waiting, reason: Error): void {
    this.#queue = this.#queue.filter((one) => one !== waiting);
    const thread = [...this.#threads].find(({ current }) => current === waiting);
    if (thread) this.#end(thread, reason);
    else this.#settle(waiting, reason);
    this.#next();
  }

  #settle(waiting: Waiting, error: Error): void {
    if (waiting.isOver) return;
    waiting.isOver = true;
    waiting.reject(error);
  }

  get #busy(): readonly Thread[] {
    return [...this.#threads].filter(({ current }) => current !== undefined);
  }

  #next(): void {
    for (let waiting = this.#queue[0]; waiting && !this.#isClosed && !this.#isPaused; waiting = this.#queue[0]) {
      const busy = this.#busy;
      const mustWait = waiting.isAlone ? busy.length > 0 : busy.some(({ current }) => current?.isAlone);
      if (mustWait || busy.length >= this.#options.threads) return;
      this.#queue.shift();
      this.#start(waiting, [...this.#threads].find(({ current }) => current === undefined) ?? this.#open());
    }
  }

  #start(waiting: Waiting, thread: Thread): void {
    if (this.#busy.length === 0) this.#restingBytes = process.memoryUsage.rss();
    thread.current = waiting;
    thread.timer = setTimeout(
      () =>
        this.#end(
          thread,
          documentError('document.takes_too_long', `At most ${waiting.job.limits.maxSeconds} s are given.`),
        ),
      waiting.job.limits.maxSeconds * 1000,
    );
    thread.worker.ref();
    thread.worker.postMessage(waiting.job);
    this.#watch ??= setInterval(() => this.#watchMemory(), watchMs).unref();
  }

  #open(): Thread {
    const worker = new Worker(new URL('./reading-worker.mjs', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMiB, maxYoungGenerationSizeMb: 64, stackSizeMb: 8 },
      // Options of this process (`--expose-gc`, `--input-type`) are not for threads.
      execArgv: [],
      // What a library prints about a file is that file's content.
      stdout: true,
      stderr: true,
      env: {},
    });
    worker.stdout.resume();
    worker.stderr.resume();
    const thread: Thread = { worker, current: undefined, timer: undefined, isGone: false };
    this.#threads.add(thread);
    worker.on('message', (reply: ReadingReply) => this.#receive(thread, reply));
    worker.on('error', (error: Error & { code?: string }) => {
      const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY' || error instanceof RangeError;
      this.#end(
        thread,
        documentError(isMemory ? 'document.takes_too_much_memory' : 'document.reader_failed', undefined, error),
      );
    });
    worker.on('exit', () => this.#end(thread, documentError('document.reader_failed')));
    return thread;
  }

  #receive(thread: Thread, reply: ReadingReply): void {
    const waiting = this.#release(thread);
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

  #release(thread: Thread): Waiting | undefined {
    const { current } = thread;
    clearTimeout(thread.timer);
    thread.current = undefined;
    // A thread that waits for work does not keep the process alive.
    thread.worker.unref();
    if (this.#busy.length === 0) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
    return current;
  }

  /** Its job, if it has one, is refused. */
  #end(thread: Thread, error: Error): void {
    if (thread.isGone) return;
    thread.isGone = true;
    this.#threads.delete(thread);
    const waiting = this.#release(thread);
    const ended = thread.worker.terminate().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    if (waiting) this.#settle(waiting, error);
    this.#next();
  }

  #watchMemory(): void {
    if (process.memoryUsage.rss() - this.#restingBytes < this.#options.growthMiB * mebibyte) return;
    const busy = this.#busy;
    if (busy.length === 1 && busy[0]) {
      this.#end(busy[0], documentError('document.takes_too_much_memory'));
      return;
    }
    const again = busy.flatMap(({ current }) => (current ? [current] : []));
    for (const waiting of again) waiting.isAlone = true;
    this.#queue.unshift(...again);
    // The memory is given back when the threads have ended.
    this.#isPaused = true;
    for (const thread of busy) {
      thread.current = undefined;
      this.#end(thread, documentError('document.reader_failed'));
    }
    void Promise.all(this.#ending).then(() => {
      this.#isPaused = false;
      this.#next();
    });
  }
}

/** Starts nothing yet: a thread is made when the first document comes. */
export function openDocumentReader(options: DocumentReaderOptions = {}): DocumentReader {
  return new ReadingPool(options);
}
