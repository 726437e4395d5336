import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeSecretStore } from '../../ports/secret-store.contract.js';
import { openEncryptedFileSecrets } from './encrypted-file-secrets.js';

describeSecretStore('encrypted file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-secrets-'));
  let store = await openEncryptedFileSecrets(directory);
  return {
    store,
    async reopen() {
      await store.close();
      store = await openEncryptedFileSecrets(directory);
      return store;
    },
    async dispose() {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});

describe('the encrypted file', () => {
  let directory = '';
  const file = (name: string): string => join(directory, name);
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bailiwick-secrets-'));
  });
  afterEach(async () => await rm(directory, { recursive: true, force: true }));

  it('shows neither values nor names, and only its owner may read it and its key', async () => {
    const store = await openEncryptedFileSecrets(directory);
    await store.put('llm/openai', { apiKey: 'sk-very-secret' });
    await store.close();
    const text = await readFile(file('secrets.enc'), 'utf8');
    const plain = Buffer.from(text.split(' ')[2] ?? '', 'base64').toString('latin1');
    for (const word of ['sk-very-secret', 'openai', 'apiKey']) expect(text + plain).not.toContain(word);
    for (const name of ['secrets.enc', 'secrets.key']) expect((await stat(file(name))).mode & 0o777).toBe(0o600);
  });

  it('is refused when it was changed, and when its key is missing or another one', async () => {
    const store = await openEncryptedFileSecrets(directory);
    await store.put('a', { b: 'c' });
    await store.close();
    const [text, key] = await Promise.all(['secrets.enc', 'secrets.key'].map((name) => readFile(file(name), 'utf8')));
    await writeFile(file('secrets.enc'), (text ?? '').replace(/.{4}\n$/, 'AAA=\n'));
    await expect(openEncryptedFileSecrets(directory)).rejects.toThrow('damaged');
    await writeFile(file('secrets.enc'), text ?? '');
    await rm(file('secrets.key'));
    await expect(openEncryptedFileSecrets(directory)).rejects.toThrow('missing');
    await writeFile(file('secrets.key'), `${Buffer.alloc(32, 7).toString('base64')}\n`);
    await expect(openEncryptedFileSecrets(directory)).rejects.toThrow('not in secrets.key');
    await writeFile(file('secrets.key'), key ?? '');
    expect(await (await openEncryptedFileSecrets(directory)).get('a')).toEqual({ fields: { b: 'c' } });
  });

  it('changes its key by a new first line, and reads what the old one wrote', async () => {
    const before = await openEncryptedFileSecrets(directory);
    await before.put('a', { b: 'c' });
    const wrapped = await before.wrapDataKey(Buffer.from('data'), 'x');
    await before.close();
    const old = await readFile(file('secrets.key'), 'utf8');
    await writeFile(file('secrets.key'), `${Buffer.alloc(32, 9).toString('base64')}\n${old}`);
    const after = await openEncryptedFileSecrets(directory);
    expect(await after.get('a')).toEqual({ fields: { b: 'c' } });
    expect((await after.unwrapDataKey(wrapped, 'x')).toString()).toBe('data');
    expect((await after.wrapDataKey(Buffer.from('data'), 'x')).split('.')[1]).not.toBe(wrapped.split('.')[1]);
    await after.close();
  });

  it('opens the old table after a crash in the middle of a write', async () => {
    const store = await openEncryptedFileSecrets(directory);
    await store.put('a', { b: 'c' });
    await store.close();
    await writeFile(file('secrets.enc.new'), 'half a fi');
    expect(await (await openEncryptedFileSecrets(directory)).get('a')).toEqual({ fields: { b: 'c' } });
  });
});
