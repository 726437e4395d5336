/** Metrics of the RAG service: documents taken in, the steps of a search, answers end to end. No label names a project or a person. */
import { Counter, Histogram } from 'prom-client';
import type { Metrics } from './metrics.js';

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface AnswerMeasured {
  readonly kind: string;
  readonly seconds: number;
  readonly firstTextSeconds: number | undefined;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | null;
  /** Of the best passage. */
  readonly bestScore: number | undefined;
}

export class RagMetrics {
  readonly #metrics: Metrics;
  readonly #documents: Counter<'result'>;
  readonly #search: Histogram<'step'>;
  readonly #answer: Histogram<'kind'>;
  readonly #firstText: Histogram;
  readonly #tokens: Counter<'direction'>;
  readonly #score: Histogram;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    const registers = [metrics.registry];
    this.#documents = new Counter({
      ...{ name: 'bailiwick_rag_documents_total', help: 'Documents read, by how it ended.', registers },
      labelNames: ['result'],
    });
    this.#search = new Histogram({
      ...{ name: 'bailiwick_rag_search_seconds', help: 'Steps of a search.', registers, buckets: secondsBuckets },
      labelNames: ['step'],
    });
    this.#answer = new Histogram({
      ...{ name: 'bailiwick_rag_answer_seconds', help: 'Questions, end to end.', registers, buckets: secondsBuckets },
      labelNames: ['kind'],
    });
    this.#firstText = new Histogram({
      ...{ name: 'bailiwick_rag_first_text_seconds', help: 'Until the first text of an answer.', registers },
      buckets: secondsBuckets,
    });
    this.#tokens = new Counter({
      ...{ name: 'bailiwick_rag_tokens_total', help: 'Tokens of prompts and answers.', registers },
      labelNames: ['direction'],
    });
    this.#score = new Histogram({
      ...{ name: 'bailiwick_rag_best_score', help: 'Score of the best passage of an answer.', registers },
      buckets: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 5, 10, 20, 50],
    });
  }

  ingested(step: string): void {
    if (step === 'ready' || step === 'failed') this.#documents.inc({ result: step });
  }

  searched(step: string, seconds: number): void {
    this.#search.observe({ step }, seconds);
  }

  answered({ kind, seconds, firstTextSeconds, usage, bestScore }: AnswerMeasured): void {
    this.#answer.observe({ kind }, seconds);
    if (firstTextSeconds !== undefined) this.#firstText.observe(firstTextSeconds);
    if (bestScore !== undefined) this.#score.observe(bestScore);
    if (!usage) return;
    this.#tokens.inc({ direction: 'input' }, usage.inputTokens);
    this.#tokens.inc({ direction: 'output' }, usage.outputTokens);
  }

  gauges(read: { readonly chunks: () => number; readonly unembedded: () => number }): void {
    this.#metrics.gauge('bailiwick_rag_chunks', 'Chunks that searches of this instance see.', read.chunks);
    this.#metrics.gauge(
      'bailiwick_rag_unembedded_documents',
      'Documents whose vectors are still to come.',
      read.unembedded,
    );
  }
}
