/**
 * What the client and its worker say to each other. Documents go as JSON text or as plain values;
 * answers come back as JSON text, which keeps numbers of any size.
 */
import type { ErrorLocation, EvaluationErrorCode, RegoError } from '../errors.js';
import type { Limits } from '../evaluate/world.js';
import type { BackendName, ModuleSource, TraceEntry } from '../policy.js';
import type { RegoVersion } from '../syntax/ast.js';

/** A JSON document: a value, or its text where numbers beyond a double's precision matter. */
export type Document = { readonly value: unknown } | { readonly text: string };

export interface BrowserCompileOptions {
  readonly modules: readonly ModuleSource[];
  /** The base document; an object. */
  readonly data?: Document;
  readonly strict?: boolean;
  readonly backend?: BackendName;
  /** Limits of each evaluation, inside of the engine; the client's time limit stands behind them. */
  readonly limits?: Limits;
  /** The only built-ins modules may call; by default all but those that reach the world outside. */
  readonly allowedBuiltins?: readonly string[];
}

export interface BrowserEvaluateOptions {
  readonly limits?: Limits;
  readonly strictBuiltinErrors?: boolean;
  /** The clock of `time.now_ns`, in nanoseconds since 1970. */
  readonly nowNs?: bigint;
  readonly seed?: string;
}

export interface BrowserFormatOptions {
  readonly name?: string;
  readonly version?: RegoVersion;
}

/** What a worker is asked; `policy` is the number the client gave a compiled policy. */
export type Request =
  | { readonly kind: 'compile'; readonly policy: number; readonly options: BrowserCompileOptions }
  | { readonly kind: 'check'; readonly options: BrowserCompileOptions }
  | { readonly kind: 'format'; readonly text: string; readonly options: BrowserFormatOptions }
  | { readonly kind: 'set-data'; readonly policy: number; readonly path: string; readonly data: Document }
  | { readonly kind: 'release'; readonly policy: number }
  | {
      readonly kind: 'evaluate' | 'query' | 'explain';
      readonly policy: number;
      /** A path, or a query. */
      readonly subject: string;
      readonly input: Document | undefined;
      readonly options: BrowserEvaluateOptions;
    };

export interface CompiledAnswer {
  readonly backend: 'generated' | 'closures';
  readonly warnings: readonly RegoError[];
}

/** `json` is absent when the document is undefined. */
export interface EvaluatedAnswer {
  readonly json?: string;
  /** For `explain`: what was met on the way. */
  readonly trace?: readonly TraceEntry[];
}

export interface CheckedAnswer {
  readonly errors: readonly RegoError[];
  readonly warnings: readonly RegoError[];
}

export type Failure =
  | { readonly kind: 'rego'; readonly errors: readonly RegoError[] }
  | {
      readonly kind: 'evaluation';
      readonly code: EvaluationErrorCode;
      readonly reason: string;
      readonly location: ErrorLocation | undefined;
    }
  | { readonly kind: 'fault'; readonly message: string };

export type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly failure: Failure };
