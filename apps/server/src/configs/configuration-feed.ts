/**
 * Keeps the state at the newest revision: loads it at the start, then reads the store's feed by revision whenever somebody says that
 * there may be more, and every second in any case. A message that is lost makes a change late, never wrong; a message
 * that comes twice changes nothing. While the database is away the last state stays and says that it is stale.
 */
import { setImmediate } from 'node:timers/promises';
import { BailiwickError } from '@bailiwick/contract';
import type { Cache } from '../ports/cache.port.js';
import type { LoadedResources, ResourceStore, ResourceVersion } from '../ports/resource-store.port.js';
import {
  type AnyItem,
  ConfigurationState,
  type ItemChange,
  type StateChange,
  toResource,
} from './configuration-state.js';

const pageSize = 500;
const waitForRevisionMs = 2_000;
const snapshotKey = 'configuration:snapshot:2';
const snapshotTtlMs = 7 * 86_400_000;
/** Resources that are written down in one go. */
const snapshotPortion = 200;
/** The channel on which writers say which revision there is now. */
const wakeChannel = 'configuration:revision';

export interface FeedOptions {
  readonly store: ResourceStore;
  readonly cache: Cache;
  readonly pollMs: number;
  readonly onError: (error: unknown) => void;
  readonly nowMs: () => number;
}

interface Snapshot extends LoadedResources {
  readonly epoch: string;
}

export class ConfigurationFeed {
  readonly #options: FeedOptions;
  readonly #listeners = new Set<(change: StateChange) => void>();
  readonly #waiting = new Set<() => void>();
  #state = new ConfigurationState({ revision: 0, resources: [], deletions: [] });
  #epoch = '';
  #isFromCache = false;
  #lastContactMs = 0;
  #running: Promise<void> | undefined;
  #isAskedAgain = false;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: (() => Promise<void>) | undefined;
  #cachedRevision = -1;
  #keepAgainMs = 0;
  #isKeeping = false;
  #kept: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get state(): ConfigurationState {
    return this.#state;
  }

  /** Names the history; see `ResourceStore.epoch`. */
  get epoch(): string {
    return this.#epoch;
  }

  /** The database has not answered for two polls: the state is what was last known. */
  get isStale(): boolean {
    return this.#isFromCache || this.#options.nowMs() - this.#lastContactMs > 2 * this.#options.pollMs + 1_000;
  }

  ageSeconds(): number {
    return this.isStale ? (this.#options.nowMs() - this.#lastContactMs) / 1_000 : 0;
  }

  /** Loads from the database; when that is away, from the cache's snapshot. Rejects when neither is there. */
  async start(): Promise<void> {
    const { cache, pollMs, onError } = this.#options;
    try {
      await this.#load();
    } catch (error) {
      if (!(await this.#loadSnapshot())) throw error;
      onError(error);
    }
    this.#unsubscribe = await cache
      .subscribe(
        wakeChannel,
        (message) => {
          if (Number(message) > this.#state.revision) void this.wake();
        },
        () => void this.wake(),
      )
      .catch(() => undefined);
    this.#timer = setInterval(() => void this.wake(), pollMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#unsubscribe?.().catch(() => undefined);
    await this.#running;
    await this.#kept;
    for (const wake of this.#waiting) wake();
  }

  /** Called after each step, in order. Returns the function that ends it. */
  onChange(listener: (change: StateChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads what there is after the state's revision; resolves when that is done. Never rejects. */
  wake(): Promise<void> {
    if (this.#running) {
      this.#isAskedAgain = true;
      return this.#running;
    }
    this.#running = this.#readOn().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Takes in a commit of this instance without asking the store, when nothing came between; else reads on. */
  take(versions: readonly ResourceVersion[], revision: number): void {
    if (this.#state.revision === revision - 1) this.#tell(this.#state.apply(versions, revision));
    else void this.wake();
    this.announce(revision);
  }

  /** Tells the other instances that there is a revision to read. Best effort: they poll. */
  announce(revision: number): void {
    this.#options.cache.publish(wakeChannel, String(revision)).catch(() => undefined);
  }

  /** Resolves when the state has reached the revision, or with false after `timeoutMs`. */
  async whenReached(revision: number, timeoutMs: number): Promise<boolean> {
    if (this.#state.revision >= revision) return true;
    const end = Date.now() + timeoutMs;
    void this.wake();
    while (this.#state.revision < revision && Date.now() < end && !this.#isStopped)
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, Math.max(0, end - Date.now()));
        this.#waiting.add(wake);
      });
    return this.#state.revision >= revision;
  }

  async #readOn(): Promise<void> {
    try {
      do {
        this.#isAskedAgain = false;
        if (this.#isFromCache) await this.#load();
        for (;;) {
          const versions = await this.#options.store.changesAfter(this.#state.revision, pageSize);
          this.#lastContactMs = this.#options.nowMs();
          const last = versions.at(-1);
          if (!last) break;
          this.#tell(this.#state.apply(versions, last.revision));
        }
      } while (this.#isAskedAgain && !this.#isStopped);
      if (this.#options.nowMs() >= this.#keepAgainMs) this.#keepSnapshot();
    } catch (error) {
      if (!this.#isStopped) this.#options.onError(error);
      // Whoever starts now has nothing else.
      this.#keepSnapshot();
    }
  }

  async #load(): Promise<void> {
    const { store } = this.#options;
    const epoch = await store.epoch();
    const loaded = await store.load();
    const before = this.#state;
    this.#state = new ConfigurationState(loaded);
    this.#epoch = epoch;
    this.#isFromCache = false;
    this.#lastContactMs = this.#options.nowMs();
    // Whoever keeps something compiled learns what is different from what it knew.
    const items = [...differences(before, this.#state)];
    this.#tell({ revision: loaded.revision, items });
  }

  async #loadSnapshot(): Promise<boolean> {
    const text = await this.#options.cache.get(snapshotKey).catch(() => undefined);
    if (text === undefined) return false;
    const { epoch, ...loaded } = JSON.parse(text) as Snapshot;
    this.#state = new ConfigurationState(loaded);
    this.#epoch = epoch;
    this.#isFromCache = true;
    return true;
  }

  /**
   * So that an instance can start while the database is away. Any instance writes it; all write the same. In portions, and the more seldom the more
   * there is: a large configuration takes a while to be written down.
   */
  #keepSnapshot(): void {
    const { revision, size } = this.#state;
    if (this.#isFromCache || revision === this.#cachedRevision || this.#isKeeping) return;
    this.#isKeeping = true;
    this.#cachedRevision = revision;
    this.#keepAgainMs = this.#options.nowMs() + size;
    this.#kept = this.#writeSnapshot(revision)
      .catch(() => undefined)
      .finally(() => {
        this.#isKeeping = false;
      });
  }

  async #writeSnapshot(revision: number): Promise<void> {
    const head = JSON.stringify({ epoch: this.#epoch, revision, deletions: this.#state.deletions() });
    const resources = await resourcesText(this.#state.items());
    await this.#options.cache.set(snapshotKey, `${head.slice(0, -1)},"resources":[${resources}]}`, snapshotTtlMs);
  }

  #tell(change: StateChange): void {
    for (const listener of this.#listeners) listener(change);
    for (const wake of [...this.#waiting]) wake();
  }
}

/** Waits a little for a revision that a caller has seen. Errors: `config.revision_not_reached` (503) when it does not come in time. */
export async function reached(
  feed: Pick<ConfigurationFeed, 'state' | 'whenReached'>,
  minRevision: number | undefined,
): Promise<void> {
  if (minRevision === undefined || (await feed.whenReached(minRevision, waitForRevisionMs))) return;
  throw new BailiwickError('unavailable', {
    reason: 'config.revision_not_reached',
    message: `This server is at revision ${feed.state.revision} and has not seen ${minRevision} yet. Try again.`,
    retryAfterSeconds: 1,
  });
}

async function resourcesText(items: readonly AnyItem[]): Promise<string> {
  const portions: string[] = [];
  for (let from = 0; from < items.length; from += snapshotPortion) {
    const portion = items.slice(from, from + snapshotPortion);
    portions.push(portion.map((item) => JSON.stringify(toResource(item))).join(','));
    await setImmediate();
  }
  return portions.join(',');
}

function* differences(before: ConfigurationState, after: ConfigurationState): Generator<ItemChange> {
  const known = new Set<string>();
  for (const item of after.items()) {
    known.add(item.id);
    const old = before.get<unknown>(item.kind, item.id);
    if (old?.version !== item.version) yield { before: old, after: item, revision: item.revision };
  }
  for (const item of before.items())
    if (!known.has(item.id)) yield { before: item, after: undefined, revision: after.revision };
}
