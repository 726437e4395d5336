/** Typed arrays that grow: the memory of the index, without an object for each number. */

type Numbers = Uint32Array | Uint16Array | Float32Array | Uint8Array;

/** Appends in amortised constant time. */
export class Growing<Kind extends Numbers> {
  items: Kind;
  length = 0;
  readonly #make: (capacity: number) => Kind;

  constructor(make: (capacity: number) => Kind, capacity = 4) {
    this.#make = make;
    this.items = make(capacity);
  }

  push(value: number): void {
    if (this.length === this.items.length) {
      const larger = this.#make(this.items.length * 2);
      larger.set(this.items);
      this.items = larger;
    }
    this.items[this.length] = value;
    this.length += 1;
  }
}
