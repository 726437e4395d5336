/**
 * A second look at the best passages by a model that reads question and passage together: a cross-encoder service in the form that
 * Cohere, Jina and text-embeddings-inference share (`POST …/rerank {query, documents}` → `{results: [{index, relevance_score}]}`).
 */
import { BailiwickError } from '@bailiwick/contract';
import type { DocumentRequest } from '../visibility.js';

export interface Reranker {
  /** How many passages it looks at. */
  readonly depth: number;
  /** 0 to 1 for each text, in order. Errors: `reranker.unavailable`. */
  score(query: string, texts: readonly string[], request: DocumentRequest): Promise<readonly number[]>;
}

export interface HttpRerankerOptions {
  readonly url: string;
  readonly model: string;
  /** Sent as a bearer token; empty: none. Never logged. */
  readonly token: string;
  readonly depth: number;
  readonly timeoutMs: number;
}

export function httpReranker({ url, model, token, depth, timeoutMs }: HttpRerankerOptions): Reranker {
  return {
    depth,
    async score(query, texts, request) {
      if (texts.length === 0) return [];
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-request-id': request.requestId,
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ model, query, documents: texts, top_n: texts.length }),
        signal: AbortSignal.timeout(timeoutMs),
      }).catch((cause: unknown) => {
        throw unavailable('no answer', cause);
      });
      if (!response.ok) throw unavailable(`status ${response.status}`);
      const answer = (await response.json().catch(() => ({}))) as {
        results?: readonly { index?: number; relevance_score?: number }[];
      };
      const scores = texts.map(() => 0);
      for (const { index = -1, relevance_score: score = 0 } of answer.results ?? [])
        if (index in scores) scores[index] = Math.min(1, Math.max(0, score));
      return scores;
    },
  };
}

function unavailable(why: string, cause?: unknown): BailiwickError {
  return new BailiwickError('unavailable', {
    reason: 'reranker.unavailable',
    message: 'The reranker does not answer.',
    operatorMessage: why,
    cause,
  });
}
