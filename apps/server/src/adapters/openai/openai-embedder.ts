/** Vectors from any service that speaks OpenAI's `POST …/embeddings`: usually a route of our own gateway, which adds the key and applies the policies. */
import { BailiwickError } from '@bailiwick/contract';
import type { Embedder } from '../../ports/embedder.port.js';

export interface OpenAiEmbedderOptions {
  /** Up to and including `/embeddings`. */
  readonly url: string;
  readonly model: string;
  readonly dimensions: number;
  /** Sent as a bearer token; empty: none. Never logged. */
  readonly token: string;
  readonly timeoutMs?: number;
}

const textsAtOnce = 64;

const unavailable = (why: string, cause?: unknown): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'embedder.unavailable',
    message: 'The embedding service does not answer.',
    retryAfterSeconds: 5,
    operatorMessage: why,
    cause,
  });

export class OpenAiEmbedder implements Embedder {
  readonly model: string;
  readonly dimensions: number;
  readonly #options: OpenAiEmbedderOptions;

  constructor(options: OpenAiEmbedderOptions) {
    this.#options = options;
    this.model = options.model;
    this.dimensions = options.dimensions;
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<readonly Float32Array[]> {
    const vectors: Float32Array[] = [];
    for (let at = 0; at < texts.length; at += textsAtOnce)
      vectors.push(...(await this.#ask(texts.slice(at, at + textsAtOnce), signal)));
    return vectors;
  }

  async close(): Promise<void> {
    // Nothing is kept open.
  }

  async #ask(input: readonly string[], signal: AbortSignal | undefined): Promise<Float32Array[]> {
    const { url, model, token, timeoutMs = 30_000 } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    let answer: unknown;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
        body: JSON.stringify({ model, input, encoding_format: 'float' }),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      if (!response.ok) throw unavailable(`status ${response.status}`);
      answer = await response.json();
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof BailiwickError ? error : unavailable('no answer', error);
    }
    const data = (answer as { data?: readonly { index?: number; embedding?: readonly number[] }[] }).data ?? [];
    const sorted = [...data].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
    if (sorted.length !== input.length) throw unavailable(`${sorted.length} vectors for ${input.length} texts`);
    return sorted.map(({ embedding = [] }) => this.#unit(embedding));
  }

  #unit(embedding: readonly number[]): Float32Array {
    if (embedding.length !== this.dimensions)
      throw unavailable(`a vector of ${embedding.length} components; ${this.dimensions} are configured`);
    const norm = Math.hypot(...embedding);
    if (!Number.isFinite(norm) || norm === 0) throw unavailable('a vector without a direction');
    return Float32Array.from(embedding, (component) => component / norm);
  }
}
