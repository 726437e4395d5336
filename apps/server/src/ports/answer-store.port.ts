/**
 * Answers of language models that were given before, found by a key or by the nearness of what was asked. Adapters: `gateway/ai/answer-cache.ts`
 * (this process) and `adapters/redis/redis-answers.ts` (shared). Contract: `answer-store.contract.ts`. The local one answers at once.
 */

export interface KeptAnswer {
  readonly contentType: string;
  readonly body: Buffer;
  /** Epoch milliseconds. */
  readonly storedMs: number;
}

export interface Nearness {
  /** The least cosine. */
  readonly threshold: number;
  readonly candidates: number;
}

type Now<T> = T | Promise<T>;

/** Errors: methods reject with `store.unavailable` when the answers cannot be reached. */
export interface AnswerStore {
  get(key: string): Now<KeptAnswer | undefined>;
  set(key: string, answer: Pick<KeptAnswer, 'contentType' | 'body'>, ttlMs: number): Now<void>;
  /** Of the nearest `candidates` whose cosine is at least `threshold`, the first that is still there. */
  nearest(scope: string, vector: Float32Array, within: Nearness): Now<KeptAnswer | undefined>;
  /** Makes the answer under `key` findable by the vector of what was asked, of any length but 0. */
  addNear(scope: string, vector: Float32Array, key: string, ttlMs: number): Now<void>;
  close(): Now<void>;
}
