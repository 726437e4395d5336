/**
 * `balancer.algorithm: semantic`: the instance whose examples are nearest to what the user asks. Examples are embedded once, when the first call
 * comes; without a vector, or with none near enough, the fallback is asked. Texts go to the embeddings endpoint as the guard has left them.
 */
import type { Logger } from '../../telemetry/logger.js';
import { cosineOf } from './answer-cache.js';
import type { Embedder } from './embedder.js';
import type { Instance } from './instance.js';
import type { LlmCall } from './llm-call.js';
import { spokenIn } from './messages.js';

export interface SemanticInstance {
  readonly instance: Instance;
  readonly examples: readonly string[];
  /** The least cosine, -1 to 1. */
  readonly threshold: number;
}

export interface Picked {
  readonly instance: Instance;
  /** The nearest first. Empty when nothing could be compared. */
  readonly scores: readonly { readonly name: string; readonly score: number }[];
  readonly isFallback: boolean;
}

/** What is embedded of a prompt, in characters: models take some 8,000 tokens. */
const maxPromptChars = 16_384;

export class SemanticBalancer {
  readonly fallback: Instance;
  readonly #instances: readonly SemanticInstance[];
  readonly #embedder: Embedder;
  readonly #logger: Logger;
  #examples: Promise<readonly (readonly Float32Array[])[]> | undefined;

  constructor(about: {
    readonly instances: readonly SemanticInstance[];
    readonly fallback: Instance;
    readonly embedder: Embedder;
    readonly logger: Logger;
  }) {
    this.#instances = about.instances;
    this.fallback = about.fallback;
    this.#embedder = about.embedder;
    this.#logger = about.logger;
  }

  /** Never rejects: a fault is the fallback's turn. */
  async pick(call: LlmCall, requestId: string): Promise<Picked> {
    const none: Picked = { instance: this.fallback, scores: [], isFallback: true };
    const asked = spokenIn(call).findLast(({ role }) => role === 'user')?.text ?? '';
    if (asked === '') return none;
    try {
      const [examples, [vector]] = await Promise.all([
        this.#references(),
        this.#embedder.embedAll([asked.slice(0, maxPromptChars)]),
      ]);
      return vector ? this.#nearest(examples, vector) : none;
    } catch (error) {
      this.#logger.warn(
        { request_id: requestId, error },
        'the nearest instance cannot be found: the fallback is asked',
      );
      return none;
    }
  }

  #nearest(examples: readonly (readonly Float32Array[])[], vector: Float32Array): Picked {
    const ranked = this.#instances
      .map(({ instance, threshold }, at) => ({
        instance,
        threshold,
        name: instance.name,
        score: Math.max(...(examples[at] ?? []).map((one) => sameLength(one, vector))),
      }))
      .sort((a, b) => b.score - a.score);
    const found = ranked.find(({ score, threshold }) => score >= threshold);
    const scores = ranked.map(({ name, score }) => ({ name, score }));
    return { instance: found?.instance ?? this.fallback, scores, isFallback: !found };
  }

  /** One batch for all of them; what failed is tried again with the next call. */
  #references(): Promise<readonly (readonly Float32Array[])[]> {
    this.#examples ??= this.#embedder.embedAll(this.#instances.flatMap(({ examples }) => examples)).then(
      (vectors) => {
        let at = 0;
        return this.#instances.map(({ examples }) => {
          at += examples.length;
          return vectors.slice(at - examples.length, at);
        });
      },
      (error: unknown) => {
        this.#examples = undefined;
        throw error;
      },
    );
    return this.#examples;
  }

  close(): void {
    this.#embedder.close();
  }
}

function sameLength(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new RangeError('the embeddings model has changed the length of its vectors');
  return cosineOf(a, b);
}
