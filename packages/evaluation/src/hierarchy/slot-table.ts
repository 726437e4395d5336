/**
 * A map from keys to slots that is followed by others which differ in a few keys. The places of keys are shared by all that follow each other,
 * and only ever added to, so that one is made from the one before by copying a plain list: microseconds for ten thousand keys, where copying
 * a map takes a millisecond. Who has no slot at a key's place does not have the key.
 */

/** Places beyond twice the keys in use are given up when there are more than this many. */
const MIN_WASTED_PLACES = 64;

export class SlotTable<S> {
  #places: Map<string, number>;
  #slots: (S | undefined)[];
  #size: number;

  constructor(previous?: SlotTable<S>) {
    this.#places = previous === undefined ? new Map() : previous.#places;
    this.#slots = previous === undefined ? [] : previous.#slots.slice();
    this.#size = previous === undefined ? 0 : previous.#size;
    if (this.#places.size > 2 * this.#size + MIN_WASTED_PLACES) this.#repack();
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): S | undefined {
    const place = this.#places.get(key);
    return place === undefined ? undefined : this.#slots[place];
  }

  set(key: string, slot: S): void {
    let place = this.#places.get(key);
    if (place === undefined) {
      place = this.#places.size;
      this.#places.set(key, place);
    }
    // Another one that follows the same may have taken places meanwhile.
    while (this.#slots.length < place) this.#slots.push(undefined);
    if (this.#slots[place] === undefined) this.#size += 1;
    this.#slots[place] = slot;
  }

  delete(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined || this.#slots[place] === undefined) return;
    this.#slots[place] = undefined;
    this.#size -= 1;
  }

  /** In no order. */
  keys(): string[] {
    const keys: string[] = [];
    for (const [key, place] of this.#places) if (this.#slots[place] !== undefined) keys.push(key);
    return keys;
  }

  #repack(): void {
    const places = new Map<string, number>();
    const slots: S[] = [];
    for (const [key, place] of this.#places) {
      const slot = this.#slots[place];
      if (slot === undefined) continue;
      places.set(key, slots.length);
      slots.push(slot);
    }
    this.#places = places;
    this.#slots = slots;
  }
}
