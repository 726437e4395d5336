/** A lease that is kept alive until it is released, or known to be lost when its time has run out without an answer. */
import { randomInt } from 'node:crypto';
import type { Lease } from '../../ports/key-value-store.port.js';
import type { EtcdCluster } from './etcd-cluster.js';
import type { CallOptions, EtcdConnection } from './etcd-connection.js';
import { isLeaseGone } from './etcd-errors.js';

/**
 * We choose the ids: etcd's own use all 64 bits, which the protobuf library rounds without a word wherever the loader
 * cannot give it its `long` package (bundles, test runners).
 */
const maxLeaseId = 2 ** 47;

type Granted = Awaited<ReturnType<EtcdConnection['lease']['leaseGrant']>>;

/** One question and its answer; a stream of its own, so that it goes to whichever member lives. */
async function keepAliveOnce(connection: EtcdConnection, id: string, options: CallOptions) {
  const stream = await connection.openKeepAlive(options);
  try {
    return await new Promise<{ readonly header: Granted['header']; readonly TTL: string }>((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('the keep-alive ended without an answer')));
      stream.write({ ID: id });
    });
  } finally {
    stream.end();
  }
}

export class EtcdLease implements Lease {
  readonly id: string;
  readonly lost: Promise<void>;
  readonly #cluster: EtcdCluster;
  readonly #ttlMs: number;
  readonly #onOver: () => void;
  #settleLost: () => void = () => undefined;
  #isOver = false;
  /** When the renewal that was last answered had been sent: the lease lives at least one time to live longer. */
  #renewedMs: number;
  #timer: NodeJS.Timeout;

  private constructor(cluster: EtcdCluster, granted: Granted, grantedMs: number, onOver: () => void) {
    this.#cluster = cluster;
    this.id = granted.ID;
    this.#ttlMs = Number(granted.TTL) * 1000;
    this.#renewedMs = grantedMs;
    this.#onOver = onOver;
    this.lost = new Promise((resolve) => {
      this.#settleLost = resolve;
    });
    this.#timer = this.#planRenewal();
  }

  static async grant(cluster: EtcdCluster, ttlMs: number, onOver: (lease: EtcdLease) => void): Promise<EtcdLease> {
    let sentMs = 0;
    const granted = await cluster.call('repeatable', (connection, options) => {
      sentMs = Date.now();
      const ID = randomInt(1, maxLeaseId);
      return connection.lease.leaseGrant({ ID, TTL: Math.max(1, Math.ceil(ttlMs / 1000)) }, options);
    });
    const lease: EtcdLease = new EtcdLease(cluster, granted, sentMs, () => onOver(lease));
    return lease;
  }

  #planRenewal(waitMs = this.#ttlMs / 3): NodeJS.Timeout {
    const timer = setTimeout(() => void this.#renew(), waitMs);
    timer.unref();
    return timer;
  }

  async #renew(): Promise<void> {
    if (this.#isOver) return;
    const sentMs = Date.now();
    try {
      const { TTL } = await this.#cluster.call('repeatable', (connection, options) =>
        keepAliveOnce(connection, this.id, options),
      );
      if (Number(TTL) <= 0) this.#end();
      else this.#renewedMs = sentMs;
    } catch {
      if (Date.now() - this.#renewedMs >= this.#ttlMs) this.#end();
    }
    if (this.#isOver) return;
    const leftMs = this.#renewedMs + this.#ttlMs - Date.now();
    this.#timer = this.#planRenewal(Math.max(50, Math.min(this.#ttlMs / 3, leftMs)));
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#settleLost();
    this.#onOver();
  }

  async release(): Promise<void> {
    if (this.#isOver) return;
    this.#end();
    await this.#cluster.call('repeatable', async (connection, options) => {
      try {
        return await connection.lease.leaseRevoke({ ID: this.id }, options);
      } catch (error) {
        if (!isLeaseGone(error)) throw error;
        return { header: { cluster_id: this.#cluster.clusterId ?? '', revision: String(this.#cluster.lastRevision) } };
      }
    });
  }

  /** The store closes: whoever relies on the lease must not any more. */
  abandon(): void {
    this.#end();
  }
}
