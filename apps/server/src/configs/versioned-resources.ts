/**
 * What all kinds of configuration have in common: lists, reads, writes with preconditions, history, differences, rollback. A kind says what
 * its content is and what must hold of it (rules); everything else is the same for entries, flags, segments, webhooks and freezes.
 */
import { quoteEtag, type ResourceDiff } from '@bailiwick/contract';
import type { JsonValue } from '@bailiwick/evaluation';
import type { Page } from '../ports/policy-archive.port.js';
import type { ResourceKind, ResourceScope, ResourceStore, ResourceVersion } from '../ports/resource-store.port.js';
import type { Item } from './config-content.js';
import { keyTaken, resourceNotFound, versionNotFound } from './config-errors.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import type { ConfigurationState } from './configuration-state.js';
import type { ConfigurationWriter, Plan, WriteContext, WriteRule, Written } from './configuration-writer.js';
import { diffJson } from './json-diff.js';
import { type ListFilter, listItems } from './list-items.js';
import { assertMatches } from './preconditions.js';

export interface VersionedParts<C> {
  readonly kind: ResourceKind;
  readonly store: ResourceStore;
  readonly feed: ConfigurationFeed;
  readonly writer: ConfigurationWriter;
  readonly rules: readonly WriteRule[];
  /** The content as lists, history and diffs may show it: without what is secret. */
  readonly shown: (content: C) => JsonValue;
}

type PageOptions = { readonly limit: number; readonly cursor?: string | undefined };

export class VersionedResources<C extends { readonly description?: string }> {
  readonly #parts: VersionedParts<C>;

  constructor(parts: VersionedParts<C>) {
    this.#parts = parts;
  }

  get kind(): ResourceKind {
    return this.#parts.kind;
  }

  shown(content: C): JsonValue {
    return this.#parts.shown(content);
  }

  /** Newest change first. */
  list(filter: ListFilter, options: PageOptions): Page<Item<C>> {
    return listItems(this.#parts.feed.state.all<C>(this.kind), filter, options);
  }

  has(id: string): boolean {
    return this.#parts.feed.state.get<C>(this.kind, id) !== undefined;
  }

  /** Errors: `<kind>.not_found`. */
  get(id: string, state: ConfigurationState = this.#parts.feed.state): Item<C> {
    const item = state.get<C>(this.kind, id);
    if (!item) throw resourceNotFound(this.kind, id);
    return item;
  }

  /** Errors: `resource.key_taken`, and what the rules refuse. */
  async create(key: string, scope: ResourceScope, content: C, context: WriteContext): Promise<Item<C>> {
    const { kind } = this;
    return await this.#writeOne(context, (state) => {
      const taken = state.find(kind, scope, key);
      if (taken) throw keyTaken(kind, taken);
      return [{ op: 'create', kind, scope, key, content }];
    });
  }

  /** Errors: `<kind>.not_found`, `resource.match_required`, `resource.version_conflict`, and what the rules refuse. */
  async replace(id: string, content: C, ifMatch: string | undefined, context: WriteContext): Promise<Item<C>> {
    return await this.#writeOne(context, (state) => {
      const item = this.get(id, state);
      assertMatches(item, ifMatch);
      return [{ op: 'replace', item, content }];
    });
  }

  async remove(id: string, ifMatch: string | undefined, context: WriteContext): Promise<void> {
    await this.write(context, (state) => {
      const item = this.get(id, state);
      assertMatches(item, ifMatch);
      return [{ op: 'delete', item }];
    });
  }

  /** Brings the content of an earlier version back, as a new version. */
  async rollback(id: string, version: number, ifMatch: string | undefined, context: WriteContext): Promise<Item<C>> {
    const old = await this.#parts.store.version(this.kind, id, version);
    if (!old || old.content === null) throw versionNotFound(this.kind, version);
    const content = JSON.parse(old.content) as C;
    return await this.#writeOne(context, (state) => {
      const item = this.get(id, state);
      assertMatches(item, ifMatch);
      return [{ op: 'replace', item, content, action: 'rollback', rolledBackTo: version }];
    });
  }

  /** Newest first; also of what was deleted. */
  async versions(id: string, options: PageOptions): Promise<Page<ResourceVersion>> {
    const { cursor, limit } = options;
    const page = await this.#parts.store.versions(this.kind, id, {
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    });
    if (page.items.length === 0 && cursor === undefined) throw resourceNotFound(this.kind, id);
    return page;
  }

  async diff(id: string, from: number, to: number): Promise<ResourceDiff> {
    const of = async (version: number): Promise<JsonValue> => {
      const found = await this.#parts.store.version(this.kind, id, version);
      if (!found) throw versionNotFound(this.kind, version);
      return found.content === null ? null : this.shown(JSON.parse(found.content) as C);
    };
    return { from, to, changes: diffJson(await of(from), await of(to)) };
  }

  /** A plan of any changes under the rules of this kind. */
  async write(context: WriteContext, plan: Plan): Promise<Written> {
    return await this.#parts.writer.write(context, plan, this.#parts.rules);
  }

  async #writeOne(context: WriteContext, plan: Plan): Promise<Item<C>> {
    const { items } = await this.write(context, plan);
    return items[0] as Item<C>;
  }
}

export const etagOf = (item: Item<unknown>): string => quoteEtag(item.revision);
