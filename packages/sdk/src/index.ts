/** Configuration and flags in an application. Nothing here is of Node: `@bailiwick/sdk/node` has the file on disk. */
export type { DataSource, Details, ErrorCode, Reason, Widened } from './answer.js';
export { type SignedBootstrap, verifyBootstrap } from './bootstrap.js';
export {
  type ChangeEvent,
  Client,
  type ClientCounters,
  type ClientEvents,
  type ClientState,
  type ClientStatus,
  createClient,
  type WaitOptions,
} from './client.js';
export type { EvaluationContext, JsonObject, JsonValue } from './json.js';
export type { ClientOptions } from './options.js';
export type { EnvironmentSnapshot } from './snapshot.js';
export { browserStorage, type ClientStorage, type TextItems } from './storage.js';
export { RequestFailure } from './transport.js';
