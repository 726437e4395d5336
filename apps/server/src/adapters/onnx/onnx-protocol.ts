/** The messages between `onnx-embedder.ts` and its threads. */

export interface OnnxSettings {
  /** Has `model.onnx` and `vocab.txt`. */
  readonly folder: string;
  readonly dimensions: number;
  /** Longer texts are cut. */
  readonly maxTokens: number;
  /** Of the runtime, for one run. */
  readonly threads: number;
}

export interface OnnxRequest {
  readonly id: number;
  readonly texts: readonly string[];
}

export type OnnxReply =
  | { readonly ready: true }
  | { readonly id: number; readonly vectors: readonly Float32Array[] }
  | { readonly id: number; readonly error: string };
