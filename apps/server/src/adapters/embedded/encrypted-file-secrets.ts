/**
 * Secrets in one encrypted file of the data folder: AES-256-GCM over the whole table, so that not even names can be read; the key stands
 * beside it in a file that only its owner may read. A write goes to a new file, to the disk, and is then renamed over the old one: a crash
 * leaves the one or the other. `secrets.key` may hold several keys, one a line: the first encrypts, all decrypt, which is how a key is
 * changed.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Secret, SecretStore } from '../../ports/secret-store.port.js';
import { assertSecretPath, badWrappedKey } from '../secret-errors.js';
import { storeUnavailable } from '../store-errors.js';

interface MasterKey {
  /** The first eight hex digits of the key's SHA-256. */
  readonly id: string;
  readonly bytes: Buffer;
}

type Table = Record<string, Readonly<Record<string, string>>>;

const fileFormat = 'bailiwick-secrets-1';
const wrapFormat = 'bwk1';
const maxDataKeyBytes = 4096;

/** Makes the key at the first start. Rejects when the file was written with a key that is not there any more, or was changed. */
export async function openEncryptedFileSecrets(directory: string): Promise<SecretStore> {
  const keys = loadKeys(join(directory, 'secrets.key'), existsSync(join(directory, 'secrets.enc')));
  const path = join(directory, 'secrets.enc');
  const table = existsSync(path) ? decryptTable(keys, await readFile(path, 'utf8')) : {};
  return new EncryptedFileSecrets(path, keys, table);
}

class EncryptedFileSecrets implements SecretStore {
  readonly #path: string;
  readonly #keys: readonly MasterKey[];
  #table: Table;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(path: string, keys: readonly MasterKey[], table: Table) {
    this.#path = path;
    this.#keys = keys;
    this.#table = table;
  }

  async get(path: string): Promise<Secret | undefined> {
    this.#check(path);
    const fields = Object.hasOwn(this.#table, path) ? this.#table[path] : undefined;
    return fields && { fields: { ...fields } };
  }

  async put(path: string, fields: Readonly<Record<string, string>>): Promise<void> {
    this.#check(path);
    await this.#write((table) => ({ ...table, [path]: { ...fields } }));
  }

  async delete(path: string): Promise<void> {
    this.#check(path);
    if (!Object.hasOwn(this.#table, path)) return;
    await this.#write(({ [path]: _gone, ...rest }) => rest);
  }

  async list(prefix: string): Promise<readonly string[]> {
    if (prefix !== '') this.#check(prefix.replace(/\/$/, ''));
    return Object.keys(this.#table)
      .filter((path) => path.startsWith(prefix))
      .sort();
  }

  async wrapDataKey(dataKey: Uint8Array, context: string): Promise<string> {
    if (dataKey.length > maxDataKeyBytes) throw new RangeError(`a data key has at most ${maxDataKeyBytes} bytes`);
    const key = this.#keys[0] as MasterKey;
    return `${wrapFormat}.${key.id}.${encrypt(key, dataKey, `wrap:${context}`).toString('base64url')}`;
  }

  async unwrapDataKey(wrapped: string, context: string): Promise<Buffer> {
    const [format, id, text] = wrapped.split('.');
    const key = this.#keys.find((one) => one.id === id);
    if (format !== wrapFormat || !key || text === undefined) throw badWrappedKey();
    try {
      return decrypt(key, Buffer.from(text, 'base64url'), `wrap:${context}`);
    } catch (cause) {
      throw badWrappedKey(cause);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
  }

  #check(path: string): void {
    if (this.#isClosed) throw storeUnavailable('the secrets file', new Error('closed'));
    assertSecretPath(path);
  }

  /** One after the other; the table in memory changes when the file has. */
  async #write(change: (table: Table) => Table): Promise<void> {
    const mine = this.#writing.then(async () => {
      const next = change(this.#table);
      const key = this.#keys[0] as MasterKey;
      const sealed = encrypt(key, Buffer.from(JSON.stringify(next)), fileFormat).toString('base64');
      await replaceFile(this.#path, `${fileFormat} ${key.id} ${sealed}\n`);
      this.#table = next;
    });
    this.#writing = mine.catch(() => undefined);
    try {
      await mine;
    } catch (error) {
      throw storeUnavailable('the secrets file', error);
    }
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** `hasSecrets`: a new key would make them unreadable, so a missing one is an error. */
function loadKeys(path: string, hasSecrets: boolean): readonly MasterKey[] {
  if (!existsSync(path)) {
    if (hasSecrets)
      throw new Error(`${path} is missing: without it secrets.enc cannot be read. Restore it from a backup.`);
    writeFileSync(path, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  }
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  const keys = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => Buffer.from(line.trim(), 'base64'));
  if (keys.length === 0 || keys.some((key) => key.length !== 32))
    throw new Error(`${path} must hold keys of 32 bytes in Base64, one a line.`);
  return keys.map((bytes) => ({ id: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes }));
}

function decryptTable(keys: readonly MasterKey[], text: string): Table {
  const [format, id, sealed] = text.trim().split(' ');
  const key = keys.find((one) => one.id === id);
  if (format !== fileFormat || sealed === undefined) throw new Error('secrets.enc is not a file of secrets.');
  if (!key) throw new Error(`secrets.enc was written with the key ${id}, which is not in secrets.key.`);
  try {
    return JSON.parse(decrypt(key, Buffer.from(sealed, 'base64'), fileFormat).toString('utf8')) as Table;
  } catch (cause) {
    throw new Error('secrets.enc was changed by somebody else or is damaged. Restore it from a backup.', { cause });
  }
}

/** iv (12 bytes), tag (16), ciphertext. */
function encrypt(key: MasterKey, plain: Uint8Array, context: string): Buffer {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
}

function decrypt(key: MasterKey, sealed: Buffer, context: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, sealed.subarray(0, 12), { authTagLength: 16 })
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(12, 28));
  return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
}
