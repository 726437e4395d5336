/** Configuration and flags in an application. Nothing here is of Node: `@bailiwick/sdk/node` has the file on disk. */
export type { DataSource, Details, ErrorCode, Reason, Widened } from './answer.js';
export { type SignedBootstrap, verifyBootstrap } from './bootstrap.js';
export { Client, createClient } from './client.js';
export type {
  ChangeEvent,
  ClientCounters,
  ClientEvents,
  ClientState,
  ClientStatus,
  WaitOptions,
} from './client-events.js';
export type { EvaluationContext, JsonObject, JsonValue } from './json.js';
export type { ClientOptions } from './options.js';
export type { EnvironmentSnapshot } from './snapshot.js';
export { browserStorage, type ClientStorage, type TextItems } from './storage.js';
export { RequestFailure } from './transport.js';
export type { TypedClient } from './typed-client.js';
