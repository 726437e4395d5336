/** The best of many scored candidates, without sorting the rest: a heap whose root is the worst of those kept. */

export interface Scored {
  readonly ordinal: number;
  readonly score: number;
}

/** Higher scores first; of equal ones the lower ordinal, so that an answer is the same every time. */
export class Best {
  readonly #limit: number;
  readonly #ordinals: number[] = [];
  readonly #scores: number[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  offer(ordinal: number, score: number): void {
    if (this.#ordinals.length < this.#limit) {
      this.#ordinals.push(ordinal);
      this.#scores.push(score);
      this.#up(this.#ordinals.length - 1);
    } else if (this.#limit > 0 && this.#isWorse(this.#ordinals[0] ?? 0, this.#scores[0] ?? 0, ordinal, score)) {
      this.#ordinals[0] = ordinal;
      this.#scores[0] = score;
      this.#down(0);
    }
  }

  /** Scores below this cannot be among the best any more. */
  get bar(): number {
    return this.#ordinals.length < this.#limit ? Number.NEGATIVE_INFINITY : (this.#scores[0] ?? 0);
  }

  sorted(): Scored[] {
    return this.#ordinals
      .map((ordinal, at) => ({ ordinal, score: this.#scores[at] ?? 0 }))
      .sort((a, b) => b.score - a.score || a.ordinal - b.ordinal);
  }

  #isWorse(ordinal: number, score: number, thanOrdinal: number, thanScore: number): boolean {
    return score < thanScore || (score === thanScore && ordinal > thanOrdinal);
  }

  #worseAt(a: number, b: number): boolean {
    return this.#isWorse(this.#ordinals[a] ?? 0, this.#scores[a] ?? 0, this.#ordinals[b] ?? 0, this.#scores[b] ?? 0);
  }

  #swap(a: number, b: number): void {
    const [ordinal = 0, score = 0] = [this.#ordinals[a], this.#scores[a]];
    this.#ordinals[a] = this.#ordinals[b] ?? 0;
    this.#scores[a] = this.#scores[b] ?? 0;
    this.#ordinals[b] = ordinal;
    this.#scores[b] = score;
  }

  #up(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#worseAt(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(from: number): void {
    for (let at = from; ; ) {
      let worst = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < this.#ordinals.length && this.#worseAt(child, worst)) worst = child;
      if (worst === at) return;
      this.#swap(at, worst);
      at = worst;
    }
  }
}
