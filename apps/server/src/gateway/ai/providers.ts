/** The providers: where each is, what formats it takes as they are, and whether a library has to translate. */
import type { LlmKind } from './llm-call.js';

export const providerNames = [
  'openai',
  'deepseek',
  'aimlapi',
  'anthropic',
  'openai-compatible',
  'azure-openai',
  'openrouter',
  'gemini',
  'vertex-ai',
  'bedrock',
] as const;
export type ProviderName = (typeof providerNames)[number];

export interface Provider {
  /** Undefined: the file must say `override.endpoint`. */
  readonly origin: string | undefined;
  /** Formats that go through byte by byte, with the path that takes them. */
  readonly native: Partial<Record<LlmKind, string>>;
}

const openaiPaths = {
  'openai-chat': '/v1/chat/completions',
  'openai-responses': '/v1/responses',
  'openai-embeddings': '/v1/embeddings',
} as const;

export const providers: Readonly<Record<ProviderName, Provider>> = {
  openai: { origin: 'https://api.openai.com', native: openaiPaths },
  'openai-compatible': { origin: undefined, native: openaiPaths },
  'azure-openai': { origin: undefined, native: openaiPaths },
  deepseek: { origin: 'https://api.deepseek.com', native: { 'openai-chat': '/chat/completions' } },
  aimlapi: {
    origin: 'https://api.aimlapi.com',
    native: { 'openai-chat': '/v1/chat/completions', 'openai-embeddings': '/v1/embeddings' },
  },
  openrouter: {
    origin: 'https://openrouter.ai',
    native: { 'openai-chat': '/api/v1/chat/completions', 'openai-embeddings': '/api/v1/embeddings' },
  },
  anthropic: { origin: 'https://api.anthropic.com', native: { 'anthropic-messages': '/v1/messages' } },
  // Google's own OpenAI-compatible address, as in APISIX; with an `x-goog-api-key` its native format is spoken.
  gemini: {
    origin: 'https://generativelanguage.googleapis.com',
    native: { 'openai-chat': '/v1beta/openai/chat/completions', 'openai-embeddings': '/v1beta/openai/embeddings' },
  },
  // Address and path hold the project and the region: `Instance` makes them.
  'vertex-ai': { origin: undefined, native: {} },
  bedrock: { origin: undefined, native: {} },
};
