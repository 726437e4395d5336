/** The contract of `SecretStore`: every sentence of the port as a test, for every adapter. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SecretStore } from './secret-store.port.js';
import { expectReason } from './store-under-test.contract.js';

/** One store, empty at the start. */
export interface SecretsUnderTest {
  readonly store: SecretStore;
  /** Closes `store` and opens the same data again. */
  reopen(): Promise<SecretStore>;
  dispose(): Promise<void>;
}

export function describeSecretStore(name: string, start: () => Promise<SecretsUnderTest>): void {
  describe(`SecretStore: ${name}`, () => {
    let under: SecretsUnderTest | undefined;
    let store: SecretStore;
    beforeAll(async () => {
      under = await start();
      store = under.store;
    });
    afterAll(async () => await under?.dispose());

    it('gives back the fields that were put, whatever stands in them', async () => {
      const fields = { key: 'ä€😀\n"\\', empty: '', long: 'x'.repeat(10_000), 'dotted.name': '1' };
      await store.put('llm/openai', fields);
      expect((await store.get('llm/openai'))?.fields).toEqual(fields);
    });

    it('has nothing at a path that was never put', async () => {
      expect(await store.get('never/there')).toBeUndefined();
    });

    it('replaces all fields at once', async () => {
      await store.put('replaced', { a: '1', b: '2' });
      await store.put('replaced', { b: '3' });
      expect((await store.get('replaced'))?.fields).toEqual({ b: '3' });
    });

    it('deletes, and deleting what is not there is no error', async () => {
      await store.put('gone', { a: '1' });
      await store.delete('gone');
      await store.delete('gone');
      expect(await store.get('gone')).toBeUndefined();
    });

    it('lists the paths under a folder, in order, and all without one', async () => {
      for (const path of ['list/b', 'list/deep/er', 'list/a', 'listed']) await store.put(path, { a: '1' });
      expect(await store.list('list/')).toEqual(['list/a', 'list/b', 'list/deep/er']);
      expect(await store.list('')).toEqual(expect.arrayContaining(['list/a', 'listed']));
      expect(await store.list('nothing/')).toEqual([]);
    });

    it.each(['', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/.', 'a b', 'a\n', 'ä', 'x'.repeat(513)])(
      'refuses the path %j',
      async (path) => {
        await expectReason(store.get(path), 'secret.bad_path');
        await expectReason(store.put(path, { a: '1' }), 'secret.bad_path');
      },
    );

    it('keeps every secret of writes that come together', async () => {
      await Promise.all(Array.from({ length: 20 }, (_, index) => store.put(`many/${index}`, { value: String(index) })));
      const found = await Promise.all(Array.from({ length: 20 }, (_, index) => store.get(`many/${index}`)));
      expect(found.map((secret) => secret?.fields['value'])).toEqual(found.map((_, index) => String(index)));
    });

    it('wraps a data key so that only the same context unwraps it', async () => {
      const key = randomBytes(32);
      const wrapped = await store.wrapDataKey(key, 'config/1');
      expect(wrapped).toMatch(/^\S+$/);
      expect(wrapped).not.toContain(key.toString('base64'));
      expect(await store.unwrapDataKey(wrapped, 'config/1')).toEqual(key);
      await expectReason(store.unwrapDataKey(wrapped, 'config/2'), 'secret.bad_wrapped_key');
    });

    it('refuses a wrapped key that was changed or never was one', async () => {
      const wrapped = await store.wrapDataKey(randomBytes(32), 'c');
      const at = wrapped.length - 8;
      const changed = `${wrapped.slice(0, at)}${wrapped[at] === 'A' ? 'B' : 'A'}${wrapped.slice(at + 1)}`;
      await expectReason(store.unwrapDataKey(changed, 'c'), 'secret.bad_wrapped_key');
      await expectReason(store.unwrapDataKey('nonsense', 'c'), 'secret.bad_wrapped_key');
      await expectReason(store.unwrapDataKey('', 'c'), 'secret.bad_wrapped_key');
    });

    it('has it all again when it is opened anew', async () => {
      await store.put('kept/one', { value: 'still here' });
      const wrapped = await store.wrapDataKey(Buffer.from('data key'), 'kept');
      if (!under) throw new Error('not started');
      store = await under.reopen();
      expect((await store.get('kept/one'))?.fields).toEqual({ value: 'still here' });
      expect((await store.unwrapDataKey(wrapped, 'kept')).toString()).toBe('data key');
    });
  });
}
