/** OpenAI embeddings at providers that have them in a form of their own: Gemini, and Titan, Cohere and Nova on Bedrock. */
import { APICallError, type EmbeddingModelV3, TypeValidationError } from '@ai-sdk/provider';
import type { Instance } from '../instance.js';
import type { Json, LlmCall } from '../llm-call.js';
import { badCall } from '../read-call.js';
import { numberOf, textOf, unsupported } from './content.js';

/** Calls of a provider that are on their way at once for one call of the client's. */
const atOnce = 4;
/** Texts in one call of the client's, as OpenAI has it. */
const maxTexts = 2048;

/** The whole answer in OpenAI's form. Throws `llm.not_translatable` (400), `APICallError`. */
export async function embedded(
  model: EmbeddingModelV3,
  call: LlmCall,
  about: { readonly body: Json; readonly instance: Instance; readonly signal: AbortSignal },
): Promise<Json> {
  const { body, instance, signal } = about;
  const texts = textsOf(body['input']);
  const size = Math.max(1, Math.min((await model.maxEmbeddingsPerCall) ?? 1, maxTexts));
  const batches = Array.from({ length: Math.ceil(texts.length / size) }, (_none, at) =>
    texts.slice(at * size, (at + 1) * size),
  );
  const providerOptions = optionsOf(body, instance);
  const vectors: number[][] = [];
  let tokens: number | undefined = 0;
  for (let at = 0; at < batches.length; at += atOnce) {
    const results = await Promise.all(
      batches
        .slice(at, at + atOnce)
        .map(async (values) => await model.doEmbed({ values: [...values], providerOptions, abortSignal: signal })),
    ).catch(inOurWords);
    for (const { embeddings, usage } of results) {
      vectors.push(...embeddings);
      tokens =
        tokens === undefined || usage?.tokens === undefined || Number.isNaN(usage.tokens)
          ? undefined
          : tokens + usage.tokens;
    }
  }
  const inputTokens = tokens ?? call.promptTokens;
  call.usage = { inputTokens, outputTokens: 0, cachedTokens: 0, isEstimated: tokens === undefined };
  call.isComplete = true;
  const isBase64 = body['encoding_format'] === 'base64';
  const data = vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: isBase64 ? Buffer.from(Float32Array.from(vector).buffer).toString('base64') : vector,
  }));
  return { object: 'list', data, model: call.model, usage: { prompt_tokens: inputTokens, total_tokens: inputTokens } };
}

function textsOf(input: unknown): readonly string[] {
  const texts = typeof input === 'string' ? [input] : input;
  if (!Array.isArray(texts) || texts.length === 0 || texts.length > maxTexts)
    return unsupported(`Anything but a text or a list of 1 to ${maxTexts} texts as 'input'`);
  return texts.every((one): one is string => typeof one === 'string') ? texts : unsupported("'input' as tokens");
}

/** Each family has its own name for the length of a vector. */
function optionsOf(body: Json, { provider }: Instance) {
  const dimensions = numberOf(body['dimensions']);
  const kind = textOf(body['input_type']);
  if (provider !== 'bedrock') return { google: dimensions === undefined ? {} : { outputDimensionality: dimensions } };
  return {
    bedrock: {
      ...(dimensions === undefined ? {} : dimensionsFor(textOf(body['model']), dimensions)),
      ...(kind === '' ? {} : { inputType: kind }),
    },
  };
}

function dimensionsFor(model: string, dimensions: number) {
  if (model.includes('cohere')) return { outputDimension: dimensions };
  return model.includes('nova') ? { embeddingDimension: dimensions } : { dimensions };
}

/** Options that the library knows the model not to take. */
function inOurWords(error: unknown): never {
  if (
    !APICallError.isInstance(error) &&
    (TypeValidationError.isInstance(error) || isNamed(error, 'AI_InvalidArgumentError'))
  )
    throw badCall('not_translatable', "'dimensions' or 'input_type' cannot be passed on to this model.");
  throw error;
}

const isNamed = (error: unknown, name: string): boolean => error instanceof Error && error.name === name;
