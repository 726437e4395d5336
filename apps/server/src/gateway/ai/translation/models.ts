/** The libraries behind one interface: a language model of an instance, whatever its provider's format. Nothing is read from the environment. */
import { createAmazonBedrock } from '@ai-sdk/amazon-bedrock';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import type { EmbeddingModelV3, LanguageModelV3 } from '@ai-sdk/provider';
import type { Instance } from '../instance.js';
import { providerFetch } from './provider-fetch.js';
import { vertexEmbeddings } from './vertex-embeddings.js';

// The library wants a key of its own; the file's headers go over it.
const apiKey = 'in-headers';

const baseOf = ({ url }: Instance, path: string): string =>
  url.origin + (url.pathname === '/' ? path : url.pathname.replace(/\/$/, ''));

const headerOf = ({ configuration }: Instance, name: string): string | undefined =>
  Object.entries(configuration.auth.header ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];

function bedrockOf(instance: Instance, signal: AbortSignal) {
  const { auth, provider_conf: conf } = instance.configuration;
  return createAmazonBedrock({
    region: conf?.region ?? 'us-east-1',
    baseURL: baseOf(instance, ''),
    accessKeyId: auth.aws?.access_key_id ?? '',
    secretAccessKey: auth.aws?.secret_access_key ?? '',
    ...(auth.aws?.session_token === undefined ? {} : { sessionToken: auth.aws.session_token }),
    fetch: providerFetch(instance, signal),
  });
}

const googleOf = (instance: Instance, signal: AbortSignal) =>
  createGoogleGenerativeAI({
    baseURL: baseOf(instance, '/v1beta'),
    apiKey: headerOf(instance, 'x-goog-api-key') ?? apiKey,
    fetch: providerFetch(instance, signal),
  });

/** Undefined: the provider has no embeddings. */
export function embeddingModelOf(
  instance: Instance,
  modelId: string,
  signal: AbortSignal,
): EmbeddingModelV3 | undefined {
  if (instance.provider === 'bedrock') return bedrockOf(instance, signal).embedding(modelId);
  if (instance.provider === 'vertex-ai') return vertexEmbeddings(instance, modelId, providerFetch(instance, signal));
  return instance.speaksGoogle ? googleOf(instance, signal).embedding(modelId) : undefined;
}

export function modelOf(instance: Instance, modelId: string, signal: AbortSignal): LanguageModelV3 {
  const { url, configuration } = instance;
  const header = configuration.auth.header ?? {};
  const base = (path: string): string => baseOf(instance, path);
  const named = (name: string): string | undefined => headerOf(instance, name);
  const fetch = providerFetch(instance, signal);
  if (instance.provider === 'bedrock') return bedrockOf(instance, signal)(modelId);
  if (instance.provider === 'anthropic') {
    const token = named('authorization');
    const baseURL = base('/v1').replace(/\/messages$/, '');
    return token === undefined
      ? createAnthropic({ baseURL, apiKey: named('x-api-key') ?? apiKey, headers: header, fetch })(modelId)
      : createAnthropic({ baseURL, authToken: token.replace(/^Bearer /i, ''), fetch })(modelId);
  }
  if (instance.speaksGoogle) return googleOf(instance, signal)(modelId);
  const path = instance.nativePath('openai-chat') ?? '/v1/chat/completions';
  return createOpenAI({
    baseURL: url.origin,
    apiKey,
    headers: header,
    fetch: providerFetch(instance, signal, () => path),
  }).chat(modelId);
}
