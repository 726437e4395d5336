/** all-MiniLM-L6-v2 with 8-bit weights through ONNX Runtime, on threads of its own. The folder is filled by `bailiwick rag fetch-model`. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { BailiwickError, localEmbeddingModel } from '@bailiwick/contract';
import type { Embedder } from '../../ports/embedder.port.js';
import type { OnnxReply, OnnxRequest, OnnxSettings } from './onnx-protocol.js';

const { dimensions } = localEmbeddingModel;
const maxTokens = 256;

/** Where `bailiwick rag fetch-model` puts it, unless told otherwise. */
export const defaultModelFolder = (): string => join(homedir(), ...localEmbeddingModel.cacheFolder);

/** Whether a model is there at all; what it is, `openOnnxEmbedder` checks. */
export function hasModel(folder: string): boolean {
  return Object.keys(localEmbeddingModel.files).every((name) => existsSync(join(folder, name)));
}

/** Errors: an `Error` that names the file whose content is not the one expected, or what the runtime said. */
export async function openOnnxEmbedder(folder: string, threads: number): Promise<Embedder> {
  for (const [name, expected] of Object.entries(localEmbeddingModel.files)) {
    const actual = createHash('sha256')
      .update(await readFile(join(folder, name)))
      .digest('hex');
    if (actual !== expected) throw new Error(`${join(folder, name)} has the SHA-256 ${actual}, expected ${expected}`);
  }
  const settings: OnnxSettings = { folder, dimensions, maxTokens, threads: 1 };
  const workers = await Promise.all(Array.from({ length: threads }, async () => await OnnxThread.open(settings)));
  return new OnnxEmbedder(workers);
}

const unavailable = (cause: unknown): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'embedder.unavailable',
    message: 'The embedding model does not answer.',
    retryAfterSeconds: 5,
    cause,
  });

class OnnxEmbedder implements Embedder {
  readonly model = localEmbeddingModel.name;
  readonly dimensions = dimensions;
  readonly #threads: readonly OnnxThread[];

  constructor(threads: readonly OnnxThread[]) {
    this.#threads = threads;
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<readonly Float32Array[]> {
    signal?.throwIfAborted();
    if (texts.length === 0) return [];
    // The one with the least to do; a question is short and must not wait behind a file.
    const [thread] = [...this.#threads].sort((a, b) => a.waitingTexts - b.waitingTexts);
    if (!thread) throw unavailable(new Error('no thread'));
    return await thread.embed(texts);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

interface Waiting {
  readonly texts: number;
  readonly resolve: (vectors: readonly Float32Array[]) => void;
  readonly reject: (error: Error) => void;
}

class OnnxThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #fault: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (reply: OnnxReply) => this.#take(reply));
    worker.on('error', (error) => this.#end(error));
    worker.on('exit', () => this.#end(new Error('the thread has ended')));
  }

  static async open(settings: OnnxSettings): Promise<OnnxThread> {
    const worker = new Worker(new URL('./onnx-worker.mjs', import.meta.url), { workerData: settings });
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
    worker.unref();
    return new OnnxThread(worker);
  }

  get waitingTexts(): number {
    let texts = 0;
    for (const waiting of this.#waiting.values()) texts += waiting.texts;
    return texts;
  }

  async embed(texts: readonly string[]): Promise<readonly Float32Array[]> {
    if (this.#fault) throw unavailable(this.#fault);
    this.#lastId += 1;
    const request: OnnxRequest = { id: this.#lastId, texts };
    return await new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { texts: texts.length, resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    this.#fault ??= new Error('the embedder is closed');
    await this.#worker.terminate();
  }

  #take(reply: OnnxReply): void {
    if ('ready' in reply) return;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('error' in reply) waiting?.reject(unavailable(new Error(reply.error)));
    else waiting?.resolve(reply.vectors);
  }

  #end(error: Error): void {
    this.#fault ??= error;
    for (const { reject } of this.#waiting.values()) reject(unavailable(error));
    this.#waiting.clear();
  }
}
