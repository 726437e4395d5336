/**
 * Answers of language models kept in this process: found by an exact key, or by the nearness of what was asked. Bounded in bytes and in time;
 * what was used longest ago goes first.
 */
import type { AnswerStore, KeptAnswer, Nearness } from '../../ports/answer-store.port.js';

interface CachedAnswer extends KeptAnswer {
  readonly expiresMs: number;
}

interface Near {
  readonly vector: Float32Array;
  readonly key: string;
  readonly expiresMs: number;
}

/** In one scope; the oldest goes first. */
const maxNear = 1_000;
const overheadBytes = 512;

export class AnswerCache implements AnswerStore {
  readonly #maxBytes: number;
  readonly #nowMs: () => number;
  readonly #entries = new Map<string, CachedAnswer>();
  readonly #near = new Map<string, Near[]>();
  #bytes = 0;

  constructor(maxBytes: number, nowMs: () => number = Date.now) {
    this.#maxBytes = maxBytes;
    this.#nowMs = nowMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): CachedAnswer | undefined {
    const found = this.#entries.get(key);
    if (!found) return undefined;
    this.#entries.delete(key);
    if (found.expiresMs <= this.#nowMs()) {
      this.#bytes -= sizeOf(found);
      return undefined;
    }
    this.#entries.set(key, found);
    return found;
  }

  set(key: string, answer: Pick<KeptAnswer, 'contentType' | 'body'>, ttlMs: number): void {
    this.#delete(key);
    const now = this.#nowMs();
    const entry = { ...answer, storedMs: now, expiresMs: now + ttlMs };
    if (sizeOf(entry) > this.#maxBytes) return;
    this.#entries.set(key, entry);
    this.#bytes += sizeOf(entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    const known = this.#entries.get(key);
    if (!known) return;
    this.#entries.delete(key);
    this.#bytes -= sizeOf(known);
  }

  /** Cost: linear in the scope's answers. */
  nearest(scope: string, vector: Float32Array, { threshold, candidates }: Nearness): CachedAnswer | undefined {
    const now = this.#nowMs();
    const near = (this.#near.get(scope) ?? [])
      .filter((one) => one.expiresMs > now && one.vector.length === vector.length)
      .map(({ key, vector: known }) => ({ key, cosine: cosineOf(known, vector) }))
      .filter(({ cosine }) => cosine >= threshold)
      .sort((a, b) => b.cosine - a.cosine);
    for (const { key } of near.slice(0, candidates)) {
      const found = this.get(key);
      if (found) return found;
    }
    return undefined;
  }

  addNear(scope: string, vector: Float32Array, key: string, ttlMs: number): void {
    const now = this.#nowMs();
    const list = (this.#near.get(scope) ?? []).filter((one) => one.expiresMs > now && this.#entries.has(one.key));
    list.push({ vector, key, expiresMs: now + ttlMs });
    this.#near.delete(scope);
    this.#near.set(scope, list.slice(-maxNear));
    // As many scopes as there are answers in one, at most.
    const oldest = this.#near.keys().next().value;
    if (this.#near.size > maxNear && oldest !== undefined) this.#near.delete(oldest);
  }

  close(): void {
    this.#entries.clear();
    this.#near.clear();
    this.#bytes = 0;
  }
}

const sizeOf = ({ body }: CachedAnswer): number => body.length + overheadBytes;

export function cosineOf(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let index = 0; index < a.length; index += 1) {
    const [x, y] = [a[index] ?? 0, b[index] ?? 0];
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return squaresA === 0 || squaresB === 0 ? 0 : dot / Math.sqrt(squaresA * squaresB);
}
