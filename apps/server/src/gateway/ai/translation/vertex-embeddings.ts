/** Embeddings of Vertex AI's `predict` calls behind the libraries' interface, because none of them comes without Google's own sign-in. */
import { APICallError, type EmbeddingModelV3 } from '@ai-sdk/provider';
import type { Instance } from '../instance.js';

/** Instances of text that one call takes at most; the newest models take one. */
const perCall = 1;

interface Prediction {
  readonly embeddings?: { readonly values?: unknown; readonly statistics?: { readonly token_count?: unknown } };
}

export function vertexEmbeddings(instance: Instance, modelId: string, send: typeof fetch): EmbeddingModelV3 {
  const path = `/v1/${instance.vertexLocation}/publishers/google/models/${encodeURIComponent(modelId)}:predict`;
  return {
    specificationVersion: 'v3',
    provider: 'vertex-ai',
    modelId,
    maxEmbeddingsPerCall: perCall,
    supportsParallelCalls: true,
    doEmbed: async ({ values, providerOptions }) => {
      const { outputDimensionality } = providerOptions?.['google'] ?? {};
      const requestBodyValues = {
        instances: values.map((content) => ({ content })),
        ...(outputDimensionality === undefined ? {} : { parameters: { outputDimensionality } }),
      };
      const url = instance.url.origin + path;
      const answer = await send(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(requestBodyValues),
      });
      const responseBody = await answer.text();
      const fault = (message: string): APICallError =>
        new APICallError({ message, url, requestBodyValues, statusCode: answer.status, responseBody });
      if (!answer.ok) throw fault('Vertex AI has refused the call');
      const predictions = predictionsIn(responseBody);
      const embeddings = predictions.map(({ embeddings: one }) => one?.values);
      if (embeddings.length !== values.length || !embeddings.every(isVector))
        throw new Error('Vertex AI answered without an embedding for every text');
      const tokens = predictions.map(({ embeddings: one }) => one?.statistics?.token_count);
      const usage = tokens.every((one) => typeof one === 'number')
        ? { tokens: tokens.reduce((sum, one) => sum + one, 0) }
        : undefined;
      return { embeddings, warnings: [], ...(usage ? { usage } : {}) };
    },
  };
}

const isVector = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'number');

function predictionsIn(text: string): readonly Prediction[] {
  try {
    const { predictions } = JSON.parse(text) as { readonly predictions?: unknown };
    return Array.isArray(predictions) ? (predictions as readonly Prediction[]) : [];
  } catch {
    return [];
  }
}
