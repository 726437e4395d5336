/**
 * Questions to cited answers: the question in the light of the conversation, a search, a prompt with the passages, the model's text
 * piece by piece with its citations checked, or — without a model — the best sentences themselves.
 */
import { randomUUID } from 'node:crypto';
import type { Citation, DocumentFilter, Passage, QueryAnswer } from '@bailiwick/contract';
import type { LanguageModel, ModelCaller, ModelUsage } from '../../ports/language-model.port.js';
import { startStepSpan } from '../../telemetry/tracing.js';
import type { SearchResult, SearchService } from '../retrieval/search-service.js';
import type { DocumentRequest } from '../visibility.js';
import { CitationFilter } from './citations.js';
import { bestSentences } from './extractive.js';
import { answerPrompt, rewritePrompt, type Turn } from './prompt.js';

export interface Question {
  readonly question: string;
  readonly conversation: readonly Turn[];
  readonly filter?: DocumentFilter | undefined;
  /** Passages of the context. */
  readonly limit: number;
}

/** In this order: one `context`, any number of `text`, one `answer` with the whole. */
export type AnswerEvent =
  | { readonly kind: 'context'; readonly passages: readonly Passage[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'answer'; readonly answer: QueryAnswer };

export interface AnswerParts {
  readonly search: SearchService;
  /** Undefined: answers are extracted. */
  readonly model: LanguageModel | undefined;
  readonly observe: (about: {
    readonly kind: QueryAnswer['kind'];
    readonly seconds: number;
    readonly firstTextSeconds: number | undefined;
    readonly usage: ModelUsage | null;
    readonly bestScore: number | undefined;
  }) => void;
  readonly onError: (error: unknown) => void;
}

const maxRewrittenChars = 1_000;
const noAnswer = 'I do not find this in the documents that you may see.';

export class AnswerService {
  readonly #parts: AnswerParts;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  /** Errors: those of `SearchService.search` and `LanguageModel.answer`. */
  async *answer(
    given: DocumentRequest,
    asked: Question,
    authorization: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<AnswerEvent> {
    const span = startStepSpan('rag.query', given.headers);
    let found: QueryAnswer | undefined;
    try {
      for await (const event of this.#answer(
        { ...given, headers: { ...given.headers, ...span.headers } },
        asked,
        authorization,
        signal,
      )) {
        if (event.kind === 'answer') found = event.answer;
        yield event;
      }
    } finally {
      // Also when the caller leaves before the end.
      if (found) span.end(attributesOf(found));
      else span.fail();
    }
  }

  async *#answer(
    request: DocumentRequest,
    asked: Question,
    authorization: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<AnswerEvent> {
    const started = performance.now();
    const traceparent = request.headers['traceparent'];
    const caller: ModelCaller = { authorization, requestId: request.requestId, project: request.project, traceparent };
    const question = await this.#standalone(asked, caller, signal);
    const found = await this.#parts.search.search(request, {
      ...{ query: question, filter: asked.filter, limit: asked.limit, mode: 'hybrid' },
    });
    yield { kind: 'context', passages: found.passages };
    let firstTextSeconds: number | undefined;
    for await (const event of this.#respond(asked, question, found, caller, signal)) {
      if (event.kind === 'text') firstTextSeconds ??= (performance.now() - started) / 1000;
      if (event.kind === 'answer') {
        const { kind } = event.answer;
        const seconds = (performance.now() - started) / 1000;
        const usage = event.usage;
        this.#parts.observe({ kind, seconds, firstTextSeconds, usage, bestScore: bestScoreOf(found.passages) });
        yield { kind: 'answer', answer: event.answer };
      } else yield event;
    }
  }

  /** The question as it would be put without the conversation. */
  async #standalone({ question, conversation }: Question, caller: ModelCaller, signal: AbortSignal): Promise<string> {
    if (conversation.length === 0) return question;
    const { model, onError } = this.#parts;
    const lastAsked = conversation.filter(({ role }) => role === 'user').at(-1)?.content ?? '';
    const plain = `${lastAsked} ${question}`.trim().slice(-maxRewrittenChars);
    if (!model) return plain;
    try {
      let text = '';
      for await (const event of model.answer(rewritePrompt(question, conversation), caller, signal))
        if (event.kind === 'text') text += event.text;
      const rewritten = text.replace(/\s+/gu, ' ').trim();
      return rewritten === '' || rewritten.length > maxRewrittenChars ? plain : rewritten;
    } catch (error) {
      signal.throwIfAborted();
      // The answer itself will say so if the model is away.
      onError(error);
      return plain;
    }
  }

  async *#respond(
    asked: Question,
    question: string,
    found: SearchResult,
    caller: ModelCaller,
    signal: AbortSignal,
  ): AsyncGenerator<
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'answer'; readonly answer: QueryAnswer; readonly usage: ModelUsage | null }
  > {
    const { model } = this.#parts;
    const { passages } = found;
    const retrieval = { mode: found.mode, model: found.model, notes: [...found.notes] };
    const base = { id: randomUUID(), question, retrieval };
    if (passages.length === 0) {
      yield { kind: 'text', text: noAnswer };
      const none = { kind: 'none', model: null, citations: [], usage: null } as const;
      yield { kind: 'answer', answer: { ...base, ...none, citations: [], answer: noAnswer }, usage: null };
      return;
    }
    if (!model) {
      const { text, citations } = extracted(question, passages);
      yield { kind: 'text', text };
      const answer = { ...base, kind: 'extractive', model: null, citations, answer: text, usage: null } as const;
      yield { kind: 'answer', answer: { ...answer, citations }, usage: null };
      return;
    }
    const filter = new CitationFilter(passages.length);
    let text = '';
    let name: string | null = null;
    let usage: ModelUsage | null = null;
    const messages = answerPrompt(asked.question, asked.conversation, passages);
    for await (const event of model.answer(messages, caller, signal)) {
      const piece = event.kind === 'text' ? filter.push(event.text) : filter.end();
      if (event.kind === 'end') [name, usage] = [event.model, event.usage];
      text += piece;
      if (piece !== '') yield { kind: 'text', text: piece };
    }
    if (filter.refused > 0)
      retrieval.notes.push(`${filter.refused} citations or links outside of the context were taken out.`);
    if (filter.cited.length === 0) retrieval.notes.push('The model cited nothing: check what it says.');
    const citations = filter.cited.map((marker): Citation => {
      return { marker, passage: passages[marker - 1] as Passage, sentence: null };
    });
    yield {
      kind: 'answer',
      usage,
      answer: {
        ...{ ...base, kind: 'generated', model: name, citations, answer: text },
        usage: usage && { input_tokens: usage.inputTokens, output_tokens: usage.outputTokens },
      },
    };
  }
}

function extracted(question: string, passages: readonly Passage[]): { text: string; citations: Citation[] } {
  const sentences = bestSentences(question, passages);
  if (sentences.length === 0) {
    const [first] = passages as [Passage];
    const text = `${first.text.slice(0, 500)} [1]`;
    return { text, citations: [{ marker: 1, passage: first, sentence: null }] };
  }
  const citations = sentences.map(({ text, passage }, at): Citation => {
    return { marker: at + 1, passage: passages[passage] as Passage, sentence: text };
  });
  return { text: citations.map(({ sentence, marker }) => `${sentence} [${marker}]`).join('\n'), citations };
}

function attributesOf({ kind, model, citations, usage }: QueryAnswer): Record<string, string | number> {
  return {
    ...{ 'rag.kind': kind, 'rag.citations': citations.length },
    ...(model === null ? {} : { 'gen_ai.response.model': model }),
    ...(usage === null
      ? {}
      : { 'gen_ai.usage.input_tokens': usage.input_tokens, 'gen_ai.usage.output_tokens': usage.output_tokens }),
  };
}

const bestScoreOf = (passages: readonly Passage[]): number | undefined =>
  passages[0]?.vector_score ?? passages[0]?.text_score ?? undefined;
