/** Tokens that have been verified, by their hash, so that the hot path pays for one hash: bounded in number, and each until it expires. */
import { hash } from 'node:crypto';

const maxTokens = 10_000;

export const tokenHash = (token: string): string => hash('sha256', token, 'base64');

export class VerifiedTokens<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly untilMs: number }>();

  get(hash: string, nowMs: number): T | undefined {
    const known = this.#entries.get(hash);
    return known && known.untilMs > nowMs ? known.value : undefined;
  }

  set(hash: string, value: T, untilMs: number): void {
    if (this.#entries.size >= maxTokens) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(hash, { value, untilMs });
  }

  clear(): void {
    this.#entries.clear();
  }
}
