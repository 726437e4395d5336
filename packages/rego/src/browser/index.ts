/** The engine for browsers: a client with promises, and the worker it talks to. */
export {
  type ErrorLocation,
  isRegoErrors,
  isRegoEvaluationError,
  type RegoError,
  RegoErrors,
  RegoEvaluationError,
} from '../errors.js';
export type {
  BrowserCompileOptions,
  BrowserEvaluateOptions,
  BrowserFormatOptions,
  CheckedAnswer,
  Document,
} from './messages.js';
export {
  type Evaluated,
  type EvaluationCall,
  type Explained,
  RegoWorker,
  type RegoWorkerOptions,
} from './rego-worker.js';
export type { CallOptions, WorkerPort } from './worker-line.js';
