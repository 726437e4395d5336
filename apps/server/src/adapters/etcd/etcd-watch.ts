/**
 * A watch that never skips: it goes on after the last revision it delivered, on whichever member answers.
 *
 * It speaks the watch stream itself, because etcd3's watcher resumes after the revision in a response's header, which runs
 * ahead of its events while etcd catches a watcher up, and so loses events when the connection breaks just then.
 * A stream without an answer to its heartbeat (a progress request) is dropped; so is one whose member lost its leader.
 * A compacted start, another cluster, or a store that is older than what was seen: list anew, tell, go on from there.
 */
import type { IDuplexStream, IWatchRequest, IWatchResponse } from 'etcd3';
import type { ChangeBatch, ChangeEvent, RangeResult, Watch, WatchOptions } from '../../ports/key-value-store.port.js';
import { callSafely } from '../call-safely.js';
import type { EtcdCluster } from './etcd-cluster.js';
import type { EtcdConnection } from './etcd-connection.js';
import type { KeySpace } from './key-space.js';

const minBackoffMs = 50;
const maxBackoffMs = 1000;

type Stream = IDuplexStream<IWatchRequest, IWatchResponse>;

export interface WatchParts {
  readonly cluster: EtcdCluster;
  readonly keys: KeySpace;
  readonly list: (prefix: string) => Promise<RangeResult>;
}

/** How a stream ended: 'resync' = its start is gone. */
type Ending = 'broken' | 'resync' | 'closed';

export class EtcdWatch implements Watch {
  readonly #parts: WatchParts;
  readonly #options: WatchOptions;
  readonly #ended: Promise<void>;
  #seen: number;
  #clusterId: string | undefined;
  #isClosed = false;
  #wasConnected: boolean | undefined;
  #stop: () => void = () => undefined;

  constructor(parts: WatchParts, options: WatchOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#seen = options.afterRevision;
    this.#ended = this.#run();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    await this.#ended;
  }

  async #run(): Promise<void> {
    let backoffMs = minBackoffMs;
    while (!this.#isClosed) {
      const startedMs = Date.now();
      const ending = await this.#follow().catch((): Ending => 'broken');
      if (this.#isClosed) return;
      if (ending === 'resync' && (await this.#resync())) continue;
      this.#report(false);
      backoffMs = Date.now() - startedMs > maxBackoffMs * 2 ? minBackoffMs : Math.min(backoffMs * 2, maxBackoffMs);
      await this.#pause(backoffMs);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      this.#stop = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** True when done; false when the store could not be read. */
  async #resync(): Promise<boolean> {
    try {
      const range = await this.#parts.list(this.#options.prefix);
      if (this.#isClosed) return true;
      this.#seen = range.revision;
      this.#clusterId = this.#parts.cluster.clusterId;
      callSafely(() => this.#options.onResync(range));
      return true;
    } catch {
      return false;
    }
  }

  /** One stream from its start to its end. */
  async #follow(): Promise<Ending> {
    const { cluster, keys } = this.#parts;
    const connection = cluster.current;
    let stream: Stream;
    try {
      stream = await connection.openWatch();
    } catch (error) {
      cluster.leave(connection, error);
      return 'broken';
    }
    if (this.#isClosed) {
      stream.on('error', () => undefined);
      stream.cancel();
      return 'closed';
    }
    const ending = this.#listen(stream, connection);
    const start_revision = String(this.#seen + 1);
    stream.write({ create_request: { ...keys.toRange(this.#options.prefix), start_revision, progress_notify: true } });
    return await ending;
  }

  #listen(stream: Stream, connection: EtcdConnection): Promise<Ending> {
    const { cluster } = this.#parts;
    const { heartbeatMs, silenceMs } = cluster.times;
    return new Promise((resolve) => {
      let heardMs = Date.now();
      let isOver = false;
      const end = (ending: Ending, error?: unknown): void => {
        if (isOver) return;
        isOver = true;
        clearInterval(heartbeat);
        if (error !== undefined) cluster.leave(connection, error);
        stream.cancel();
        resolve(ending);
      };
      const heartbeat = setInterval(() => {
        if (Date.now() - heardMs > silenceMs) end('broken', new Error(`no answer on a watch for ${silenceMs} ms`));
        else stream.write({ progress_request: {} });
      }, heartbeatMs);
      heartbeat.unref();
      this.#stop = () => end('closed');
      stream.on('error', (error) => end('broken', error));
      stream.on('end', () => end('broken', new Error('the watch was ended by etcd')));
      stream.on('data', (response) => {
        if (isOver) return;
        heardMs = cluster.lastContactMs = Date.now();
        this.#take(response, end, () => !isOver);
      });
    });
  }

  /** `isLive` tells, after a question that took its time, whether the stream is still the one in use. */
  #take(response: IWatchResponse, end: (ending: Ending, error?: unknown) => void, isLive: () => boolean): void {
    if (response.canceled) {
      const isCompacted = Number(response.compact_revision) > 0 || response.cancel_reason.includes('compacted');
      if (isCompacted) end('resync');
      else end('broken', new Error(`etcd canceled the watch: ${response.cancel_reason}`));
      return;
    }
    if (response.created) {
      this.#checkOrigin(response).then(
        (isSame) => {
          if (!isSame) end('resync');
          else if (isLive()) this.#report(true);
        },
        (error: unknown) => end('broken', error),
      );
      return;
    }
    this.#deliver(response);
  }

  /**
   * Whether the revisions this watch has seen are revisions of the store that answers now. Asked with a linearizable read:
   * a member may lag behind its cluster, or not yet know that it has lost it, and then the watch is not healthy either.
   */
  async #checkOrigin({ header }: IWatchResponse): Promise<boolean> {
    if (this.#clusterId !== undefined && header.cluster_id !== this.#clusterId) return false;
    this.#clusterId = header.cluster_id;
    const { key } = this.#parts.keys.toRange(this.#options.prefix);
    const seen = this.#seen;
    const answer = await this.#parts.cluster.call('repeatable', (connection, options) =>
      connection.kv.range({ key, count_only: true }, options),
    );
    return Number(answer.header.revision) >= seen;
  }

  #deliver({ events }: IWatchResponse): void {
    const batches: { revision: number; events: ChangeEvent[] }[] = [];
    for (const event of events) {
      const modRevision = Number(event.kv.mod_revision);
      // What came again after a reconnect.
      if (modRevision <= this.#seen) continue;
      const last = batches.at(-1);
      if (last?.revision === modRevision) last.events.push(this.#toEvent(event, modRevision));
      else batches.push({ revision: modRevision, events: [this.#toEvent(event, modRevision)] });
    }
    for (const batch of batches) this.#hand(batch);
  }

  #toEvent({ type, kv }: IWatchResponse['events'][number], modRevision: number): ChangeEvent {
    const key = this.#parts.keys.toKey(kv.key);
    if (type === 'Delete' || String(type).toUpperCase() === 'DELETE') return { kind: 'delete', key, modRevision };
    const value = kv.value.toString('utf8');
    return { kind: 'put', item: { key, value, createRevision: Number(kv.create_revision), modRevision } };
  }

  #hand(batch: ChangeBatch): void {
    if (this.#isClosed) return;
    this.#seen = batch.revision;
    callSafely(() => this.#options.onBatch(batch));
  }

  #report(isConnected: boolean): void {
    if (this.#isClosed || this.#wasConnected === isConnected) return;
    this.#wasConnected = isConnected;
    callSafely(() => this.#options.onHealth?.(isConnected));
  }
}
