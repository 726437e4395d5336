/** Configuration entries: what is special about them among the versioned resources, namely values: typed, checked in every scope, some of them secret. */
import type { NewConfig } from '@bailiwick/contract';
import type { JsonValue } from '@bailiwick/evaluation';
import type { ResourceStore } from '../ports/resource-store.port.js';
import { type ConfigContentStored, type Item, typeOf } from './config-content.js';
import { configInvalid } from './config-errors.js';
import { assertValid } from './config-validation.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import type { ConfigurationWriter, PlannedChange, WriteRule } from './configuration-writer.js';
import { EntryIndex, type ProposedEntry } from './entry-index.js';
import { assertSchema } from './json-schemas.js';
import { plainJson } from './plain-json.js';
import type { ValueCipher } from './value-cipher.js';
import { VersionedResources } from './versioned-resources.js';

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
  readonly resources: VersionedResources<ConfigContentStored>;
  readonly #cipher: ValueCipher;
  readonly #index: EntryIndex;
  readonly #maxValueChars: number;

  constructor(parts: ConfigServiceParts) {
    this.#cipher = parts.cipher;
    this.#maxValueChars = parts.maxValueChars;
    const { store, feed, writer } = parts;
    this.#index = new EntryIndex(feed, parts.cipher);
    const rules = [this.validity, ...parts.rules];
    this.resources = new VersionedResources({ kind: 'config', store, feed, writer, rules, shown: shownContent });
  }

  /** Checks the entries among any plan's changes, in every scope that they can be seen in. */
  get validity(): WriteRule {
    return {
      check: async (changes) => {
        await this.#assertValid(changes);
        return [];
      },
    };
  }

  /** The value in the clear; undefined while the secret store is away. */
  valueOf(item: ConfigItem): JsonValue | undefined {
    return this.#cipher.plain(item);
  }

  /** The draft as it is stored. Errors: `config.…` for what can be said without knowing the other entries. */
  async content(draft: ConfigDraft): Promise<ConfigContentStored> {
    const value = plainJson(draft.value, '/value');
    const chars = JSON.stringify(value).length;
    if (chars > this.#maxValueChars)
      throw configInvalid(
        'value_too_large',
        `The value has ${chars} characters of JSON; at most ${this.#maxValueChars} are allowed.`,
      );
    const type = typeOf(value);
    if (draft.type !== undefined && draft.type !== type)
      throw configInvalid('wrong_type', `The value is a ${type}, but the entry says it is a ${draft.type}.`, [
        { path: '/value', message: `must be a ${draft.type}` },
      ]);
    const schema = draft.schema === undefined ? undefined : plainJson(draft.schema, '/schema');
    if (schema !== undefined) assertSchema(schema);
    return {
      ...(draft.sensitive === true ? { encrypted: await this.#cipher.encrypt(value) } : { value }),
      type,
      ...(draft.description === undefined ? {} : { description: draft.description }),
      ...(draft.sensitive === true ? { sensitive: true } : {}),
      ...(draft.merge === undefined ? {} : { merge: draft.merge }),
      ...(schema === undefined ? {} : { schema }),
      ...(draft.depends_on === undefined ? {} : { dependsOn: draft.depends_on }),
    };
  }

  async #assertValid(changes: readonly PlannedChange[]): Promise<void> {
    const changed = new Set<string>();
    const gone = new Set<string>();
    const proposed: ProposedEntry[] = [];
    for (const [place, change] of changes.entries()) {
      const kind = change.op === 'create' ? change.kind : change.item.kind;
      if (kind !== 'config') continue;
      changed.add(change.op === 'create' ? change.key : change.item.key);
      if (change.op !== 'create') gone.add(change.item.id);
      if (change.op !== 'delete') proposed.push(await this.#proposed(change, `new-${place}`));
    }
    if (changed.size === 0) return;
    const before = this.#index.of(this.#index.closure(changed, proposed));
    assertValid(before, [...before.filter(({ item }) => !gone.has(item.id)), ...proposed]);
  }

  async #proposed(change: Exclude<PlannedChange, { op: 'delete' }>, newId: string): Promise<ProposedEntry> {
    const content = change.content as ConfigContentStored;
    const value = content.encrypted === undefined ? content.value : await this.#cipher.decrypt(content.encrypted);
    if (change.op === 'replace') return { item: { ...(change.item as ConfigItem), content }, value };
    const at = '';
    const written = { createdAt: at, createdBy: at, updatedAt: at, updatedBy: at, version: 0, revision: 0 };
    return { item: { id: newId, kind: 'config', key: change.key, ...change.scope, ...written, content }, value };
  }
}

/** The content as lists, history and diffs may show it: without what is secret. */
function shownContent(content: ConfigContentStored): JsonValue {
  const { encrypted, dependsOn, ...rest } = content;
  return {
    ...(encrypted === undefined ? {} : { redacted: true }),
    ...(dependsOn === undefined ? {} : { depends_on: [...dependsOn] }),
    ...rest,
  };
}
