/** Prompt to streamed answer. Adapter: `adapters/openai` (any service that speaks OpenAI's chat completions; ours through the gateway). */

export interface ModelMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ModelUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** On whose behalf: what the gateway needs to decide about the call. */
export interface ModelCaller {
  /** The caller's own `Authorization`, so that the policies on the way to the model are about him; undefined: none. */
  readonly authorization: string | undefined;
  readonly requestId: string;
  readonly project: string;
  readonly traceparent: string | undefined;
}

export type ModelEvent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'end'; readonly model: string | null; readonly usage: ModelUsage | null };

/**
 * Errors: `model.denied` (forbidden) when a policy on the way says no, `model.limited` (rate-limited), `model.unavailable`. An
 * answer that breaks off rejects while it is read.
 */
export interface LanguageModel {
  answer(messages: readonly ModelMessage[], caller: ModelCaller, signal: AbortSignal): AsyncIterable<ModelEvent>;
}
