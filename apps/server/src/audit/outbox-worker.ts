/**
 * Drains the outbox into the policy archive and the audit log: in the order of revisions, at least once, by one leased instance at a time.
 * Appending is idempotent in both, so history holds each record exactly once whatever crashes between. When they are away it waits and
 * tries again; nothing is lost meanwhile because the outbox is part of the live store.
 */
import type { KeyObject } from 'node:crypto';
import { type ChainHeads, rootChain, sealRecord } from '@bailiwick/contract/audit-chain';
import { decodeOutboxEntry, type OutboxEntry, type PendingVersion, pendingEtag } from '../policies/outbox.js';
import { outboxPrefix, ownPrefix } from '../policies/policy-model.js';
import type { AuditFacts, AuditLogStore, AuditRecord } from '../ports/audit-log.port.js';
import type { KeyValue, KeyValueStore, Lease, Watch } from '../ports/key-value-store.port.js';
import type { PolicyArchive, PolicyVersion } from '../ports/policy-archive.port.js';

const leaderKey = `${ownPrefix}workers/outbox`;
const leaseTtlMs = 5_000;
const retryMs = 500;
const batchSize = 100;
const sealIntervalMs = 1_000;
const pruneEvery = 10;
/** Time for more entries to come, so that a busy outbox is drained in large steps. */
const gatherMs = 20;

export interface OutboxPorts {
  readonly store: KeyValueStore;
  readonly archive: PolicyArchive;
  readonly log: AuditLogStore;
  readonly signingKey: KeyObject;
  readonly keptVersions: number;
  readonly instanceId: string;
  readonly onError: (error: unknown) => void;
  readonly nowMs: () => number;
  readonly newId: () => string;
}

export class OutboxWorker {
  readonly #ports: OutboxPorts;
  readonly #heads = new Map<string, Pick<AuditRecord, 'seq' | 'hash'> | undefined>();
  readonly #unsealed = new Set<string>();
  #watch: Watch | undefined;
  #lease: Lease | undefined;
  #isStopping = false;
  #isDirty = true;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;
  #depth = 0;
  #lastSealMs = 0;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Entries seen waiting at the last look. */
  get depth(): number {
    return this.#depth;
  }

  /** Drains what is there (as far as the stores allow), seals the chains and stops. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake?.();
    await this.#loop;
    await this.#watch?.close();
    await this.#lease?.release().catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#lead();
        await this.#drain();
        await this.#sealRoot(false);
        await this.#pause(this.#unsealed.size > 0 ? sealIntervalMs : 5_000);
      } catch (error) {
        if (!this.#isStopping) this.#ports.onError(error);
        this.#heads.clear();
        this.#isDirty = true;
        await this.#pause(retryMs, true);
      }
    }
    await this.#drainLast();
  }

  async #drainLast(): Promise<void> {
    try {
      if (!this.#lease) return;
      await this.#drain();
      await this.#sealRoot(true);
    } catch {
      // The next leader drains what remains.
    }
  }

  /** Becomes the one that drains, and follows the outbox; returns when it is. */
  async #lead(): Promise<void> {
    while (!this.#lease && !this.#isStopping) {
      const lease = await this.#ports.store.grantLease(leaseTtlMs);
      const result = await this.#ports.store.transact(
        [{ key: leaderKey, modRevision: 0 }],
        [{ kind: 'put', key: leaderKey, value: this.#ports.instanceId, leaseId: lease.id }],
      );
      if (!result.succeeded) {
        await lease.release();
        await this.#pause(leaseTtlMs / 5, true);
        continue;
      }
      this.#lease = lease;
      this.#heads.clear();
      this.#isDirty = true;
      void lease.lost.then(() => {
        if (this.#lease === lease) this.#lease = undefined;
      });
    }
    if (this.#watch || this.#isStopping) return;
    const status = await this.#ports.store.status();
    this.#watch = this.#ports.store.watch({
      prefix: outboxPrefix,
      afterRevision: status.revision,
      onBatch: (batch) => {
        if (batch.events.some((event) => event.kind === 'put')) this.#notice();
      },
      onResync: () => this.#notice(),
    });
  }

  #notice(): void {
    this.#isDirty = true;
    this.#wake?.();
  }

  async #drain(): Promise<void> {
    while (this.#isDirty && this.#lease) {
      this.#isDirty = false;
      const { items } = await this.#ports.store.range(outboxPrefix, { limit: 20 * batchSize });
      this.#depth = items.length;
      const ordered = [...items].sort((a, b) => a.modRevision - b.modRevision);
      for (let at = 0; at < ordered.length && this.#lease; at += batchSize) {
        await this.#process(ordered.slice(at, at + batchSize));
        this.#depth = Math.max(0, ordered.length - at - batchSize);
      }
      if (items.length > 0) this.#isDirty = true;
      if (items.length > 0 && items.length < batchSize && !this.#isStopping)
        await new Promise((resolve) => setTimeout(resolve, gatherMs));
    }
  }

  async #process(items: readonly KeyValue[]): Promise<void> {
    const entries = items.map((item) => ({ item, entry: decodeOutboxEntry(item.value) }));
    await this.#ports.archive.appendAll(entries.flatMap(({ item, entry }) => versionOf(item, entry)));
    const chains = new Map<string, AuditFacts[]>();
    for (const { item, entry } of entries) {
      const facts =
        entry.audit.etag_after === pendingEtag ? { ...entry.audit, etag_after: String(item.modRevision) } : entry.audit;
      const chain = chains.get(facts.chain);
      if (chain) chain.push(facts);
      else chains.set(facts.chain, [facts]);
    }
    await Promise.all([...chains].map(([chain, facts]) => this.#appendChain(chain, facts)));
    await this.#ports.store.transact(
      [],
      items.map((item) => ({ kind: 'delete', key: item.key })),
    );
    await this.#prune(entries.flatMap(({ entry }) => entry.version ?? []));
  }

  /** Not at every version: pruning is a statement a policy. */
  async #prune(versions: readonly PendingVersion[]): Promise<void> {
    const due = new Set(
      versions.flatMap((version) => (version.version % pruneEvery === 0 ? [version.project ?? 'platform'] : [])),
    );
    for (const policy of due) await this.#ports.archive.prune(policy, this.#ports.keptVersions);
  }

  /** In order and at once; where another worker has appended meanwhile, or we ourselves before a crash, one by one. */
  async #appendChain(chain: string, facts: readonly AuditFacts[]): Promise<void> {
    const head = await this.#head(chain);
    const records: AuditRecord[] = [];
    for (const fact of facts) records.push(sealRecord(fact, records.at(-1) ?? head));
    const appended = await this.#ports.log.appendAll(records);
    const last = records[appended - 1];
    if (last) this.#heads.set(chain, last);
    for (const fact of facts.slice(appended)) await this.#append(chain, fact);
    if (chain !== rootChain) this.#unsealed.add(chain);
  }

  async #head(chain: string): Promise<Pick<AuditRecord, 'seq' | 'hash'> | undefined> {
    if (!this.#heads.has(chain)) this.#heads.set(chain, await this.#ports.log.head(chain));
    return this.#heads.get(chain);
  }

  async #append(chain: string, facts: AuditFacts, signingKey?: KeyObject): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const record = sealRecord(facts, await this.#head(chain), signingKey);
      const outcome = await this.#ports.log.append(record);
      if (outcome === 'appended') {
        this.#heads.set(chain, record);
        return;
      }
      this.#heads.delete(chain);
      if (outcome === 'duplicate') return;
    }
    throw new Error(`The audit chain '${chain}' keeps changing under this worker.`);
  }

  /** Joins the heads of the chains that grew under a signed record of the root chain. */
  async #sealRoot(isForced: boolean): Promise<void> {
    if (this.#unsealed.size === 0 || !this.#lease) return;
    if (!isForced && this.#ports.nowMs() - this.#lastSealMs < sealIntervalMs) return;
    const heads: Record<string, { seq: number; hash: string }> = {};
    for (const chain of this.#unsealed) {
      const head = this.#heads.get(chain) ?? (await this.#ports.log.head(chain));
      if (head) heads[chain] = { seq: head.seq, hash: head.hash };
    }
    const facts: AuditFacts = {
      id: this.#ports.newId(),
      ts: new Date(this.#ports.nowMs()).toISOString(),
      actor: `instance:${this.#ports.instanceId}`,
      action: 'audit.seal',
      resource: '/api/v1/audit',
      etag_before: null,
      etag_after: null,
      result: 'success',
      request_id: '',
      client_ip: '',
      chain: rootChain,
      detail: JSON.stringify(heads satisfies ChainHeads),
    };
    await this.#append(rootChain, facts, this.#ports.signingKey);
    this.#unsealed.clear();
    this.#lastSealMs = this.#ports.nowMs();
  }

  async #pause(ms: number, isFixed = false): Promise<void> {
    if (this.#isStopping || (!isFixed && this.#isDirty)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (isFixed && !this.#isStopping) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

function versionOf(item: KeyValue, entry: OutboxEntry): readonly PolicyVersion[] {
  return entry.version ? [{ ...entry.version, etag: String(item.modRevision) }] : [];
}
