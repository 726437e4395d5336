/** Sets of small whole numbers as bits: what filters are combined in. */

export class Bits {
  readonly words: Uint32Array;
  /** Numbers from 0 to below this. */
  readonly size: number;

  constructor(size: number, words = new Uint32Array(Math.ceil(size / 32))) {
    this.size = size;
    this.words = words;
  }

  static full(size: number): Bits {
    const bits = new Bits(size);
    bits.words.fill(0xffffffff);
    bits.#trim();
    return bits;
  }

  has(number: number): boolean {
    return ((this.words[number >>> 5] ?? 0) & (1 << (number & 31))) !== 0;
  }

  /** A larger copy. */
  grown(size: number): Bits {
    const bits = new Bits(size);
    bits.words.set(this.words);
    return bits;
  }

  delete(number: number): void {
    const at = number >>> 5;
    this.words[at] = (this.words[at] ?? 0) & ~(1 << (number & 31));
  }

  add(number: number): void {
    const at = number >>> 5;
    this.words[at] = (this.words[at] ?? 0) | (1 << (number & 31));
  }

  addAll(numbers: Iterable<number>): void {
    for (const number of numbers) this.add(number);
  }

  and(other: Bits): this {
    for (let at = 0; at < this.words.length; at += 1) this.words[at] = (this.words[at] ?? 0) & (other.words[at] ?? 0);
    return this;
  }

  or(other: Bits): this {
    for (let at = 0; at < this.words.length; at += 1) this.words[at] = (this.words[at] ?? 0) | (other.words[at] ?? 0);
    return this;
  }

  not(): this {
    for (let at = 0; at < this.words.length; at += 1) this.words[at] = ~(this.words[at] ?? 0);
    this.#trim();
    return this;
  }

  count(): number {
    let count = 0;
    for (let word of this.words) for (; word !== 0; word &= word - 1) count += 1;
    return count;
  }

  /** Ascending. */
  *[Symbol.iterator](): IterableIterator<number> {
    for (let at = 0; at < this.words.length; at += 1) {
      for (let word = this.words[at] ?? 0; word !== 0; word &= word - 1) yield at * 32 + 31 - Math.clz32(word & -word);
    }
  }

  #trim(): void {
    const rest = this.size & 31;
    if (rest !== 0) this.words[this.words.length - 1] = (this.words[this.words.length - 1] ?? 0) & ((1 << rest) - 1);
  }
}
