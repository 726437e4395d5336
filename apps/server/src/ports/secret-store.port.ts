/**
 * Where secrets are kept: keys of LLM providers, passwords of the gateway's plugins, and the key that wraps the data keys of sensitive
 * configuration. Adapters: `adapters/embedded/encrypted-file-secrets.ts` and `adapters/vault`. Contract: `secret-store.contract.ts`.
 */

export interface Secret {
  /** Names to texts. */
  readonly fields: Readonly<Record<string, string>>;
  /** Epoch milliseconds until which the store says it may be used; undefined when it says nothing. */
  readonly expiresAtMs?: number;
}

/**
 * Errors: every method rejects with `store.unavailable` (kind `unavailable`) when the store cannot answer now (away, sealed, signed out),
 * with `secret.bad_credentials` (kind `unavailable`) when it does not accept ours, with `secret.bad_path` (kind `invalid`) for a path that is
 * not segments of `[A-Za-z0-9._-]` joined by `/`, at most 512 characters, no segment made of dots. No error names a value.
 */
export interface SecretStore {
  /** Undefined when there is none. */
  get(path: string): Promise<Secret | undefined>;
  /** Replaces all fields. Durable when it resolves. */
  put(path: string, fields: Readonly<Record<string, string>>): Promise<void>;
  /** No error when there is none. */
  delete(path: string): Promise<void>;
  /** Every path under `prefix` (a folder such as `llm/`, or empty for all), in order. */
  list(prefix: string): Promise<readonly string[]>;
  /**
   * Encrypts a data key (at most 4096 bytes) with the store's own key. `context` says what for, such as a configuration's id; the same must be
   * given to unwrap, so that a wrapped key cannot be moved. The result is text without white space.
   */
  wrapDataKey(dataKey: Uint8Array, context: string): Promise<string>;
  /** Rejects with `secret.bad_wrapped_key` (kind `invalid`) when it was not wrapped here, for this context, or was changed. */
  unwrapDataKey(wrapped: string, context: string): Promise<Buffer>;
  close(): Promise<void>;
}
