/** Which entries there are of a key, and which lean on it: so that a write is checked against what it can be seen in, and not against everything. */
import { type JsonValue, referencedKeys } from '@bailiwick/evaluation';
import type { ConfigContentStored, Item } from './config-content.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import type { ValueCipher } from './value-cipher.js';

/** An entry as it would be, with its value in the clear; `value` undefined: a secret that cannot be opened now. */
export interface ProposedEntry {
  readonly item: Item<ConfigContentStored>;
  readonly value: JsonValue | undefined;
}

/** What an entry says of other keys. */
export interface Link {
  readonly references: ReadonlySet<string>;
  readonly dependsOn: readonly string[];
}

const links = new WeakMap<ConfigContentStored, Link>();

/** Cost: one look for content that was met before. */
export function linkOf({ item, value }: ProposedEntry): Link {
  const known = links.get(item.content);
  if (known) return known;
  const link = {
    references: value === undefined ? new Set<string>() : referencedKeys(value),
    dependsOn: item.content.dependsOn ?? [],
  };
  if (value !== undefined) links.set(item.content, link);
  return link;
}

/** `a.b.c` may be a path into the key `a.b`. */
function namesIn({ references, dependsOn }: Link): ReadonlySet<string> {
  const names = new Set<string>();
  for (const name of [...references, ...dependsOn])
    for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) names.add(name.slice(0, end));
  return names;
}

export class EntryIndex {
  readonly #cipher: Pick<ValueCipher, 'plain'>;
  readonly #byKey = new Map<string, Map<string, ProposedEntry>>();
  /** Name → ids of the entries that name it. */
  readonly #users = new Map<string, Set<string>>();
  readonly #keys = new Map<string, string>();
  /** Ids of secrets that could not be opened when they came in. */
  readonly #closed = new Set<string>();

  constructor(feed: Pick<ConfigurationFeed, 'state' | 'onChange'>, cipher: Pick<ValueCipher, 'plain'>) {
    this.#cipher = cipher;
    for (const item of feed.state.all<ConfigContentStored>('config')) this.#put(item);
    feed.onChange(({ items }) => {
      for (const { before, after } of items) {
        if (before?.kind === 'config') this.#remove(before as Item<ConfigContentStored>);
        if (after?.kind === 'config') this.#put(after as Item<ConfigContentStored>);
      }
    });
  }

  /** The entries of some keys, of all scopes. */
  of(keys: Iterable<string>): readonly ProposedEntry[] {
    const found: ProposedEntry[] = [];
    for (const key of keys) found.push(...(this.#byKey.get(key)?.values() ?? []));
    return found;
  }

  /** The keys that a change of `keys` can be seen in, and all that they need; `proposed`: entries as they would be. */
  closure(keys: ReadonlySet<string>, proposed: readonly ProposedEntry[]): ReadonlySet<string> {
    this.#openLate();
    const proposedUsers = new Map<string, Set<string>>();
    const proposedNames = new Map<string, Set<string>>();
    for (const entry of proposed)
      for (const name of namesIn(linkOf(entry))) {
        add(proposedUsers, name, entry.item.key);
        add(proposedNames, entry.item.key, name);
      }
    const found = new Set(keys);
    for (const key of found) {
      for (const id of this.#users.get(key) ?? []) found.add(this.#keys.get(id) ?? '');
      for (const user of proposedUsers.get(key) ?? []) found.add(user);
    }
    for (const key of found) {
      for (const entry of this.#byKey.get(key)?.values() ?? [])
        for (const name of namesIn(linkOf(entry))) found.add(name);
      for (const name of proposedNames.get(key) ?? []) found.add(name);
    }
    return found;
  }

  #put(item: Item<ConfigContentStored>): void {
    const entry = { item, value: this.#cipher.plain(item) };
    if (entry.value === undefined) this.#closed.add(item.id);
    const same = this.#byKey.get(item.key) ?? new Map<string, ProposedEntry>();
    this.#byKey.set(item.key, same.set(item.id, entry));
    this.#keys.set(item.id, item.key);
    for (const name of namesIn(linkOf(entry))) add(this.#users, name, item.id);
  }

  #remove(item: Item<ConfigContentStored>): void {
    const same = this.#byKey.get(item.key);
    const entry = same?.get(item.id);
    if (same === undefined || entry === undefined) return;
    for (const name of namesIn(linkOf(entry))) {
      const users = this.#users.get(name);
      users?.delete(item.id);
      if (users?.size === 0) this.#users.delete(name);
    }
    same.delete(item.id);
    if (same.size === 0) this.#byKey.delete(item.key);
    this.#keys.delete(item.id);
    this.#closed.delete(item.id);
  }

  /** What can be read by now. */
  #openLate(): void {
    for (const id of [...this.#closed]) {
      const entry = this.#byKey.get(this.#keys.get(id) ?? '')?.get(id);
      if (entry === undefined || this.#cipher.plain(entry.item) === undefined) continue;
      this.#remove(entry.item);
      this.#put(entry.item);
    }
  }
}

function add(map: Map<string, Set<string>>, from: string, to: string): void {
  const known = map.get(from);
  if (known) known.add(to);
  else map.set(from, new Set([to]));
}
