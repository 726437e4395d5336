/**
 * All members as one: calls go to one member until it fails, then to the next. Reads are repeated on other members within
 * the call's bound; a write is repeated only when it certainly was not done. A heartbeat asks the current member for a
 * linearizable answer, because a frozen member, or one without its quorum, raises nothing by itself.
 */
import { storeUnavailable } from '../store-errors.js';
import { type CallOptions, EtcdConnection } from './etcd-connection.js';
import { finalError, mayHaveHappened } from './etcd-errors.js';
import { type EtcdOptions, type EtcdTimes, timesOf } from './etcd-options.js';

interface Answered {
  readonly header: { readonly cluster_id: string; readonly revision: string };
}

const pauseMs = 50;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class EtcdCluster {
  readonly times: EtcdTimes;
  readonly #connections: readonly EtcdConnection[];
  readonly #heartbeat: NodeJS.Timeout;
  readonly #probeKey: Buffer;
  #index: number;
  #isProbing = false;
  #isClosed = false;
  lastContactMs = 0;
  lastFault: unknown;
  lastRevision = 0;
  /** Of the cluster that answered last: another one has other revisions. */
  clusterId: string | undefined;

  constructor(options: EtcdOptions) {
    if (options.endpoints.length === 0) throw new RangeError('etcd needs at least one endpoint');
    this.times = timesOf(options);
    this.#connections = options.endpoints.map((endpoint) => new EtcdConnection(endpoint, options));
    this.#index = Math.floor(Math.random() * this.#connections.length);
    this.#probeKey = Buffer.from(`${options.prefix ?? ''}/heartbeat`);
    this.#heartbeat = setInterval(() => void this.#probe(), this.times.heartbeatMs);
    this.#heartbeat.unref();
  }

  get current(): EtcdConnection {
    return this.#connections[this.#index % this.#connections.length] as EtcdConnection;
  }

  /** Goes on with another member, unless somebody did so already. */
  leave(connection: EtcdConnection, error: unknown): void {
    this.lastFault = error;
    connection.heed(error);
    if (connection === this.current) this.#index += 1;
  }

  heard(answer: Answered): void {
    this.lastContactMs = Date.now();
    this.lastFault = undefined;
    this.lastRevision = Number(answer.header.revision);
    this.clusterId = answer.header.cluster_id;
  }

  /** 'once': a write whose repetition would not be the same. Errors: ours only, within the call's bound. */
  async call<T extends Answered>(
    mode: 'repeatable' | 'once',
    run: (connection: EtcdConnection, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const end = Date.now() + this.times.callTimeoutMs;
    for (;;) {
      if (this.#isClosed) throw storeUnavailable('etcd', new Error('the store is closed'));
      const connection = this.current;
      const attemptMs = mode === 'once' ? this.times.callTimeoutMs : this.times.attemptTimeoutMs;
      try {
        const answer = await run(connection, { deadline: Math.min(end, Date.now() + attemptMs) });
        this.heard(answer);
        return answer;
      } catch (error) {
        const final = finalError(error);
        if (final) throw final;
        this.leave(connection, error);
        const isOver = Date.now() + pauseMs >= end;
        if (isOver || (mode === 'once' && mayHaveHappened(error))) throw storeUnavailable('etcd', error);
        await pause(pauseMs);
      }
    }
  }

  async #probe(): Promise<void> {
    // Traffic is as good as a probe.
    if (this.#isProbing || this.#isClosed || Date.now() - this.lastContactMs < this.times.heartbeatMs) return;
    this.#isProbing = true;
    const connection = this.current;
    try {
      const deadline = Date.now() + this.times.silenceMs / 2;
      this.heard(await connection.kv.range({ key: this.#probeKey, count_only: true }, { deadline }));
    } catch (error) {
      if (!this.#isClosed) this.leave(connection, error);
    } finally {
      this.#isProbing = false;
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    for (const connection of this.#connections) connection.close();
  }
}
