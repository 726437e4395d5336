/**
 * The event loop's side of one SQLite thread: collects requests, sends them in groups, resolves them from the replies.
 *
 * While a group runs, everything that arrives waits and becomes the next group: one commit, one fsync, for all of it.
 * A group is sent at the end of the tick in which its first request came, so that callers that answer to the same event
 * share a commit. A transaction of several messages has the thread for itself between `begin` and its end.
 */
import { Worker } from 'node:worker_threads';
import { storeUnavailable } from '../store-errors.js';
import type {
  SqlResult,
  SqlValue,
  WorkerAnswers,
  WorkerMessage,
  WorkerOutput,
  WorkerReply,
  WorkerRequest,
  WorkerSettings,
} from './worker-protocol.js';

const maxGroupRequests = 1024;
const maxGroupChars = 8 * 1024 * 1024;
/** A disk that answers nothing for so long is away; the caller is told, and a later answer is still taken in. */
const groupTimeoutMs = 10_000;
/** An open transaction stops all other writes: a caller that forgets it must not do so for ever. */
const maxTransactionMs = 15_000;

/** SQLite's result codes that mean "the disk", not "your statement". */
const diskFault = /^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|CORRUPT|NOTADB|NOMEM|PROTOCOL|PERM|AUTH|NOLFS)/;

/** A statement's own fault (a constraint, a syntax error) keeps SQLite's code; the disk's faults are `store.unavailable`. */
function toError(error: { readonly message: string; readonly code: string }): Error {
  const cause = Object.assign(new Error(error.message), { code: error.code });
  return diskFault.test(error.code) ? storeUnavailable('SQLite', cause) : cause;
}

interface Waiting {
  readonly request: WorkerRequest;
  readonly take: (reply: WorkerReply) => void;
  readonly fail: (error: Error) => void;
}

/** Wants the thread for itself; `enter` resolves its owner, who calls `leave` in the end. */
interface Exclusive {
  readonly enter: () => void;
  readonly fail: (error: Error) => void;
}

/** A transaction of several statements; after an end no more may be run. */
export interface ThreadTransaction {
  run(sql: string, parameters: readonly SqlValue[]): Promise<SqlResult>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

function sizeOf(request: WorkerRequest): number {
  if (request.kind === 'transact')
    return request.operations.reduce((sum, one) => sum + (one.kind === 'put' ? one.value.length : 0), 0);
  if (request.kind !== 'many') return 0;
  let sum = 0;
  for (const row of request.rows) for (const value of row) sum += typeof value === 'string' ? value.length : 0;
  return sum;
}

export class SqliteThread {
  readonly #worker: Worker;
  #queue: (Waiting | Exclusive)[] = [];
  #inFlight: ((replies: readonly WorkerReply[]) => void) | undefined;
  #isHeld = false;
  #isScheduled = false;
  #closed: Error | undefined;
  #onStopped: () => void = () => undefined;
  /** Epoch milliseconds of the last answer that was not a fault of the disk, and that fault since then. */
  lastContactMs = Date.now();
  lastFault: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (output: WorkerOutput) => {
      if ('replies' in output) this.#receive(output.replies);
    });
    worker.on('error', (error) => this.#stop(storeUnavailable('SQLite', error)));
    worker.on('exit', () => this.#stop(storeUnavailable('SQLite', new Error('the store is closed'))));
  }

  /** Errors: whatever opening the file throws. */
  static async open(settings: WorkerSettings): Promise<SqliteThread> {
    const worker = new Worker(new URL('./sqlite-worker.mjs', import.meta.url), { workerData: settings });
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', (output: WorkerOutput) => {
        worker.off('error', reject);
        if ('ready' in output && output.ready.ok) resolve();
        else reject('ready' in output && !output.ready.ok ? toError(output.ready.error) : new Error('no answer'));
      });
    }).catch(async (error: unknown) => {
      await worker.terminate();
      throw error;
    });
    return new SqliteThread(worker);
  }

  /**
   * Resolves after the commit. `onDone` runs in the order of the commits, before any caller goes on, also when the caller
   * has been told of a timeout already.
   */
  run<K extends WorkerRequest['kind']>(
    request: Extract<WorkerRequest, { kind: K }>,
    onDone?: (answer: WorkerAnswers[K]) => void,
  ): Promise<WorkerAnswers[K]> {
    return new Promise((resolve, reject) => {
      const take = (reply: WorkerReply): void => {
        if (!reply.ok) {
          reject(toError(reply.error));
          return;
        }
        const value = reply.value as WorkerAnswers[K];
        onDone?.(value);
        resolve(value);
      };
      this.#enqueue({ request, take, fail: reject });
    });
  }

  /** Waits for its turn and begins. Nothing else is written until it ends, so keep it short and never wait inside it. */
  async transaction(): Promise<ThreadTransaction> {
    await new Promise<void>((enter, fail) => this.#enqueue({ enter, fail }));
    let isOver = false;
    const end = async (mode: 'commit' | 'rollback'): Promise<void> => {
      if (isOver) throw new Error('the transaction is over (it may have taken too long)');
      isOver = true;
      clearTimeout(timer);
      try {
        await this.#control({ mode });
      } finally {
        this.#release();
      }
    };
    const timer = setTimeout(() => void end('rollback').catch(() => undefined), maxTransactionMs);
    timer.unref();
    try {
      await this.#control({ mode: 'begin' });
    } catch (error) {
      isOver = true;
      clearTimeout(timer);
      this.#release();
      throw error;
    }
    return {
      run: async (sql, parameters) => {
        if (isOver) throw new Error('the transaction is over (it may have taken too long)');
        return (await this.#control({ mode: 'inside', requests: [{ kind: 'sql', sql, parameters }] })) as SqlResult;
      },
      commit: () => end('commit'),
      rollback: () => end('rollback'),
    };
  }

  /** What was asked before is still done. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((enter, fail) => this.#enqueue({ enter, fail }));
    const stopped = new Promise<void>((resolve) => {
      this.#onStopped = resolve;
    });
    this.#worker.postMessage({ mode: 'close' } satisfies WorkerMessage);
    await stopped;
  }

  #enqueue(item: Waiting | Exclusive): void {
    if (this.#closed) {
      item.fail(this.#closed);
      return;
    }
    this.#queue.push(item);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#inFlight || this.#isHeld || this.#queue.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#sendNext();
    });
  }

  #sendNext(): void {
    const first = this.#queue[0];
    if (!first || this.#inFlight || this.#isHeld) return;
    if ('enter' in first) {
      this.#queue.shift();
      this.#isHeld = true;
      first.enter();
      return;
    }
    const group: Waiting[] = [];
    let chars = 0;
    for (const item of this.#queue) {
      if ('enter' in item || group.length >= maxGroupRequests || chars > maxGroupChars) break;
      group.push(item);
      chars += sizeOf(item.request);
    }
    this.#queue.splice(0, group.length);
    const requests = group.map((item) => item.request);
    const timedOut = storeUnavailable('SQLite', new Error(`no answer from the disk for ${groupTimeoutMs} ms`));
    const giveUp = (error: Error): void => {
      for (const item of group) item.fail(error);
    };
    this.#post({ mode: 'group', requests }, timedOut, giveUp, (replies) => {
      for (const [index, item] of group.entries()) item.take(replies[index] as WorkerReply);
    });
  }

  #control(message: WorkerMessage): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#closed);
        return;
      }
      const timedOut = storeUnavailable('SQLite', new Error(`no answer from the disk for ${groupTimeoutMs} ms`));
      this.#post(message, timedOut, reject, ([reply]) => {
        if (reply?.ok) resolve(reply.value);
        else reject(reply ? toError(reply.error) : new Error('no reply'));
      });
    });
  }

  #post(
    message: WorkerMessage,
    timedOut: Error,
    giveUp: (error: Error) => void,
    take: (replies: readonly WorkerReply[]) => void,
  ): void {
    const timer = setTimeout(() => {
      this.lastFault = timedOut;
      giveUp(timedOut);
    }, groupTimeoutMs);
    timer.unref();
    this.#inFlight = (replies) => {
      clearTimeout(timer);
      if (replies.length === 0) giveUp(this.#closed as Error);
      else take(replies);
    };
    this.#worker.postMessage(message);
  }

  #receive(replies: readonly WorkerReply[]): void {
    const done = this.#inFlight;
    this.#inFlight = undefined;
    const faults = replies.filter((reply) => !reply.ok && diskFault.test(reply.error.code));
    const [fault] = faults;
    if (fault && !fault.ok) this.lastFault = toError(fault.error);
    else {
      this.lastFault = undefined;
      this.lastContactMs = Date.now();
    }
    done?.(replies);
    this.#schedule();
  }

  #release(): void {
    this.#isHeld = false;
    this.#schedule();
  }

  #stop(error: Error): void {
    if (this.#closed) return;
    this.#closed = error;
    const waiting = this.#queue;
    this.#queue = [];
    this.#inFlight?.([]);
    this.#inFlight = undefined;
    for (const item of waiting) item.fail(error);
    this.#onStopped();
  }
}
