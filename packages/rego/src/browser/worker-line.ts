/**
 * The line to the worker: one request at a time, in order. A request that is aborted or takes too
 * long while it runs ends the worker, since nothing else stops a busy one; the next request starts
 * another, after `restore` has told it what the old one knew.
 */
import { RegoErrors, RegoEvaluationError } from '../errors.js';
import type { Answer, Failure, Request } from './messages.js';

/** What of a `Worker` is used. */
export interface WorkerPort {
  postMessage(message: unknown): void;
  terminate(): void;
  onmessage: ((event: { readonly data: Answer }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** For this request, in milliseconds; it counts from when the worker gets it. */
  readonly timeLimitMs?: number;
}

interface Waiting {
  readonly request: Request;
  readonly timeLimitMs: number;
  readonly signal: AbortSignal | undefined;
  settle(result: { readonly value: unknown } | { readonly error: unknown }): void;
}

export interface LineOptions {
  readonly createWorker: () => WorkerPort;
  readonly timeLimitMs: number;
  /** The requests that bring a fresh worker to where the ended one was. */
  readonly restore: () => readonly Request[];
}

function toError(failure: Failure): Error {
  switch (failure.kind) {
    case 'rego':
      return new RegoErrors(failure.errors);
    case 'evaluation':
      return new RegoEvaluationError(failure.code, failure.reason, failure.location);
    case 'fault':
      return new Error(failure.message);
  }
}

const cancelled = (reason: string): RegoEvaluationError => new RegoEvaluationError('eval_cancel_error', reason);

export class WorkerLine {
  private readonly options: LineOptions;
  private readonly waiting: Waiting[] = [];
  private port: WorkerPort | undefined;
  private running: Waiting | undefined;
  private isClosed = false;
  private lastId = 0;

  constructor(options: LineOptions) {
    this.options = options;
  }

  /** Errors: `RegoErrors`, `RegoEvaluationError` (`eval_cancel_error` past the time limit), the signal's reason. */
  ask(request: Request, call: CallOptions = {}): Promise<unknown> {
    const { signal, timeLimitMs = this.options.timeLimitMs } = call;
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(new Error('the Rego worker is closed'));
      if (signal?.aborted) return reject(signal.reason);
      const entry: Waiting = {
        request,
        timeLimitMs,
        signal,
        settle(result) {
          signal?.removeEventListener('abort', onAbort);
          if ('error' in result) reject(result.error);
          else resolve(result.value);
        },
      };
      const onAbort = (): void => this.abandon(entry, signal?.reason);
      signal?.addEventListener('abort', onAbort);
      this.waiting.push(entry);
      this.next();
    });
  }

  /** Ends the worker; what waits is rejected. */
  close(): void {
    this.isClosed = true;
    this.endWorker();
    const error = new Error('the Rego worker is closed');
    const left = [...(this.running === undefined ? [] : [this.running]), ...this.waiting.splice(0)];
    this.running = undefined;
    for (const entry of left) entry.settle({ error });
  }

  private abandon(entry: Waiting, error: unknown): void {
    if (this.running === entry) {
      this.endWorker();
      this.running = undefined;
    } else {
      const index = this.waiting.indexOf(entry);
      if (index < 0) return;
      this.waiting.splice(index, 1);
    }
    entry.settle({ error });
    this.next();
  }

  private endWorker(): void {
    if (this.port === undefined) return;
    this.port.onmessage = null;
    this.port.onerror = null;
    this.port.terminate();
    this.port = undefined;
  }

  private next(): void {
    if (this.running !== undefined || this.isClosed) return;
    const entry = this.waiting.shift();
    if (entry === undefined) return;
    this.running = entry;
    this.run(entry).then(
      (answer) => this.finish(entry, answer.ok ? { value: answer.value } : { error: toError(answer.failure) }),
      (error: unknown) => {
        // A worker that fails to start or dies is not asked again.
        if (this.running === entry) this.endWorker();
        this.finish(entry, { error });
      },
    );
  }

  private finish(entry: Waiting, result: { readonly value: unknown } | { readonly error: unknown }): void {
    if (this.running !== entry) return;
    this.running = undefined;
    entry.settle(result);
    this.next();
  }

  private async run(entry: Waiting): Promise<Answer> {
    const { request, timeLimitMs } = entry;
    if (this.port === undefined) {
      const restoring = this.options.restore();
      this.port = this.options.createWorker();
      for (const earlier of restoring) await this.send(this.port, earlier, timeLimitMs);
    }
    return this.send(this.port, request, timeLimitMs);
  }

  private send(port: WorkerPort, request: Request, timeLimitMs: number): Promise<Answer> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      const timer = Number.isFinite(timeLimitMs)
        ? setTimeout(() => reject(cancelled(`the time limit of ${timeLimitMs} ms has passed`)), timeLimitMs)
        : undefined;
      port.onmessage = ({ data }) => {
        if (data.id !== id) return;
        clearTimeout(timer);
        resolve(data);
      };
      port.onerror = ({ message }) => {
        clearTimeout(timer);
        reject(new Error(`the Rego worker failed: ${message ?? 'it could not be loaded'}`));
      };
      port.postMessage({ id, request });
    });
  }
}
