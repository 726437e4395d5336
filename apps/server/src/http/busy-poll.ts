/**
 * Looks for the next request for a moment instead of going to sleep. A caller that waits for each answer before it asks again comes back
 * within microseconds, and waking up the process costs more than the answer does. As the kernel's own polling does, it is tried only where
 * it pays: after a caller came back soon, less and less often while nobody does, and not under load, when there is always somebody.
 */
/** A turn with more answers than this is load: those who come next come together. */
const maxAnswersOfCalm = 2;
/** Who comes back later than this many looks last is not waited for. */
const looksAway = 4;
const maxSkipped = 64;

export class BusyPoll {
  readonly #lookMs: number;
  #answers = 0;
  #isInTurn = false;
  #isLooking = false;
  #lookEndsAt = 0;
  #restedAt = 0;
  /** How many looks to leave out after one in vain, and how many of them are left. */
  #penalty = 0;
  #skips = 0;

  /** How long one look lasts; 0: none. */
  constructor(microseconds: number) {
    this.#lookMs = microseconds / 1_000;
  }

  /** An answer has been made whose caller may come back at once. */
  answered(): void {
    if (this.#lookMs === 0) return;
    this.#answers += 1;
    if (this.#isInTurn) return;
    this.#isInTurn = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    const answers = this.#answers;
    this.#isInTurn = false;
    this.#answers = 0;
    const now = performance.now();
    const hasComeSoon = now - this.#restedAt < this.#lookMs * looksAway;
    this.#restedAt = now;
    if (this.#isLooking) this.#penalty = 0;
    if (answers > maxAnswersOfCalm || !hasComeSoon) {
      this.#lookEndsAt = 0;
      return;
    }
    if (this.#skips > 0) {
      this.#skips -= 1;
      return;
    }
    this.#lookEndsAt = now + this.#lookMs;
    if (this.#isLooking) return;
    this.#isLooking = true;
    setImmediate(this.#look);
  };

  /** A turn of the event loop without sleep: it sees whatever has come. */
  readonly #look = (): void => {
    const now = performance.now();
    if (now < this.#lookEndsAt) {
      setImmediate(this.#look);
      return;
    }
    this.#isLooking = false;
    if (this.#lookEndsAt === 0) return;
    this.#penalty = Math.min(maxSkipped, this.#penalty * 2 + 1);
    this.#skips = this.#penalty;
  };
}
