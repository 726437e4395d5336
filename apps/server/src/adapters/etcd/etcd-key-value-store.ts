/** `KeyValueStore` on an etcd v3 cluster. Every read is linearizable; every write is one transaction. */
import type {
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
import { EtcdCluster } from './etcd-cluster.js';
import { textOf } from './etcd-errors.js';
import { EtcdLease } from './etcd-lease.js';
import type { EtcdOptions } from './etcd-options.js';
import { EtcdWatch } from './etcd-watch.js';
import { type KeySpace, makeKeySpace } from './key-space.js';

type WireKeyValue = Awaited<ReturnType<EtcdCluster['current']['kv']['range']>>['kvs'][number];

export class EtcdKeyValueStore implements KeyValueStore {
  readonly #cluster: EtcdCluster;
  readonly #keys: KeySpace;
  readonly #watches = new Set<EtcdWatch>();
  readonly #leases = new Map<string, EtcdLease>();
  #isClosed = false;

  constructor(options: EtcdOptions) {
    this.#cluster = new EtcdCluster(options);
    this.#keys = makeKeySpace(options.prefix ?? '');
  }

  async get(key: string): Promise<KeyValue | undefined> {
    this.#assertOpen();
    const bytes = this.#keys.toBytes(key);
    const { kvs } = await this.#cluster.call('repeatable', (connection, options) =>
      connection.kv.range({ key: bytes }, options),
    );
    return kvs[0] && this.#toItem(kvs[0]);
  }

  async range(
    prefix: string,
    { limit, keysOnly }: { readonly limit?: number; readonly keysOnly?: boolean } = {},
  ): Promise<RangeResult> {
    this.#assertOpen();
    const request = {
      ...this.#keys.toRange(prefix),
      ...(limit === undefined ? {} : { limit }),
      ...(keysOnly ? { keys_only: true } : {}),
    };
    const { header, kvs } = await this.#cluster.call('repeatable', (connection, options) =>
      connection.kv.range(request, options),
    );
    return { revision: Number(header.revision), items: kvs.map((item) => this.#toItem(item)) };
  }

  async transact(conditions: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    assertTransaction(conditions, operations);
    this.#assertOpen();
    for (const operation of operations) {
      const leaseId = operation.kind === 'put' ? operation.leaseId : undefined;
      if (leaseId !== undefined && !this.#leases.has(leaseId)) throw leaseLost(leaseId);
    }
    const request = {
      compare: conditions.map(({ key, modRevision }) => ({
        ...{ key: this.#keys.toBytes(key), target: 'Mod' as const, result: 'Equal' as const },
        mod_revision: modRevision,
      })),
      success: operations.map((operation) => this.#toRequest(operation)),
    };
    const { header, succeeded } = await this.#cluster.call('once', (connection, options) =>
      connection.kv.txn(request, options),
    );
    return { succeeded, revision: Number(header.revision) };
  }

  watch(options: WatchOptions): Watch {
    this.#assertOpen();
    const parts = { cluster: this.#cluster, keys: this.#keys, list: (prefix: string) => this.range(prefix) };
    const watch = new EtcdWatch(parts, options);
    this.#watches.add(watch);
    return {
      close: async () => {
        await watch.close();
        this.#watches.delete(watch);
      },
    };
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    this.#assertOpen();
    const lease = await EtcdLease.grant(this.#cluster, ttlMs, (over) => this.#leases.delete(over.id));
    this.#leases.set(lease.id, lease);
    return lease;
  }

  async status(): Promise<StoreStatus> {
    const cluster = this.#cluster;
    const known = () => ({ revision: cluster.lastRevision, lastContactMs: cluster.lastContactMs });
    if (this.#isClosed) return { isHealthy: false, ...known(), detail: 'closed' };
    const key = this.#keys.toBytes('/heartbeat');
    try {
      await cluster.call('repeatable', (connection, options) =>
        connection.kv.range({ key, count_only: true }, options),
      );
      return { isHealthy: true, ...known() };
    } catch (error) {
      return { isHealthy: false, ...known(), detail: textOf(cluster.lastFault ?? error) };
    }
  }

  /** Releases the leases when the cluster answers, else lets them run out. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([...this.#watches].map((watch) => watch.close()));
    await Promise.allSettled([...this.#leases.values()].map((lease) => lease.release()));
    this.#cluster.close();
  }

  #toItem(item: WireKeyValue): KeyValue {
    return {
      key: this.#keys.toKey(item.key),
      value: item.value.toString('utf8'),
      createRevision: Number(item.create_revision),
      modRevision: Number(item.mod_revision),
    };
  }

  #toRequest(operation: Operation) {
    const key = this.#keys.toBytes(operation.key);
    if (operation.kind === 'delete') return { request_delete_range: { key } };
    const { value, leaseId } = operation;
    return { request_put: { key, value: Buffer.from(value), ...(leaseId === undefined ? {} : { lease: leaseId }) } };
  }

  #assertOpen(): void {
    if (this.#isClosed) throw storeUnavailable('etcd', new Error('the store is closed'));
  }
}

/** Connects when it is first used; an etcd that is away shows in the calls, not here. */
export function openEtcd(options: EtcdOptions): EtcdKeyValueStore {
  return new EtcdKeyValueStore(options);
}
