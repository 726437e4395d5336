/** Secrets in Vault's (or OpenBao's) KV engine, version 1 or 2, and data keys wrapped by its transit engine. */
import { timingSafeEqual } from 'node:crypto';
import { BailiwickError } from '@bailiwick/contract';
import type { Secret, SecretStore } from '../../ports/secret-store.port.js';
import { assertSecretPath, badWrappedKey } from '../secret-errors.js';
import { storeUnavailable } from '../store-errors.js';
import { VaultClient, type VaultOptions } from './vault-client.js';

export interface VaultSecretsOptions extends VaultOptions {
  /** Where the KV engine is mounted, and a folder in it if there is one: `secret`, `kv/bailiwick`. */
  readonly prefix: string;
  readonly kvVersion: 1 | 2;
  /** The transit engine's mount and key. */
  readonly transitMount: string;
  readonly transitKey: string;
}

const wrapPrefix = 'vault:';

export function openVaultSecrets(options: VaultSecretsOptions): SecretStore {
  return new VaultSecrets(options);
}

class VaultSecrets implements SecretStore {
  readonly #client: VaultClient;
  readonly #options: VaultSecretsOptions;
  readonly #mount: string;
  readonly #folder: string;

  constructor(options: VaultSecretsOptions) {
    this.#options = options;
    this.#client = new VaultClient(options);
    const [mount = '', ...folder] = options.prefix.split('/').filter((part) => part !== '');
    this.#mount = mount;
    this.#folder = folder.map((part) => `${part}/`).join('');
  }

  /** `kind` is version 2's: its data and its names are kept apart. */
  #path(path: string, kind: 'data' | 'metadata'): string {
    return this.#options.kvVersion === 2
      ? `${this.#mount}/${kind}/${this.#folder}${path}`
      : `${this.#mount}/${this.#folder}${path}`;
  }

  async get(path: string): Promise<Secret | undefined> {
    assertSecretPath(path);
    const { status, body, sessionEndsMs } = await this.#client.call('GET', this.#path(path, 'data'));
    if (status === 404 || !body) return undefined;
    assertFine(status);
    const data = body.data as Record<string, unknown> | undefined;
    const fields =
      this.#options.kvVersion === 2 ? (data?.['data'] as Record<string, unknown> | null | undefined) : data;
    if (!fields) return undefined;
    const texts = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, textOf(value)]));
    // Version 1's lease_duration is a hint for readers, not an end; only a real lease (of an engine that makes credentials) bounds the value.
    if (!body.lease_id) return { fields: texts };
    const lastsMs = (body.lease_duration ?? 0) * 1000;
    return { fields: texts, expiresAtMs: Math.min((this.#options.nowMs ?? Date.now)() + lastsMs, sessionEndsMs) };
  }

  async put(path: string, fields: Readonly<Record<string, string>>): Promise<void> {
    assertSecretPath(path);
    const body = this.#options.kvVersion === 2 ? { data: fields } : fields;
    assertFine((await this.#client.call('POST', this.#path(path, 'data'), body)).status);
  }

  async delete(path: string): Promise<void> {
    assertSecretPath(path);
    assertFine((await this.#client.call('DELETE', this.#path(path, 'metadata'))).status);
  }

  async list(prefix: string): Promise<readonly string[]> {
    if (prefix !== '') assertSecretPath(prefix.replace(/\/$/, ''));
    const folder = prefix === '' || prefix.endsWith('/') ? prefix : prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const found: string[] = [];
    await this.#collect(folder, found);
    return found.filter((path) => path.startsWith(prefix)).sort();
  }

  async #collect(folder: string, found: string[]): Promise<void> {
    const { status, body } = await this.#client.call('LIST', this.#path(folder, 'metadata'));
    if (status === 404) return;
    assertFine(status);
    const { keys = [] } = (body?.data ?? {}) as { readonly keys?: readonly string[] };
    for (const key of keys) {
      if (key.endsWith('/')) await this.#collect(`${folder}${key}`, found);
      else found.push(`${folder}${key}`);
    }
  }

  /** The context goes into what is encrypted: it holds with every type of transit key. */
  async wrapDataKey(dataKey: Uint8Array, context: string): Promise<string> {
    const plaintext = Buffer.from(JSON.stringify({ context, key: Buffer.from(dataKey).toString('base64') })).toString(
      'base64',
    );
    const { status, body } = await this.#client.call('POST', this.#transit('encrypt'), { plaintext });
    assertFine(status);
    return String((body?.data as { ciphertext?: unknown } | undefined)?.ciphertext ?? '');
  }

  async unwrapDataKey(wrapped: string, context: string): Promise<Buffer> {
    if (!wrapped.startsWith(wrapPrefix)) throw badWrappedKey();
    const { status, body } = await this.#client.call('POST', this.#transit('decrypt'), { ciphertext: wrapped });
    if (status !== 200) throw badWrappedKey();
    const plaintext = String((body?.data as { plaintext?: unknown } | undefined)?.plaintext ?? '');
    const content = JSON.parse(Buffer.from(plaintext, 'base64').toString('utf8')) as { context: string; key: string };
    const [mine, theirs] = [Buffer.from(context), Buffer.from(content.context)];
    if (mine.length !== theirs.length || !timingSafeEqual(mine, theirs)) throw badWrappedKey();
    return Buffer.from(content.key, 'base64');
  }

  #transit(operation: 'encrypt' | 'decrypt'): string {
    return `${this.#options.transitMount}/${operation}/${this.#options.transitKey}`;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function assertFine(status: number): void {
  if (status >= 200 && status < 300) return;
  if (status === 404)
    throw new BailiwickError('unavailable', {
      reason: 'store.unavailable',
      message: 'The secret store has no engine where it should be. An operator must mount it.',
      operatorMessage: 'Vault answered 404 to a write: is the KV or transit engine mounted at this path?',
    });
  throw storeUnavailable('Vault', new Error(`it answered ${status}`));
}
