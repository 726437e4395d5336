/**
 * How often each flag and entry is asked for, a day: SDKs count and report about once a minute, all instances add to the same counters in the
 * cache. Counts tell what is in use; they are not a ledger: what a lost cache held is gone.
 */
import type { UsageOfKey, UsageReport } from '@bailiwick/contract';
import type { Cache } from '../ports/cache.port.js';
import type { ResourceScope } from '../ports/resource-store.port.js';
import type { FlagContent, Item } from './config-content.js';
import { resourceNotFound } from './config-errors.js';
import type { ConfigurationFeed } from './configuration-feed.js';

const dayMs = 86_400_000;
const keptDays = 14;
/** A report may be sent again when its answer was lost. */
const repeatMs = 3_600_000;

/** The total of a day; variants have their own counters beside it. */
const all = '*';

export class UsageService {
  readonly #cache: Cache;
  readonly #feed: ConfigurationFeed;
  readonly #nowMs: () => number;

  constructor(cache: Cache, feed: ConfigurationFeed, nowMs: () => number = Date.now) {
    this.#cache = cache;
    this.#feed = feed;
    this.#nowMs = nowMs;
  }

  /** Keys that are not there are left out. Errors: `cache.unavailable`; the same report may then be sent again. */
  async add(report: UsageReport, scope: ResourceScope, actor: string): Promise<void> {
    const mark = `usage:report:${actor}:${report.id}`;
    const { count: times } = await this.#cache.increment(mark, 1, repeatMs);
    if (times > 1) return;
    try {
      await Promise.all([...this.#sums(report, scope)].map(([key, by]) => this.#cache.increment(key, by, keptMs)));
    } catch (error) {
      await this.#cache.delete(mark).catch(() => undefined);
      throw error;
    }
  }

  /** Errors: `<kind>.not_found`, `cache.unavailable`. */
  async of(kind: 'config' | 'flag', id: string): Promise<UsageOfKey> {
    const item = this.#item(kind, id);
    const variants = kind === 'flag' ? Object.keys((item as Item<FlagContent>).content.definition.variants) : [];
    const today = Math.floor(this.#nowMs() / dayMs);
    const days = await Promise.all(
      Array.from({ length: keptDays }, (_, back) => this.#day(id, today - back, variants)),
    );
    const used = days.filter(({ total }) => total > 0);
    return { id, key: item.key, total: used.reduce((sum, { total }) => sum + total, 0), days: used };
  }

  /** What the access to a key's counts is decided by. Errors: `<kind>.not_found`. */
  factsOf(kind: 'config' | 'flag', id: string) {
    const { key, appId, environment } = this.#item(kind, id);
    return { resource: { kind, key, app_id: appId, environment } };
  }

  #item(kind: 'config' | 'flag', id: string): Item<unknown> {
    const item = this.#feed.state.get<unknown>(kind, id);
    if (item === undefined) throw resourceNotFound(kind, id);
    return item;
  }

  async #day(id: string, day: number, variants: readonly string[]): Promise<UsageOfKey['days'][number]> {
    const read = async (variant: string): Promise<number> =>
      Number((await this.#cache.get(keyOf(id, day, variant))) ?? 0);
    const total = await read(all);
    // A day without any needs no further questions.
    const counts = total === 0 ? [] : await Promise.all(variants.map(async (name) => [name, await read(`=${name}`)]));
    return {
      day: new Date(day * dayMs).toISOString().slice(0, 10),
      total,
      variants: Object.fromEntries(counts.filter(([, count]) => count !== 0)) as Record<string, number>,
    };
  }

  #sums(report: UsageReport, scope: ResourceScope): ReadonlyMap<string, number> {
    const sums = new Map<string, number>();
    const add = (key: string, by: number): void => void sums.set(key, (sums.get(key) ?? 0) + by);
    const day = Math.floor(this.#nowMs() / dayMs);
    for (const { kind, key, variant, count } of report.counts) {
      const item = this.#find(kind, key, scope);
      if (item === undefined) continue;
      add(keyOf(item.id, day, all), count);
      const isKnown =
        variant !== undefined &&
        kind === 'flag' &&
        Object.hasOwn((item as Item<FlagContent>).content.definition.variants, variant);
      if (isKnown) add(keyOf(item.id, day, `=${variant}`), count);
    }
    return sums;
  }

  /** The most specific one, as evaluations see it. */
  #find(kind: 'config' | 'flag', key: string, { appId, environment }: ResourceScope): Item<unknown> | undefined {
    const { state } = this.#feed;
    return (
      state.find<unknown>(kind, { appId, environment }, key) ??
      state.find<unknown>(kind, { appId, environment: null }, key) ??
      state.find<unknown>(kind, { appId: null, environment: null }, key)
    );
  }
}

/** Counters end by themselves a day after the last day they are shown on. */
const keptMs = (keptDays + 1) * dayMs;

const keyOf = (id: string, day: number, variant: string): string => `usage:${id}:${day}:${variant}`;
