/** The contract of the secret store on a real Vault (KV 1, KV 2, transit), and what happens when it is sealed, killed or refuses us. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVaultSecrets } from '../../apps/server/src/adapters/vault/vault-secrets.js';
import { describeSecretStore } from '../../apps/server/src/ports/secret-store.contract.js';
import type { SecretStore } from '../../apps/server/src/ports/secret-store.port.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import { describeWithServer } from '../servers/presence.js';
import { startVault, type VaultServer } from '../servers/vault.js';

const open = (
  server: VaultServer,
  prefix: string,
  kvVersion: 1 | 2,
  more: { readonly secretId?: string; readonly token?: string } = {},
): SecretStore =>
  openVaultSecrets({
    address: server.url,
    prefix,
    kvVersion,
    transitMount: 'transit',
    transitKey: 'bailiwick',
    timeoutMs: 1_000,
    login:
      more.token === undefined
        ? { kind: 'approle', roleId: server.roleId, secretId: more.secretId ?? server.secretId, mount: 'approle' }
        : { kind: 'token', token: more.token },
  });

describeWithServer('vault', () => {
  for (const [name, prefix, version] of [
    ['Vault KV 2 by AppRole', 'kv2', 2],
    ['Vault KV 1 in a folder', 'kv1/some/folder', 1],
  ] as const)
    describeSecretStore(name, async () => {
      const server = await startVault();
      let store = open(server, prefix, version);
      return {
        store,
        reopen: async () => {
          await store.close();
          store = open(server, prefix, version);
          return store;
        },
        dispose: async () => {
          await store.close();
          await server.stop();
        },
      };
    });

  describe('a Vault in trouble', () => {
    let server: VaultServer;
    let store: SecretStore;
    beforeAll(async () => {
      server = await startVault('2s');
      store = open(server, 'kv2', 2);
      await store.put('llm/openai', { key: 'sk-1' });
    });
    afterAll(async () => {
      await store.close();
      await server.stop();
    });

    it('is unavailable while it is sealed, and serves again after', async () => {
      await server.seal();
      await expectReason(store.get('llm/openai'), 'store.unavailable');
      await server.unseal();
      expect((await store.get('llm/openai'))?.fields).toEqual({ key: 'sk-1' });
    });

    it('is unavailable while it is away, and serves again after', async () => {
      await server.kill();
      await expectReason(store.get('llm/openai'), 'store.unavailable');
      await server.restart();
      expect((await store.get('llm/openai'))?.fields).toEqual({ key: 'sk-1' });
    });

    it('gives a new token when the old one has ended or was revoked', async () => {
      // Its two seconds of life must really pass.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect((await store.get('llm/openai'))?.fields).toEqual({ key: 'sk-1' });
      await server.call('PUT', 'sys/leases/revoke-prefix/auth/approle');
      expect((await store.get('llm/openai'))?.fields).toEqual({ key: 'sk-1' });
    });

    it('says that the credentials are wrong, and names no secret', async () => {
      const wrong = open(server, 'kv2', 2, { secretId: 'wrong-secret-id' });
      const error = await wrong.get('llm/openai').catch((thrown: unknown) => thrown);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('wrong-secret-id');
      await expectReason(wrong.get('llm/openai'), 'secret.bad_credentials');
      await wrong.close();
      const token = open(server, 'kv2', 2, { token: 'hvs.nonsense' });
      await expectReason(token.get('llm/openai'), 'secret.bad_credentials');
      await token.close();
    });

    it('shows a rotated secret at the next look', async () => {
      await store.put('llm/openai', { key: 'sk-2' });
      expect((await store.get('llm/openai'))?.fields).toEqual({ key: 'sk-2' });
    });
  });
});
