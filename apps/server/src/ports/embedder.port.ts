/** Text to vectors. Adapters: `adapters/onnx` (all-MiniLM-L6-v2 in worker threads), `adapters/openai` (any compatible service). */

export interface Embedder {
  /** Names the model to the last bit: vectors of two names are never compared. */
  readonly model: string;
  readonly dimensions: number;
  /** One vector of length one for each text, in order. Errors: `embedder.unavailable` (kind `unavailable`). */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<readonly Float32Array[]>;
  close(): Promise<void>;
}
