/**
 * Sensitive values: AES-256-GCM under a data key, which the secret store wraps. One data key serves for an hour or a thousand values, so
 * that the secret store is not asked for every write; opened keys and values are kept, so that it is not asked for every read.
 * What cannot be opened (the secret store is away) is simply not there until it can.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { JsonValue } from '@bailiwick/evaluation';
import type { SecretStore } from '../ports/secret-store.port.js';
import type { ConfigContentStored, EncryptedValue, Item } from './config-content.js';
import type { ConfigurationState } from './configuration-state.js';

/** The part of the secret store that is needed here. */
export type DataKeys = Pick<SecretStore, 'wrapDataKey' | 'unwrapDataKey'>;

/** What the data keys are for; they cannot be unwrapped for anything else. */
const purpose = 'configuration';

const maxUses = 1_000;
const maxAgeMs = 3_600_000;
const maxOpenedKeys = 10_000;

interface DataKey {
  readonly key: Buffer;
  readonly wrapped: string;
  readonly madeMs: number;
  uses: number;
}

export class ValueCipher {
  readonly #dataKeys: DataKeys;
  readonly #nowMs: () => number;
  readonly #opened = new Map<string, Buffer>();
  /** By the content they are part of, and gone with it. */
  readonly #values = new WeakMap<ConfigContentStored, JsonValue>();
  #current: DataKey | undefined;
  #unwrapped = 0;

  constructor(dataKeys: DataKeys, nowMs: () => number = Date.now) {
    this.#dataKeys = dataKeys;
    this.#nowMs = nowMs;
  }

  async encrypt(value: JsonValue): Promise<EncryptedValue> {
    const { key, wrapped } = await this.#dataKey();
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    const data = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
    const text = (bytes: Buffer): string => bytes.toString('base64');
    return { key: wrapped, iv: text(iv), data: text(data), tag: text(cipher.getAuthTag()) };
  }

  /** Errors: of the secret store; a value that was tampered with. */
  async decrypt(encrypted: EncryptedValue): Promise<JsonValue> {
    if (!this.#opened.has(encrypted.key)) {
      if (this.#opened.size >= maxOpenedKeys) this.#opened.clear();
      this.#opened.set(encrypted.key, await this.#dataKeys.unwrapDataKey(encrypted.key, purpose));
      this.#unwrapped += 1;
    }
    return this.#openWith(this.#opened.get(encrypted.key) as Buffer, encrypted);
  }

  /** A value whose data key is unwrapped already; undefined otherwise, or when it was tampered with. */
  opened(encrypted: EncryptedValue): JsonValue | undefined {
    const key = this.#opened.get(encrypted.key);
    try {
      return key && this.#openWith(key, encrypted);
    } catch {
      return undefined;
    }
  }

  /** The value of an entry; undefined when it is sensitive and its data key has not been unwrapped, or it was tampered with. */
  plain(item: Item<ConfigContentStored>): JsonValue | undefined {
    const { encrypted, value } = item.content;
    if (encrypted === undefined) return value;
    const known = this.#values.get(item.content);
    if (known !== undefined) return known;
    const opened = this.opened(encrypted);
    if (opened !== undefined) this.#values.set(item.content, opened);
    return opened;
  }

  /** Unwraps the data keys that the state needs and that are not open yet. Rejects with the first fault, after all were tried. */
  async open(state: ConfigurationState): Promise<void> {
    let fault: unknown;
    for (const encrypted of sealedIn(state)) {
      if (this.#opened.has(encrypted.key)) continue;
      await this.decrypt(encrypted).catch((error: unknown) => {
        fault ??= error;
      });
    }
    if (fault !== undefined) throw fault;
  }

  /** Changes when data keys were unwrapped: something may be readable that was not. */
  get unwrapped(): number {
    return this.#unwrapped;
  }

  /** Whether every sensitive value of the state can be read. */
  isOpen(state: ConfigurationState): boolean {
    for (const { key } of sealedIn(state)) if (!this.#opened.has(key)) return false;
    return true;
  }

  #openWith(key: Buffer, { iv, data, tag }: EncryptedValue): JsonValue {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64'));
    decipher.setAuthTag(Buffer.from(tag, 'base64'));
    const text = Buffer.concat([decipher.update(Buffer.from(data, 'base64')), decipher.final()]).toString('utf8');
    return JSON.parse(text) as JsonValue;
  }

  async #dataKey(): Promise<DataKey> {
    const known = this.#current;
    if (known && known.uses < maxUses && this.#nowMs() - known.madeMs < maxAgeMs) {
      known.uses += 1;
      return known;
    }
    const key = randomBytes(32);
    const made = { key, wrapped: await this.#dataKeys.wrapDataKey(key, purpose), madeMs: this.#nowMs(), uses: 1 };
    this.#opened.set(made.wrapped, key);
    this.#current = made;
    return made;
  }
}

/** Of the entries, and of what rollouts are about to put in their place. */
function* sealedIn(state: ConfigurationState): Generator<EncryptedValue> {
  for (const { content } of state.all<ConfigContentStored>('config'))
    if (content.encrypted !== undefined) yield content.encrypted;
  for (const { content } of state.all<{ readonly target: { readonly encrypted?: EncryptedValue } }>('rollout'))
    if (content.target.encrypted !== undefined) yield content.target.encrypted;
}
