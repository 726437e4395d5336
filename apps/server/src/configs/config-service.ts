/** Configuration entries: read, written, rolled back. Every change goes through the one writer and is checked in every scope it can be seen in. */
import { type NewConfig, quoteEtag, type ResourceDiff } from '@bailiwick/contract';
import type { JsonValue } from '@bailiwick/evaluation';
import { BigNumber } from '@bailiwick/rego';
import type { Page } from '../ports/policy-archive.port.js';
import type { ResourceScope, ResourceStore, ResourceVersion } from '../ports/resource-store.port.js';
import { type ConfigContentStored, type Item, typeOf } from './config-content.js';
import { configInvalid, keyTaken, resourceNotFound, versionNotFound } from './config-errors.js';
import { assertValid, type ProposedEntry } from './config-validation.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import type { ConfigurationState } from './configuration-state.js';
import type { ConfigurationWriter, PlannedChange, WriteContext, WriteRule, Written } from './configuration-writer.js';
import { diffJson } from './json-diff.js';
import { assertSchema } from './json-schemas.js';
import { type ListFilter, listItems } from './list-items.js';
import { assertMatches } from './preconditions.js';
import type { ValueCipher } from './value-cipher.js';

export type ConfigItem = Item<ConfigContentStored>;

/** What a caller says of an entry. */
export type ConfigDraft = Omit<NewConfig, 'key' | 'app_id' | 'environment'>;

export interface ConfigServiceParts {
  readonly store: ResourceStore;
  readonly feed: ConfigurationFeed;
  readonly writer: ConfigurationWriter;
  readonly cipher: ValueCipher;
  readonly rules: readonly WriteRule[];
  /** Largest value, in characters of its JSON text. */
  readonly maxValueChars: number;
}

export class ConfigService {
  readonly #parts: ConfigServiceParts;

  constructor(parts: ConfigServiceParts) {
    this.#parts = parts;
  }

  /** Newest first. */
  list(
    filter: ListFilter,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): Page<ConfigItem> {
    return listItems(this.#parts.feed.state.all<ConfigContentStored>('config'), filter, options);
  }

  /** Errors: `config.not_found`. */
  get(id: string): ConfigItem {
    return this.#found(this.#parts.feed.state, id);
  }

  /** The value in the clear; undefined while the secret store is away. */
  valueOf(item: ConfigItem): JsonValue | undefined {
    return this.#parts.cipher.plain(item);
  }

  /** Errors: `resource.key_taken`, `config.…`. */
  async create(key: string, scope: ResourceScope, draft: ConfigDraft, context: WriteContext): Promise<ConfigItem> {
    const content = await this.content(draft);
    const written = await this.write(context, (state) => {
      const taken = state.find('config', scope, key);
      if (taken) throw keyTaken('config', taken);
      return [{ op: 'create', kind: 'config', scope, key, content }];
    });
    return written.items[0] as ConfigItem;
  }

  /** Errors: `config.not_found`, `resource.version_conflict` … */
  async replace(
    id: string,
    draft: ConfigDraft,
    ifMatch: string | undefined,
    context: WriteContext,
  ): Promise<ConfigItem> {
    const content = await this.content(draft);
    const written = await this.write(context, (state) => {
      const item = this.#found(state, id);
      assertMatches(item, ifMatch);
      return [{ op: 'replace', item, content }];
    });
    return written.items[0] as ConfigItem;
  }

  async remove(id: string, ifMatch: string | undefined, context: WriteContext): Promise<Written> {
    return await this.write(context, (state) => {
      const item = this.#found(state, id);
      assertMatches(item, ifMatch);
      return [{ op: 'delete', item }];
    });
  }

  /** Brings the content of an earlier version back, as a new version; also of an entry that was deleted. */
  async rollback(id: string, version: number, ifMatch: string | undefined, context: WriteContext): Promise<ConfigItem> {
    const old = await this.#parts.store.version('config', id, version);
    if (!old || old.content === null) throw versionNotFound('config', version);
    const content = JSON.parse(old.content) as ConfigContentStored;
    const written = await this.write(context, (state) => {
      const item = state.get<ConfigContentStored>('config', id);
      if (!item) throw resourceNotFound('config', id);
      assertMatches(item, ifMatch);
      return [{ op: 'replace', item, content, action: 'rollback', rolledBackTo: version }];
    });
    return written.items[0] as ConfigItem;
  }

  /** Newest first; also of a deleted entry. */
  async versions(
    id: string,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<Page<ResourceVersion>> {
    const { cursor, limit } = options;
    const page = await this.#parts.store.versions('config', id, { limit, ...(cursor === undefined ? {} : { cursor }) });
    if (page.items.length === 0 && cursor === undefined) throw resourceNotFound('config', id);
    return page;
  }

  async diff(id: string, from: number, to: number): Promise<ResourceDiff> {
    const [before, after] = await Promise.all(
      [from, to].map((version) => this.#parts.store.version('config', id, version)),
    );
    if (!before) throw versionNotFound('config', from);
    if (!after) throw versionNotFound('config', to);
    const shown = (version: ResourceVersion): JsonValue =>
      version.content === null ? null : shownContent(JSON.parse(version.content) as ConfigContentStored);
    return { from, to, changes: diffJson(shown(before), shown(after)) };
  }

  /** A plan through the writer, with everything that must hold of configuration checked. */
  async write(
    context: WriteContext,
    plan: (state: ConfigurationState) => readonly PlannedChange[] | Promise<readonly PlannedChange[]>,
  ): Promise<Written> {
    const check: WriteRule = {
      check: async (changes, state) => {
        await this.#assertValid(changes, state);
        return [];
      },
    };
    return await this.#parts.writer.write(context, plan, [check, ...this.#parts.rules]);
  }

  /** The draft as it is stored. Errors: `config.…` for what can be said without knowing the others. */
  async content(draft: ConfigDraft): Promise<ConfigContentStored> {
    const value = plainJson(draft.value, '/value');
    const chars = JSON.stringify(value).length;
    if (chars > this.#parts.maxValueChars)
      throw configInvalid(
        'value_too_large',
        `The value has ${chars} characters of JSON; at most ${this.#parts.maxValueChars} are allowed.`,
      );
    const type = typeOf(value);
    if (draft.type !== undefined && draft.type !== type)
      throw configInvalid('wrong_type', `The value is a ${type}, but the entry says it is a ${draft.type}.`, [
        { path: '/value', message: `must be a ${draft.type}` },
      ]);
    const schema = draft.schema === undefined ? undefined : plainJson(draft.schema, '/schema');
    if (schema !== undefined) assertSchema(schema);
    return {
      ...(draft.sensitive === true ? { encrypted: await this.#parts.cipher.encrypt(value) } : { value }),
      type,
      ...(draft.description === undefined ? {} : { description: draft.description }),
      ...(draft.sensitive === true ? { sensitive: true } : {}),
      ...(draft.merge === undefined ? {} : { merge: draft.merge }),
      ...(schema === undefined ? {} : { schema }),
      ...(draft.depends_on === undefined ? {} : { dependsOn: draft.depends_on }),
    };
  }

  #found(state: ConfigurationState, id: string): ConfigItem {
    const item = state.get<ConfigContentStored>('config', id);
    if (!item) throw resourceNotFound('config', id);
    return item;
  }

  async #assertValid(changes: readonly PlannedChange[], state: ConfigurationState): Promise<void> {
    const { cipher } = this.#parts;
    const before: ProposedEntry[] = [];
    const after = new Map<string, ProposedEntry>();
    for (const item of state.all<ConfigContentStored>('config')) {
      const entry = { item, value: cipher.plain(item) };
      before.push(entry);
      after.set(item.id, entry);
    }
    const changed = new Set<string>();
    for (const [place, change] of changes.entries()) {
      const kind = change.op === 'create' ? change.kind : change.item.kind;
      if (kind !== 'config') continue;
      changed.add(change.op === 'create' ? change.key : change.item.key);
      if (change.op === 'delete') {
        after.delete(change.item.id);
        continue;
      }
      const content = change.content as ConfigContentStored;
      const value = content.encrypted === undefined ? content.value : await cipher.decrypt(content.encrypted);
      const item = (
        change.op === 'create'
          ? { id: `new-${place}`, kind, key: change.key, ...change.scope, version: 0, content }
          : { ...change.item, content }
      ) as ConfigItem;
      after.set(item.id, { item, value });
    }
    if (changed.size > 0) assertValid(before, [...after.values()], changed);
  }
}

/** The content as lists, history and diffs may show it: without what is secret. */
export function shownContent(content: ConfigContentStored): JsonValue {
  const { encrypted, dependsOn, ...rest } = content;
  return {
    ...(encrypted === undefined ? {} : { redacted: true }),
    ...(dependsOn === undefined ? {} : { depends_on: [...dependsOn] }),
    ...rest,
  } as JsonValue;
}

export const etagOf = (item: Item<unknown>): string => quoteEtag(item.revision);

/** JSON whose numbers are doubles. Errors: `config.bad_number`. */
export function plainJson(value: unknown, path: string): JsonValue {
  if (value instanceof BigNumber)
    throw configInvalid(
      'bad_number',
      `The number at ${path} has more digits than a double holds, and clients would read another one. Write it as a text.`,
      [{ path, message: 'is no double' }],
    );
  if (Array.isArray(value)) for (const [index, one] of value.entries()) plainJson(one, `${path}/${index}`);
  else if (typeof value === 'object' && value !== null)
    for (const [name, one] of Object.entries(value)) plainJson(one, `${path}/${name}`);
  return value as JsonValue;
}
