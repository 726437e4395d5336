/**
 * BM25 over postings in memory, for the chunks of one project; chunks are numbered by who owns the index. Removed chunks leave their
 * postings until a tenth of all is dead, then all of those go at once; what is removed is never found in between. The formula is
 * Lucene's (Robertson's with an idf that cannot be negative), k1 = 1.2 and b = 0.75.
 */
import { termsOf } from './analyzer.js';
import { Best, type Scored } from './best.js';
import type { Bits } from './bits.js';
import { Growing } from './growing.js';

const k1 = 1.2;
const b = 0.75;
const maxFrequency = 65_535;
const minDeadToCompact = 256;
/** A question's further terms are not asked: nobody means them, and each costs. */
const maxQuestionTerms = 256;
/** Too small to count: a chunk that is looked at without a term so far. */
const mark = 1e-12;

interface Postings {
  readonly ordinals: Growing<Uint32Array>;
  readonly frequencies: Growing<Uint16Array>;
}

/** Which chunks may be found: those whose row (`rowOf[ordinal]`) is in `rows`. */
export interface AllowedChunks {
  /** Then `rows` is not asked. */
  readonly isEverything: boolean;
  readonly rows: Bits;
  readonly rowOf: Uint32Array;
}

const uint32 = (capacity: number): Uint32Array => new Uint32Array(capacity);
const uint16 = (capacity: number): Uint16Array => new Uint16Array(capacity);

export class TextIndex {
  #postings = new Map<string, Postings>();
  /** Terms of each chunk, by ordinal; 0 also of a removed one. */
  #lengths = new Uint32Array(1024);
  #isLive = new Uint8Array(1024);
  #scores = new Float32Array(1024);
  #touched = new Uint32Array(1024);
  #count = 0;
  #dead = 0;
  #totalLength = 0;

  /** Chunks that can be found. */
  get size(): number {
    return this.#count;
  }

  /** `ordinal` must not be in use. */
  add(ordinal: number, text: string): void {
    this.#makeRoom(ordinal);
    const terms = termsOf(text);
    const counts = new Map<string, number>();
    for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
    for (const [term, count] of counts) {
      let postings = this.#postings.get(term);
      if (!postings) {
        postings = { ordinals: new Growing(uint32, 2), frequencies: new Growing(uint16, 2) };
        this.#postings.set(term, postings);
      }
      postings.ordinals.push(ordinal);
      postings.frequencies.push(Math.min(count, maxFrequency));
    }
    this.#lengths[ordinal] = terms.length;
    this.#isLive[ordinal] = 1;
    this.#totalLength += terms.length;
    this.#count += 1;
  }

  /** The ordinal may be used again only after `compact`. Returns whether that is due. */
  remove(ordinal: number): boolean {
    if (this.#isLive[ordinal] !== 1) return false;
    this.#isLive[ordinal] = 0;
    this.#totalLength -= this.#lengths[ordinal] ?? 0;
    this.#lengths[ordinal] = 0;
    this.#count -= 1;
    this.#dead += 1;
    return this.#dead >= Math.max(minDeadToCompact, this.#count / 10);
  }

  /** Drops the postings of what was removed. */
  compact(): void {
    for (const [term, { ordinals, frequencies }] of this.#postings) {
      const kept: Postings = { ordinals: new Growing(uint32, 2), frequencies: new Growing(uint16, 2) };
      for (let at = 0; at < ordinals.length; at += 1) {
        const ordinal = ordinals.items[at] ?? 0;
        if (this.#isLive[ordinal] !== 1) continue;
        kept.ordinals.push(ordinal);
        kept.frequencies.push(frequencies.items[at] ?? 0);
      }
      if (kept.ordinals.length === 0) this.#postings.delete(term);
      else if (kept.ordinals.length < ordinals.length) this.#postings.set(term, kept);
    }
    this.#dead = 0;
  }

  /** Best first; chunks without a term of the question are never found. `also`: chunks, allowed ones, whose scores are wanted as well. */
  search(
    question: string,
    allowed: AllowedChunks,
    limit: number,
    also: readonly number[] = [],
  ): { readonly best: Scored[]; readonly also: Scored[] } {
    let touched = 0;
    for (const ordinal of also) {
      if (this.#isLive[ordinal] !== 1 || this.#scores[ordinal] !== 0) continue;
      this.#scores[ordinal] = mark;
      this.#touched[touched++] = ordinal;
    }
    const terms = this.#weighed(question);
    let rest = terms.reduce((sum, { weight }) => sum + weight, 0);
    let isClosed = false;
    for (const { postings, weight } of terms) {
      // Once the best so far are ahead of everything that is left to win, no other chunk can overtake them.
      isClosed ||= postings.ordinals.length > touched && touched >= limit && this.#bar(touched, limit) > rest;
      touched = isClosed ? this.#raise(postings, weight, touched) : this.#gather(postings, weight, touched, allowed);
      rest -= weight;
    }
    const best = new Best(limit);
    const asked = also.map((ordinal) => ({ ordinal, score: this.#scores[ordinal] ?? 0 }));
    for (let at = 0; at < touched; at += 1) {
      const ordinal = this.#touched[at] as number;
      const score = this.#scores[ordinal] as number;
      if (score > mark) best.offer(ordinal, score);
      this.#scores[ordinal] = 0;
    }
    return { best: best.sorted(), also: asked.filter(({ score }) => score > mark) };
  }

  /** The question's terms that occur, rarest first; no chunk gets more than its weight for a term. */
  #weighed(question: string): { readonly postings: Postings; readonly weight: number }[] {
    const counts = new Map<string, number>();
    for (const term of termsOf(question).slice(0, maxQuestionTerms)) counts.set(term, (counts.get(term) ?? 0) + 1);
    const terms: { postings: Postings; weight: number }[] = [];
    for (const [term, repeated] of counts) {
      const postings = this.#postings.get(term);
      if (!postings) continue;
      // Dead postings count here until the next `compact`: the order hardly changes by that.
      const found = Math.min(postings.ordinals.length, this.#count);
      const idf = Math.log(1 + (this.#count - found + 0.5) / (found + 0.5));
      terms.push({ postings, weight: repeated * idf * (k1 + 1) });
    }
    return terms.sort((a, b) => a.postings.ordinals.length - b.postings.ordinals.length);
  }

  /** The score of the last of the best so far. */
  #bar(touched: number, limit: number): number {
    const best = new Best(limit);
    for (let at = 0; at < touched; at += 1) {
      const ordinal = this.#touched[at] as number;
      best.offer(ordinal, this.#scores[ordinal] as number);
    }
    return best.bar;
  }

  /** Adds a term's share to every allowed chunk that has it; returns how many chunks have a score now. */
  #gather(postings: Postings, weight: number, touchedBefore: number, allowed: AllowedChunks): number {
    const { items: ordinals } = postings.ordinals;
    const { items: frequencies } = postings.frequencies;
    const { length } = postings.ordinals;
    const [scores, touched, lengths, isLive] = [this.#scores, this.#touched, this.#lengths, this.#isLive];
    const { isEverything, rows, rowOf } = allowed;
    const { words } = rows;
    const [flat, slope] = this.#norms();
    let count = touchedBefore;
    for (let at = 0; at < length; at += 1) {
      const ordinal = ordinals[at] as number;
      const before = scores[ordinal] as number;
      if (before === 0) {
        if (isLive[ordinal] !== 1) continue;
        if (!isEverything) {
          const row = rowOf[ordinal] as number;
          if (((words[row >>> 5] as number) & (1 << (row & 31))) === 0) continue;
        }
        touched[count++] = ordinal;
      }
      const frequency = frequencies[at] as number;
      scores[ordinal] = before + (weight * frequency) / (frequency + flat + slope * (lengths[ordinal] as number));
    }
    return count;
  }

  /** Adds a term's share to the chunks that have a score already. */
  #raise(postings: Postings, weight: number, touched: number): number {
    const { items: ordinals } = postings.ordinals;
    const { items: frequencies } = postings.frequencies;
    const { length } = postings.ordinals;
    const [scores, lengths] = [this.#scores, this.#lengths];
    const [flat, slope] = this.#norms();
    for (let at = 0; at < length; at += 1) {
      const ordinal = ordinals[at] as number;
      const before = scores[ordinal] as number;
      if (before === 0) continue;
      const frequency = frequencies[at] as number;
      scores[ordinal] = before + (weight * frequency) / (frequency + flat + slope * (lengths[ordinal] as number));
    }
    return touched;
  }

  /** BM25's denominator is frequency + flat + slope × length. */
  #norms(): readonly [flat: number, slope: number] {
    const meanLength = Math.max(1, this.#totalLength / Math.max(1, this.#count));
    return [k1 * (1 - b), (k1 * b) / meanLength];
  }

  #makeRoom(ordinal: number): void {
    if (ordinal < this.#lengths.length) return;
    const capacity = Math.max(ordinal + 1, this.#lengths.length * 2);
    const larger = <Kind extends Uint32Array | Uint8Array>(from: Kind, to: Kind): Kind => {
      to.set(from);
      return to;
    };
    this.#lengths = larger(this.#lengths, new Uint32Array(capacity));
    this.#isLive = larger(this.#isLive, new Uint8Array(capacity));
    this.#scores = new Float32Array(capacity);
    this.#touched = new Uint32Array(capacity);
  }
}
