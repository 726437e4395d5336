/**
 * How often a key may read. The count is exact however many instances there are when the cache is shared; while the cache is away each
 * instance counts for itself. The limit is looked up in the cache only while it is near: each instance takes a share ahead.
 */
import { BailiwickError } from '@bailiwick/contract';
import type { Cache } from '../ports/cache.port.js';

const windowMs = 60_000;
const maxKnown = 100_000;

interface Share {
  /** Taken from the cache and not used yet. */
  left: number;
  endsMs: number;
  isOver: boolean;
}

export class ReadRateLimits {
  readonly #cache: Cache;
  readonly #perMinute: number;
  readonly #nowMs: () => number;
  readonly #shares = new Map<string, Share>();
  readonly #asking = new Map<string, Promise<void>>();

  /** `perMinute` 0: no limit. */
  constructor(cache: Cache, perMinute: number, nowMs: () => number = Date.now) {
    this.#cache = cache;
    this.#perMinute = perMinute;
    this.#nowMs = nowMs;
  }

  /** Undefined when the call may go on at once; else a promise that resolves when it may, or rejects with `request.rate_limited` (429). */
  take(key: string): Promise<void> | undefined {
    if (this.#perMinute === 0) return undefined;
    const share = this.#shares.get(key);
    if (share !== undefined && share.endsMs > this.#nowMs()) {
      if (share.left > 0) {
        share.left -= 1;
        return undefined;
      }
      if (share.isOver) return Promise.reject(this.#refusal(share));
    }
    return this.#refill(key).then(() => this.take(key));
  }

  /** Takes a tenth of the limit ahead, so that the cache is asked ten times a minute and instance, and no call is counted that is not made. */
  #refill(key: string): Promise<void> {
    let asking = this.#asking.get(key);
    if (!asking) {
      asking = this.#ask(key).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return asking;
  }

  async #ask(key: string): Promise<void> {
    const wanted = Math.max(1, Math.floor(this.#perMinute / 10));
    const before = this.#shares.get(key);
    const taken = await this.#cache.increment(`reads:${key}`, wanted, windowMs).catch(() => undefined);
    if (this.#shares.size >= maxKnown) this.#shares.clear();
    if (taken === undefined) {
      const isSame = before !== undefined && before.endsMs > this.#nowMs();
      const endsMs = isSame ? before.endsMs : this.#nowMs() + windowMs;
      this.#shares.set(key, { left: isSame ? 0 : this.#perMinute, endsMs, isOver: isSame });
      return;
    }
    const beyond = Math.max(0, taken.count - this.#perMinute);
    const left = Math.max(0, wanted - beyond);
    this.#shares.set(key, { left, endsMs: this.#nowMs() + taken.resetsInMs, isOver: left === 0 });
  }

  #refusal({ endsMs }: Share): BailiwickError {
    return new BailiwickError('rate-limited', {
      reason: 'request.rate_limited',
      message: `This key may read ${this.#perMinute} times a minute. Cache what you got, or use a stream.`,
      retryAfterSeconds: Math.max(1, Math.ceil((endsMs - this.#nowMs()) / 1_000)),
    });
  }
}
