/** Sensitive configuration under a real Vault: two instances share it; it is killed, and comes back. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type PostgresServer, startPostgres } from '../servers/postgres.js';
import { describeWithServer } from '../servers/presence.js';
import { startVault, type VaultServer } from '../servers/vault.js';
import { startTestServer, type TestServer } from '../system/harness.js';

let vault: VaultServer;
let postgres: PostgresServer;
let one: TestServer;
let two: TestServer;

const settings = () => ({
  ...{ demo: 'false', relationalStore: 'postgres', postgresUrl: postgres.url, configPollMs: '100' },
  ...{ secretStore: 'vault', vaultAddress: vault.url, vaultRoleId: vault.roleId, vaultSecretId: vault.secretId },
  ...{ vaultPrefix: 'kv2', vaultTransitKey: 'bailiwick' },
});

const fetchAt = async (server: TestServer, key: string) =>
  (await server.call('POST', '/api/v1/configs/fetch', { body: { keys: [key] } })).json;
const create = async (key: string, value: unknown) =>
  await one.call('POST', '/api/v1/configs', { body: { key, value, sensitive: true } });

describeWithServer('vault', () =>
  describeWithServer('postgres', () => {
    beforeAll(async () => {
      [vault, postgres] = await Promise.all([startVault(), startPostgres()]);
      one = await startTestServer(settings());
      two = await startTestServer(settings());
    }, 120_000);
    afterAll(async () => {
      await one?.stop();
      await two?.stop();
      await Promise.all([vault?.stop(), postgres?.stop()]);
    }, 60_000);

    it('what one instance encrypts the other reads, and PostgreSQL never sees it', async () => {
      expect((await create('db.password', 'correct-horse')).status).toBe(201);
      await vi.waitFor(
        async () => expect((await fetchAt(two, 'db.password')).values['db.password']).toBe('correct-horse'),
        {
          timeout: 10_000,
        },
      );
      const raw = JSON.stringify(one.running.platform.configuration.feed.state.items());
      expect(raw).toContain('db.password');
      expect(raw).not.toContain('correct-horse');
    });

    it('while Vault is away what was opened is served, and a fresh instance serves the rest without the secret until it is back', async () => {
      await vault.kill();
      expect((await fetchAt(two, 'db.password')).values['db.password']).toBe('correct-horse');
      const late = await startTestServer(settings());
      expect(await fetchAt(late, 'db.password')).toMatchObject({ values: {}, missing: ['db.password'] });
      await vault.restart();
      await vault.unseal();
      await vi.waitFor(
        async () => expect((await fetchAt(late, 'db.password')).values['db.password']).toBe('correct-horse'),
        {
          timeout: 20_000,
        },
      );
      await late.stop();
    }, 60_000);
  }),
);
