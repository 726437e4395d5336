/**
 * Watches over the embedded store. A new watch first reads the history after its revision from the file (or, when that is
 * gone, lists the prefix anew) while live batches wait; then it goes on with the live ones after what it has read.
 */
import type { ChangeBatch, ChangeEvent, Watch, WatchOptions } from '../../ports/key-value-store.port.js';
import { callSafely } from '../call-safely.js';
import { prefixEnd } from './prefix-end.js';
import type { SqliteThread } from './sqlite-thread.js';
import type { HistoryRow } from './worker-protocol.js';

const retryMs = 500;

const keyOf = (event: ChangeEvent): string => (event.kind === 'put' ? event.item.key : event.key);

function toEvent(row: HistoryRow): ChangeEvent {
  const { revision, key, value, createRevision } = row;
  return value === null
    ? { kind: 'delete', key, modRevision: revision }
    : { kind: 'put', item: { key, value, createRevision, modRevision: revision } };
}

function groupByRevision(rows: readonly HistoryRow[]): ChangeBatch[] {
  const batches: { revision: number; events: ChangeEvent[] }[] = [];
  for (const row of rows) {
    const last = batches.at(-1);
    if (last?.revision === row.revision) last.events.push(toEvent(row));
    else batches.push({ revision: row.revision, events: [toEvent(row)] });
  }
  return batches;
}

class EmbeddedWatch implements Watch {
  readonly #options: WatchOptions;
  readonly #reader: SqliteThread;
  readonly #onClose: () => void;
  #seen: number;
  /** Live batches that came while the history is being read; undefined = live. */
  #held: ChangeBatch[] | undefined = [];
  #isClosed = false;
  #wasConnected: boolean | undefined;
  readonly #caughtUp: Promise<void>;

  constructor(options: WatchOptions, reader: SqliteThread, onClose: () => void) {
    this.#options = options;
    this.#reader = reader;
    this.#onClose = onClose;
    this.#seen = options.afterRevision;
    this.#caughtUp = this.#catchUp();
  }

  take(batch: ChangeBatch): void {
    if (this.#held) this.#held.push(batch);
    else this.#deliver(batch);
  }

  #deliver(batch: ChangeBatch): void {
    if (this.#isClosed || batch.revision <= this.#seen) return;
    this.#seen = batch.revision;
    const { prefix, onBatch } = this.#options;
    const events = batch.events.filter((event) => keyOf(event).startsWith(prefix));
    if (events.length === 0) return;
    callSafely(() => onBatch(events.length === batch.events.length ? batch : { revision: batch.revision, events }));
  }

  #report(isConnected: boolean): void {
    if (this.#isClosed || this.#wasConnected === isConnected) return;
    this.#wasConnected = isConnected;
    callSafely(() => this.#options.onHealth?.(isConnected));
  }

  async #catchUp(): Promise<void> {
    while (!this.#isClosed) {
      try {
        if (await this.#readOn()) break;
      } catch {
        this.#report(false);
        await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
      }
    }
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const batch of held) this.#deliver(batch);
    this.#report(true);
  }

  /** One step; true when nothing is left to read. */
  async #readOn(): Promise<boolean> {
    const { prefix } = this.#options;
    const end = prefixEnd(prefix);
    const found = await this.#reader.run({ kind: 'history', prefix, end, afterRevision: this.#seen });
    if (this.#isClosed) return true;
    if (found.isGone) {
      const range = await this.#reader.run({ kind: 'range', prefix, end, limit: null, keysOnly: false });
      if (this.#isClosed) return true;
      this.#seen = range.revision;
      callSafely(() => this.#options.onResync(range));
      return true;
    }
    for (const batch of groupByRevision(found.rows)) this.#deliver(batch);
    this.#seen = Math.max(this.#seen, found.upTo);
    return found.isComplete;
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#onClose();
    }
    await this.#caughtUp;
  }
}

export class WatchHub {
  readonly #reader: SqliteThread;
  readonly #watches = new Set<EmbeddedWatch>();

  constructor(reader: SqliteThread) {
    this.#reader = reader;
  }

  add(options: WatchOptions): Watch {
    const watch: EmbeddedWatch = new EmbeddedWatch(options, this.#reader, () => this.#watches.delete(watch));
    this.#watches.add(watch);
    return watch;
  }

  /** Called once a revision, in order, after the commit. */
  publish(batch: ChangeBatch): void {
    for (const watch of this.#watches) watch.take(batch);
  }

  get isWatched(): boolean {
    return this.#watches.size > 0;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#watches].map((watch) => watch.close()));
  }
}
