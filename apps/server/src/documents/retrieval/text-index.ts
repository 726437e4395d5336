/**
 * BM25 over postings in memory, for the chunks of one project; chunks are numbered by who owns the index. Removed chunks leave their
 * postings until a tenth of all is dead, then all of those go at once; what is removed is never found in between. The formula is
 * Lucene's (Robertson's with an idf that cannot be negative), k1 = 1.2 and b = 0.75.
 */
import { termsOf } from './analyzer.js';
import { Best, type Scored } from './best.js';
import { Growing } from './growing.js';

const k1 = 1.2;
const b = 0.75;
const maxFrequency = 65_535;
const minDeadToCompact = 256;
/** A question's further terms are not asked: nobody means them, and each costs. */
const maxQuestionTerms = 256;

interface Postings {
  readonly ordinals: Growing<Uint32Array>;
  readonly frequencies: Growing<Uint16Array>;
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

  /** Best first; chunks without a term of the question are never found. */
  search(question: string, isAllowed: (ordinal: number) => boolean, limit: number): Scored[] {
    const counts = new Map<string, number>();
    for (const term of termsOf(question).slice(0, maxQuestionTerms)) counts.set(term, (counts.get(term) ?? 0) + 1);
    const meanLength = this.#totalLength / Math.max(1, this.#count);
    const norm0 = k1 * (1 - b);
    const norm1 = (k1 * b) / Math.max(1, meanLength);
    const scores = this.#scores;
    const touched = this.#touched;
    const lengths = this.#lengths;
    const isLive = this.#isLive;
    let touchedCount = 0;
    for (const [term, repeated] of counts) {
      const postings = this.#postings.get(term);
      if (!postings) continue;
      const { items: ordinals } = postings.ordinals;
      const { items: frequencies } = postings.frequencies;
      const length = postings.ordinals.length;
      // Dead postings count here until the next `compact`: the order hardly changes by that.
      const found = Math.min(length, this.#count);
      const weight = repeated * Math.log(1 + (this.#count - found + 0.5) / (found + 0.5)) * (k1 + 1);
      for (let at = 0; at < length; at += 1) {
        const ordinal = ordinals[at] as number;
        if (isLive[ordinal] !== 1) continue;
        const frequency = frequencies[at] as number;
        const before = scores[ordinal] as number;
        if (before === 0) touched[touchedCount++] = ordinal;
        scores[ordinal] = before + (weight * frequency) / (frequency + norm0 + norm1 * (lengths[ordinal] as number));
      }
    }
    const best = new Best(limit);
    for (let at = 0; at < touchedCount; at += 1) {
      const ordinal = touched[at] as number;
      const score = scores[ordinal] as number;
      scores[ordinal] = 0;
      if (score >= best.bar && isAllowed(ordinal)) best.offer(ordinal, score);
    }
    return best.sorted();
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
