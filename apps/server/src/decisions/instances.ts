/**
 * Which instances enforce what. Each writes a leased key with the revision it enforces, after every change (several at once become one
 * write); `?wait=applied` and `GET …/instances` read them all.
 */
import type { AppliedReport, InstanceReport } from '@bailiwick/contract';
import { ownPrefix } from '../policies/policy-model.js';
import type { KeyValueStore, Lease, Watch } from '../ports/key-value-store.port.js';
import type { PolicyName } from '../ports/policy-archive.port.js';
import type { Enforcer } from './enforcer.js';

const prefix = `${ownPrefix}instances/`;
const leaseTtlMs = 10_000;

interface StoredInstance {
  readonly id: string;
  readonly roles: readonly string[];
  /** Everything up to this revision is enforced. */
  readonly revision: number;
  /** Policy → [revision it runs, since when (epoch ms), why it is broken]. */
  readonly policies: Readonly<Record<PolicyName, readonly [revision: number, sinceMs: number, error?: string]>>;
}

export class InstanceRegistry {
  readonly #store: KeyValueStore;
  readonly #enforcer: Enforcer;
  readonly #id: string;
  readonly #roles: readonly string[];
  readonly #known = new Map<string, StoredInstance>();
  readonly #listeners = new Set<() => void>();
  readonly #reportEveryMs: number;
  readonly #onError: (error: unknown) => void;
  #lease: Lease | undefined;
  #watch: Watch | undefined;
  #stopListening: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReporting = false;
  #isDirty = false;
  #isStopped = false;

  constructor(parts: {
    readonly store: KeyValueStore;
    readonly enforcer: Enforcer;
    readonly id: string;
    readonly roles: readonly string[];
    /** Shortest time between two reports, in milliseconds: several changes become one. */
    readonly reportEveryMs: number;
    readonly onError: (error: unknown) => void;
  }) {
    this.#reportEveryMs = parts.reportEveryMs;
    this.#store = parts.store;
    this.#enforcer = parts.enforcer;
    this.#id = parts.id;
    this.#roles = parts.roles;
    this.#onError = parts.onError;
  }

  async start(): Promise<void> {
    const range = await this.#store.range(prefix);
    for (const item of range.items) this.#note(item.key, item.value);
    this.#watch = this.#store.watch({
      prefix,
      afterRevision: range.revision,
      onBatch: (batch) => {
        for (const event of batch.events) {
          if (event.kind === 'put') this.#note(event.item.key, event.item.value);
          else this.#known.delete(event.key);
        }
        this.#changed();
      },
      onResync: (fresh) => {
        this.#known.clear();
        for (const item of fresh.items) this.#note(item.key, item.value);
        this.#changed();
      },
    });
    await this.#report();
    this.#stopListening = this.#enforcer.onApplied(() => {
      this.#changed();
      this.#isDirty = true;
      this.#timer ??= setTimeout(() => void this.#reportLater(), this.#reportEveryMs);
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopListening?.();
    clearTimeout(this.#timer);
    await this.#watch?.close();
    await this.#lease?.release().catch(() => undefined);
  }

  /** Every live instance and what it runs of one policy. */
  list(policy: PolicyName): readonly InstanceReport[] {
    return this.#all().map(({ id, roles, revision, policies }) => {
      const [running, sinceMs, error] = policies[policy] ?? [];
      return {
        id,
        roles: [...roles],
        revision,
        ...(running === undefined ? {} : { policy_revision: running }),
        ...(sinceMs === undefined ? {} : { since: new Date(sinceMs).toISOString() }),
        ...(error === undefined ? {} : { error }),
      };
    });
  }

  /** Waits until every live instance enforces `revision`, at most `timeoutMs`; times are from `sinceMs` (epoch). */
  async whenApplied(revision: number, sinceMs: number, timeoutMs: number): Promise<AppliedReport> {
    const doneMs = new Map<string, number>();
    const look = (): boolean => {
      const now = performance.timeOrigin + performance.now();
      const all = this.#all();
      for (const instance of all)
        if (instance.revision >= revision && !doneMs.has(instance.id))
          doneMs.set(instance.id, Math.max(0, now - sinceMs));
      return all.every((instance) => doneMs.has(instance.id));
    };
    const complete = look() || (await this.#until(look, timeoutMs));
    const instances = this.#all().map(({ id }) => {
      const ms = doneMs.get(id);
      return ms === undefined ? { id, applied: false } : { id, applied: true, ms: Math.round(ms * 1000) / 1000 };
    });
    return { complete, instances };
  }

  async #until(look: () => boolean, timeoutMs: number): Promise<boolean> {
    return await new Promise((resolve) => {
      const finish = (isDone: boolean): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        resolve(isDone);
      };
      const listener = (): void => {
        if (look()) finish(true);
      };
      const timer = setTimeout(() => finish(look()), timeoutMs);
      this.#listeners.add(listener);
    });
  }

  /** What the store says of the others, and what we know of ourselves without asking it. */
  #all(): readonly StoredInstance[] {
    const others = [...this.#known.values()].filter((instance) => instance.id !== this.#id);
    return [this.#self(), ...others].sort((a, b) => a.id.localeCompare(b.id));
  }

  #self(): StoredInstance {
    const policies: Record<string, readonly [number, number, string?]> = {};
    for (const name of this.#enforcer.names()) {
      const entry = this.#enforcer.entry(name);
      if (!entry) continue;
      policies[name] =
        entry.state.kind === 'broken'
          ? [entry.document.revision, entry.sinceMs, entry.state.error]
          : [entry.document.revision, entry.sinceMs];
    }
    return { id: this.#id, roles: this.#roles, revision: this.#enforcer.revision, policies };
  }

  #note(key: string, value: string): void {
    this.#known.set(key, JSON.parse(value) as StoredInstance);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  async #reportLater(): Promise<void> {
    this.#timer = undefined;
    if (this.#isReporting || this.#isStopped) return;
    try {
      while (this.#isDirty && !this.#isStopped) await this.#report();
    } catch (error) {
      this.#onError(error);
      if (!this.#isStopped) this.#timer ??= setTimeout(() => void this.#reportLater(), 1000);
    }
  }

  async #report(): Promise<void> {
    this.#isReporting = true;
    this.#isDirty = false;
    try {
      if (!this.#lease) {
        const lease = await this.#store.grantLease(leaseTtlMs);
        this.#lease = lease;
        void lease.lost.then(() => {
          if (this.#lease !== lease) return;
          this.#lease = undefined;
          this.#isDirty = true;
          if (!this.#isStopped) this.#timer ??= setTimeout(() => void this.#reportLater(), 200);
        });
      }
      await this.#store.transact(
        [],
        [{ kind: 'put', key: prefix + this.#id, value: JSON.stringify(this.#self()), leaseId: this.#lease.id }],
      );
    } finally {
      this.#isReporting = false;
    }
  }
}
