/**
 * State that outlives a reload: counters of limits, breakers, connections of loggers. Found by plugin, owner and configuration, so that it
 * lives exactly as long as its configuration stays unchanged; what no table uses any more is closed.
 */
interface Entry {
  readonly value: unknown;
  readonly close: ((value: never) => void | Promise<void>) | undefined;
  generation: number;
}

export class KeptState {
  readonly #entries = new Map<string, Entry>();
  #generation = 0;

  /** A reload begins: what is asked for from now on is in use. */
  begin(): void {
    this.#generation += 1;
  }

  keep<T>(key: string, create: () => T, close?: (value: T) => void | Promise<void>): T {
    const known = this.#entries.get(key);
    if (known) {
      known.generation = this.#generation;
      return known.value as T;
    }
    const value = create();
    this.#entries.set(key, { value, close, generation: this.#generation });
    return value;
  }

  /** The reload has taken force: what it did not ask for goes. */
  async sweep(): Promise<void> {
    await this.#closeWhere((entry) => entry.generation < this.#generation);
  }

  async close(): Promise<void> {
    await this.#closeWhere(() => true);
  }

  async #closeWhere(condition: (entry: Entry) => boolean): Promise<void> {
    const going = [...this.#entries].filter(([, entry]) => condition(entry));
    for (const [key] of going) this.#entries.delete(key);
    await Promise.all(going.map(async ([, entry]) => await entry.close?.(entry.value as never)));
  }
}
