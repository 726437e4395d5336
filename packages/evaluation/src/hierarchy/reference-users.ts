/** Who names which key: what has to be looked at anew when a key changes. */

const NOBODY: ReadonlySet<string> = new Set();

/** Name → the keys whose values name it. One that follows another shares with it all that is not moved. */
export class ReferenceUsers {
  #users: Map<string, ReadonlySet<string>>;
  /** Whether the map is another one's too. */
  #isShared: boolean;

  constructor(previous?: ReferenceUsers) {
    this.#users = previous === undefined ? new Map() : previous.#users;
    this.#isShared = previous !== undefined;
  }

  /** The keys that name this one, or a path into it. */
  of(key: string): ReadonlySet<string> {
    return this.#users.get(key) ?? NOBODY;
  }

  /** The keys, and all that lean on one of them, directly or by others. */
  reached(keys: ReadonlySet<string>): Set<string> {
    const found = new Set(keys);
    for (const key of found) for (const user of this.of(key)) found.add(user);
    return found;
  }

  /** A key names other keys than before. */
  move(key: string, before: ReadonlySet<string>, after: ReadonlySet<string>): void {
    if (before.size === 0 && after.size === 0) return;
    if (this.#isShared) this.#users = new Map(this.#users);
    this.#isShared = false;
    for (const name of prefixesOf(before)) this.#change(name, (users) => users.delete(key));
    for (const name of prefixesOf(after)) this.#change(name, (users) => users.add(key));
  }

  #change(name: string, change: (users: Set<string>) => void): void {
    const users = new Set(this.#users.get(name));
    change(users);
    if (users.size === 0) this.#users.delete(name);
    else this.#users.set(name, users);
  }
}

/** A dotted name may be a path into a shorter key. */
function prefixesOf(names: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const name of names)
    for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) found.add(name.slice(0, end));
  return found;
}
