/**
 * `KeyValueStore` on one SQLite file. Writes go through the writer thread in group commits; `get` reads on the event loop
 * through a read-only connection (a point lookup costs less than a message to a thread); ranges and history go through
 * the reader thread. SQLite shows a commit to readers only after it is on disk, so every read is linearizable.
 * The process that holds the data folder is the only one with leases: they live as long as it does, and the keys of a
 * process that died are deleted when the folder is opened again.
 */
import type Database from 'better-sqlite3';
import type {
  ChangeEvent,
  Compare,
  KeyValue,
  KeyValueStore,
  Lease,
  Operation,
  RangeResult,
  StoreStatus,
  TransactionResult,
  Watch,
  WatchOptions,
} from '../../ports/key-value-store.port.js';
import { leaseLost, storeUnavailable } from '../store-errors.js';
import { assertTransaction } from '../transaction-rules.js';
import { prefixEnd } from './prefix-end.js';
import type { SqliteThread } from './sqlite-thread.js';
import { WatchHub } from './watch-hub.js';
import type { WorkerAnswers } from './worker-protocol.js';

const revokeRetryMs = 1000;
/** A disk is well again when it takes as much as a usual policy. */
const probeBytes = 64 * 1024;

export interface SqliteConnections {
  readonly writer: SqliteThread;
  readonly reader: SqliteThread;
  /** Read-only, on the event loop, for point lookups. */
  readonly lookup: Database.Database;
}

function toEvents(operations: readonly Operation[], answer: WorkerAnswers['transact']): ChangeEvent[] {
  const events: ChangeEvent[] = [];
  for (const [place, operation] of operations.entries()) {
    const createRevision = answer.created[place] ?? 0;
    if (createRevision === 0) continue;
    const { key } = operation;
    const modRevision = answer.revision;
    if (operation.kind === 'delete') events.push({ kind: 'delete', key, modRevision });
    else events.push({ kind: 'put', item: { key, value: operation.value, createRevision, modRevision } });
  }
  return events;
}

export class SqliteKeyValueStore implements KeyValueStore {
  readonly #connections: SqliteConnections;
  readonly #hub: WatchHub;
  readonly #leases = new Map<string, () => void>();
  readonly #find: Database.Statement<[string], KeyValue>;
  readonly #readRevision: Database.Statement<[], { value: number }>;
  #leaseCount = 0;
  #isClosed = false;

  constructor(connections: SqliteConnections) {
    this.#connections = connections;
    this.#hub = new WatchHub(connections.reader);
    this.#find = connections.lookup.prepare(
      'SELECT c.key, h.value, c.create_revision AS createRevision, c.id / 128 AS modRevision FROM kv_current c JOIN kv_history h ON h.id = c.id WHERE c.key = ?',
    );
    this.#readRevision = connections.lookup.prepare("SELECT value FROM kv_meta WHERE name = 'revision'");
  }

  /** Deletes what the leases of an earlier process left. Called once, before the store is used. */
  async dropLeftLeases(): Promise<void> {
    await this.#revoke(null);
  }

  async get(key: string): Promise<KeyValue | undefined> {
    this.#assertOpen();
    try {
      return this.#find.get(key);
    } catch (cause) {
      throw storeUnavailable('SQLite', cause);
    }
  }

  async range(
    prefix: string,
    options: { readonly limit?: number; readonly keysOnly?: boolean } = {},
  ): Promise<RangeResult> {
    this.#assertOpen();
    const { limit = null, keysOnly = false } = options;
    return await this.#connections.reader.run({ kind: 'range', prefix, end: prefixEnd(prefix), limit, keysOnly });
  }

  async transact(conditions: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    assertTransaction(conditions, operations);
    this.#assertOpen();
    for (const operation of operations) {
      const leaseId = operation.kind === 'put' ? operation.leaseId : undefined;
      if (leaseId !== undefined && !this.#leases.has(leaseId)) throw leaseLost(leaseId);
    }
    const { succeeded, revision } = await this.#connections.writer.run(
      { kind: 'transact', conditions, operations },
      (answer) => {
        if (!this.#hub.isWatched || !answer.succeeded) return;
        const events = toEvents(operations, answer);
        if (events.length > 0) this.#hub.publish({ revision: answer.revision, events });
      },
    );
    return { succeeded, revision };
  }

  watch(options: WatchOptions): Watch {
    this.#assertOpen();
    return this.#hub.add(options);
  }

  async grantLease(_ttlMs: number): Promise<Lease> {
    this.#assertOpen();
    this.#leaseCount += 1;
    const id = String(this.#leaseCount);
    const lost = new Promise<void>((resolve) => {
      this.#leases.set(id, resolve);
    });
    return { id, lost, release: () => this.#release(id) };
  }

  async status(): Promise<StoreStatus> {
    const { writer } = this.#connections;
    if (this.#isClosed) return { isHealthy: false, revision: 0, lastContactMs: writer.lastContactMs, detail: 'closed' };
    // After a fault nobody may be writing any more: try the disk, so that health comes back by itself.
    if (writer.lastFault) await this.#probe().catch(() => undefined);
    const revision = this.#readRevision.get()?.value ?? 0;
    const lastContactMs = writer.lastFault ? writer.lastContactMs : Date.now();
    if (!writer.lastFault) return { isHealthy: true, revision, lastContactMs };
    const { cause } = writer.lastFault;
    return { isHealthy: false, revision, lastContactMs, detail: cause instanceof Error ? cause.message : 'disk fault' };
  }

  /** Forgets the history up to `revision`: watches that resume from before it list anew. */
  async compact(revision: number): Promise<void> {
    this.#assertOpen();
    await this.#connections.writer.run({ kind: 'compact', revision });
  }

  /** Releases all leases and ends all watches; the file itself is closed by `openEmbedded`. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await Promise.allSettled([...this.#leases.keys()].map((id) => this.#release(id)));
    this.#isClosed = true;
    await this.#hub.close();
  }

  async #release(id: string): Promise<void> {
    const settleLost = this.#leases.get(id);
    if (!settleLost) return;
    this.#leases.delete(id);
    settleLost();
    try {
      await this.#revoke(id);
    } catch (error) {
      if (!this.#isClosed) this.#revokeLater(id);
      throw error;
    }
  }

  /** A full disk must not keep the keys of a released lease alive for longer than it is full. */
  #revokeLater(id: string): void {
    const retry = (): void => {
      if (!this.#isClosed) this.#revoke(id).catch(() => this.#revokeLater(id));
    };
    setTimeout(retry, revokeRetryMs).unref();
  }

  async #revoke(leaseId: string | null): Promise<void> {
    await this.#connections.writer.run({ kind: 'revoke', leaseId }, (batches) => {
      for (const { revision, keys } of batches) {
        const events = keys.map((key) => ({ kind: 'delete' as const, key, modRevision: revision }));
        this.#hub.publish({ revision, events });
      }
    });
  }

  async #probe(): Promise<void> {
    await this.#connections.writer.run({ kind: 'probe', bytes: probeBytes });
    await this.#connections.writer.run({ kind: 'probe', bytes: 0 });
  }

  #assertOpen(): void {
    if (this.#isClosed) throw storeUnavailable('SQLite', new Error('the store is closed'));
  }
}
