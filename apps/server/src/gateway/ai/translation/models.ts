/** The libraries behind one interface: a language model of an instance, whatever its provider's format. Nothing is read from the environment. */
import { createAmazonBedrock } from '@ai-sdk/amazon-bedrock';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import type { LanguageModelV3 } from '@ai-sdk/provider';
import type { Instance } from '../instance.js';
import { providerFetch } from './provider-fetch.js';

export function modelOf(instance: Instance, modelId: string, signal: AbortSignal): LanguageModelV3 {
  const { url, configuration } = instance;
  const header = configuration.auth.header ?? {};
  const named = (name: string): string | undefined =>
    Object.entries(header).find(([key]) => key.toLowerCase() === name)?.[1];
  const base = (path: string): string => url.origin + (url.pathname === '/' ? path : url.pathname.replace(/\/$/, ''));
  const fetch = providerFetch(instance, signal);
  // The library wants a key of its own; the file's headers go over it.
  const apiKey = 'in-headers';
  if (instance.provider === 'bedrock') {
    const { aws } = configuration.auth;
    return createAmazonBedrock({
      region: configuration.provider_conf?.region ?? 'us-east-1',
      baseURL: base(''),
      accessKeyId: aws?.access_key_id ?? '',
      secretAccessKey: aws?.secret_access_key ?? '',
      ...(aws?.session_token === undefined ? {} : { sessionToken: aws.session_token }),
      fetch,
    })(modelId);
  }
  if (instance.provider === 'anthropic') {
    const token = named('authorization');
    const baseURL = base('/v1').replace(/\/messages$/, '');
    return token === undefined
      ? createAnthropic({ baseURL, apiKey: named('x-api-key') ?? apiKey, headers: header, fetch })(modelId)
      : createAnthropic({ baseURL, authToken: token.replace(/^Bearer /i, ''), fetch })(modelId);
  }
  if (instance.speaksGoogle)
    return createGoogleGenerativeAI({ baseURL: base('/v1beta'), apiKey: named('x-goog-api-key') ?? apiKey, fetch })(
      modelId,
    );
  const path = instance.nativePath('openai-chat') ?? '/v1/chat/completions';
  return createOpenAI({
    baseURL: url.origin,
    apiKey,
    headers: header,
    fetch: providerFetch(instance, signal, () => path),
  }).chat(modelId);
}
