/**
 * The gateway's secrets from a real Vault that speaks TLS and demands a client certificate: both KV versions, AppRole with renewal, rotation,
 * leases of a database's credentials, and what happens when the two do not trust each other. Namespaces are a feature of Vault Enterprise,
 * which cannot be had here: that they are sent is seen at a stand-in.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openVaultSecrets } from '../../apps/server/src/adapters/vault/vault-secrets.js';
import { type Certificates, makeCertificates } from '../servers/certificates.js';
import { type PostgresServer, startPostgres } from '../servers/postgres.js';
import { describeWithServer, describeWithServers } from '../servers/presence.js';
import { startVault, type VaultServer } from '../servers/vault.js';
import { type BailiwickProcess, startBailiwickProcess } from '../system/server-process.js';

const folder = mkdtempSync(join(tmpdir(), 'bailiwick-vault-gateway-'));
const file = join(folder, 'apisix.yaml');
const waiting = { timeout: 20_000, interval: 100 };
let certificates: Certificates;
let strangers: Certificates;
let upstream: Server;

/** A PEM as a YAML value in one line. */
const quoted = (pem: string): string => JSON.stringify(pem);

const route = (id: string, manager: string, key: string): string => {
  const node = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  return `  - {id: ${id}, uri: /${id}, plugins: {proxy-rewrite: {headers: {set: {X-Key: $secret://vault/${manager}/${key}}}}}, upstream: {type: roundrobin, nodes: {"${node}": 1}}}`;
};

const controlRoute =
  '  - {id: control, uris: [/api/*, /openapi.json], upstream: {type: roundrobin, nodes: {"${{BAILIWICK_CONTROL_HOST}}:80": 1}}}';

/** In a process of its own, so that its log can be read. */
async function startGateway(
  secrets: readonly string[],
  routes: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<BailiwickProcess> {
  writeFileSync(file, `secrets:\n${secrets.join('\n')}\nroutes:\n${[controlRoute, ...routes].join('\n')}\n#END\n`);
  const own = { BAILIWICK_GATEWAY_FILE: file, BAILIWICK_SECRET_CACHE_SECONDS: '1', BAILIWICK_LOG_LEVEL: 'info' };
  return await startBailiwickProcess({ ...own, ...environment });
}

interface Got {
  readonly status: number;
  readonly text: string;
}

async function fetched(server: BailiwickProcess, path: string, token?: string): Promise<Got> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(server.url + path, { headers });
  return { status: answer.status, text: await answer.text() };
}

beforeAll(async () => {
  certificates = makeCertificates(mkdtempSync(join(folder, 'ours-')));
  strangers = makeCertificates(mkdtempSync(join(folder, 'strangers-')));
  upstream = createServer((request, response) => response.end(String(request.headers['x-key'] ?? 'none')));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

describeWithServer('vault', () => {
  describe('secrets of the gateway in a Vault that demands a client certificate', () => {
    let vault: VaultServer;
    let server: BailiwickProcess;
    const audit = join(folder, 'vault-audit.log');
    const get = async (path: string): Promise<Got> => await fetched(server, path);
    const audited = (path: string): number =>
      readFileSync(audit, 'utf8')
        .split('\n')
        .filter((line) => line.includes('"type":"request"') && line.includes(`"path":"${path}"`)).length;

    beforeAll(async () => {
      vault = await startVault('3s', { certificates, demandsClientCertificate: true });
      await vault.call('PUT', 'sys/audit/file', { type: 'file', options: { file_path: audit } });
      await vault.call('POST', 'kv2/data/llm/openai', { data: { key: 'first-value-of-kv2' } });
      await vault.call('POST', 'kv1/team/llm/openai', { key: 'first-value-of-kv1' });
      const manager = (id: string, trust: string, prefix = 'kv2', version = 2): string =>
        `  - {id: vault/${id}, uri: "${vault.url}", prefix: ${prefix}, kv_version: ${version}, role_id: $env://VAULT_ROLE_ID, secret_id: $env://VAULT_SECRET_ID, ${trust}}`;
      const client = `client_cert: ${quoted(certificates.cert)}, client_key: $env://VAULT_KEY`;
      const ca = `ca: ${quoted(certificates.ca)}`;
      const names = ['two', 'wrong-authority', 'public-authorities', 'no-certificate', 'strange-certificate'];
      server = await startGateway(
        [
          manager('two', `${ca}, ${client}`),
          manager('one', `${ca}, ${client}`, 'kv1/team', 1),
          manager('wrong-authority', `ca: ${quoted(strangers.ca)}, ${client}`),
          manager('public-authorities', client),
          manager('no-certificate', ca),
          manager(
            'strange-certificate',
            `${ca}, client_cert: ${quoted(strangers.cert)}, client_key: $env://STRANGERS_KEY`,
          ),
        ],
        [...names.map((name) => route(name, name, 'llm/openai/key')), route('one', 'one', 'llm/openai/key')],
        {
          ...{ VAULT_ROLE_ID: vault.roleId, VAULT_SECRET_ID: vault.secretId },
          ...{ VAULT_KEY: certificates.key, STRANGERS_KEY: strangers.key },
        },
      );
    }, 120_000);
    afterAll(async () => {
      await server?.dispose();
      await vault?.stop();
    });

    it('are had with both versions of the KV engine', async () => {
      await vi.waitFor(async () => expect((await get('/two')).text).toBe('first-value-of-kv2'), waiting);
      await vi.waitFor(async () => expect((await get('/one')).text).toBe('first-value-of-kv1'), waiting);
    });

    it.each([
      ['wrong-authority', 'its certificate is not of the authority that we trust'],
      ['public-authorities', 'its certificate is not of the authority that we trust'],
      ['no-certificate', 'does it demand a client certificate? We have none'],
      ['strange-certificate', 'does it trust the authority of our client certificate?'],
    ])('make their own route 503 and no other: %s', async (path, why) => {
      await vi.waitFor(() => {
        const line = server
          .log()
          .split('\n')
          .find((one) => one.includes(`$secret://vault/${path}/`) && one.includes(why));
        expect(line).toBeDefined();
      }, waiting);
      const { status, text } = await get(`/${path}`);
      expect([status, JSON.parse(text).reason]).toEqual([503, 'gateway.secret_unresolved']);
      expect((await get('/two')).status).toBe(200);
    });

    it('are had with a token that is renewed before it ends, not with a new sign-in each time', async () => {
      const logins = audited('auth/approle/login');
      const renewals = audited('auth/token/renew-self');
      // Two lives of a token of three seconds.
      await vi.waitFor(() => expect(audited('auth/token/renew-self')).toBeGreaterThanOrEqual(renewals + 6), waiting);
      expect(audited('auth/approle/login')).toBe(logins);
      expect((await get('/two')).status).toBe(200);
    });

    it('take force when they are rotated, without a restart', async () => {
      await vault.call('POST', 'kv2/data/llm/openai', { data: { key: 'second-value-of-kv2' } });
      await vault.call('POST', 'kv1/team/llm/openai', { key: 'second-value-of-kv1' });
      await vi.waitFor(async () => expect((await get('/two')).text).toBe('second-value-of-kv2'), waiting);
      await vi.waitFor(async () => expect((await get('/one')).text).toBe('second-value-of-kv1'), waiting);
    });

    it('serve on while Vault is away', async () => {
      await vault.kill();
      await vi.waitFor(() => expect(server.log()).toContain('"still_usable":true'), waiting);
      expect((await get('/two')).text).toBe('second-value-of-kv2');
    });

    it('are in no log, error, metric or description, nor is what opens Vault', async () => {
      const paths = ['/wrong-authority', '/metrics', '/openapi.json', '/api/v1/gateway/resources/routes'];
      const answers = paths.map(async (path) => (await fetched(server, path, server.token)).text);
      const seen = [server.log(), ...(await Promise.all(answers))];
      expect(seen[3]).toContain('openapi');
      const keyLine = certificates.key.split('\n')[1] ?? '';
      const secrets = ['first-value-of', 'second-value-of', vault.secretId, keyLine, 'PRIVATE KEY', 'hvs.'];
      for (const text of seen) for (const secret of secrets) expect(text).not.toContain(secret);
    });
  });

  it('a certificate that does not fit its key makes the secret manager unusable, not the gateway', async () => {
    const vault = {
      address: 'https://127.0.0.1:1',
      prefix: 'kv2',
      kvVersion: 2,
      transitMount: '',
      transitKey: '',
    } as const;
    const login = { kind: 'token', token: 'x' } as const;
    const open = () => openVaultSecrets({ ...vault, login, clientCert: certificates.cert, clientKey: strangers.key });
    expect(open).toThrow(/key values mismatch/);
    const trust = `client_cert: ${quoted(certificates.cert)}, client_key: $env://STRANGERS_KEY`;
    const server = await startGateway(
      [`  - {id: vault/bad, uri: "https://127.0.0.1:1", prefix: kv2, token: x, ${trust}}`],
      [route('bad', 'bad', 'llm/openai/key')],
      { STRANGERS_KEY: strangers.key },
    );
    expect((await fetched(server, '/bad')).status).toBe(503);
    expect(server.log()).toContain('this secret manager cannot be used');
    await server.dispose();
  });
});

describeWithServers(['vault', 'postgres'], () => {
  describe('credentials of a database that Vault makes for a time', () => {
    let vault: VaultServer;
    let postgres: PostgresServer;
    let server: BailiwickProcess;
    const get = async (path: string): Promise<Got> => await fetched(server, path);
    /** Leases that Vault has given and not ended. */
    const leases = async (): Promise<number> => {
      const { data } = await vault
        .call('LIST', 'sys/leases/lookup/database/creds/shop')
        .catch(() => ({ data: undefined }));
      return (data?.['keys'] as readonly string[] | undefined)?.length ?? 0;
    };
    const canSignIn = async (user: string, password: string): Promise<boolean> => {
      const client = new pg.Client({ host: '127.0.0.1', port: postgres.port, user, password, database: 'bailiwick' });
      return await client.connect().then(
        async () => await client.end().then(() => true),
        () => false,
      );
    };

    beforeAll(async () => {
      [vault, postgres] = await Promise.all([
        startVault('1h', { certificates, demandsClientCertificate: false }),
        startPostgres(),
      ]);
      await vault.call('POST', 'sys/mounts/database', { type: 'database' });
      await vault.call('POST', 'database/config/shop', {
        plugin_name: 'postgresql-database-plugin',
        allowed_roles: ['shop'],
        connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${postgres.port}/bailiwick?sslmode=disable`,
        username: 'bailiwick',
        password: 'unused',
      });
      await vault.call('POST', 'database/roles/shop', {
        db_name: 'shop',
        creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`],
        default_ttl: '15s',
        max_ttl: '15s',
      });
      const trust = `ca: ${quoted(certificates.ca)}`;
      server = await startGateway(
        [
          `  - {id: vault/database, uri: "${vault.url}", prefix: database, role_id: $env://VAULT_ROLE_ID, secret_id: $env://VAULT_SECRET_ID, ${trust}}`,
        ],
        [route('user', 'database', 'creds/shop/username'), route('password', 'database', 'creds/shop/password')],
        { VAULT_ROLE_ID: vault.roleId, VAULT_SECRET_ID: vault.secretId },
      );
    }, 120_000);
    afterAll(async () => {
      await server?.dispose();
      await Promise.all([vault?.stop(), postgres?.stop()]);
    });

    it('are kept nearly to the end of their lease, then others come, and the database knows both', async () => {
      await vi.waitFor(async () => expect((await get('/user')).status).toBe(200), waiting);
      const [user, password] = [(await get('/user')).text, (await get('/password')).text];
      expect(await canSignIn(user, password)).toBe(true);
      const began = Date.now();
      // Asked for every second otherwise: each time would have made another lease.
      while (Date.now() - began < 3_000) {
        expect((await get('/user')).text).toBe(user);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      expect(await leases()).toBe(1);
      await vi.waitFor(async () => expect((await get('/user')).text).not.toBe(user), waiting);
      await vi.waitFor(async () => {
        expect(await canSignIn((await get('/user')).text, (await get('/password')).text)).toBe(true);
      }, waiting);
    }, 60_000);

    it('are not used beyond their end when Vault has gone', async () => {
      expect((await get('/user')).status).toBe(200);
      await vault.kill();
      expect((await get('/user')).status).toBe(200);
      await vi.waitFor(async () => expect((await get('/user')).status).toBe(503), waiting);
      expect((await get('/password')).text).toContain('gateway.secret_unresolved');
    }, 60_000);
  });
});

describe('a namespace', () => {
  let standIn: TlsServer;
  const seen: { readonly path: string; readonly namespace: unknown }[] = [];
  beforeAll(async () => {
    const read = (name: string): string => readFileSync(join(certificates.folder, name), 'utf8');
    const tls = { cert: read('server.crt'), key: read('server.key'), ca: certificates.ca, requestCert: true };
    standIn = createTlsServer({ ...tls, rejectUnauthorized: true }, (request, response) => {
      seen.push({ path: request.url ?? '', namespace: request.headers['x-vault-namespace'] });
      // What Vault Enterprise 1.13's API reference gives for these two calls.
      const auth = {
        client_token: 'hvs.stand-in',
        accessor: 'x',
        policies: ['default'],
        lease_duration: 3600,
        renewable: true,
      };
      const data = { data: { key: 'value-of-the-namespace' }, metadata: { version: 1, destroyed: false } };
      const isLogin = request.url === '/v1/auth/approle/login';
      request
        .resume()
        .once('end', () =>
          response
            .setHeader('content-type', 'application/json')
            .end(JSON.stringify(isLogin ? { auth } : { lease_id: '', lease_duration: 0, renewable: false, data })),
        );
    });
    await new Promise<void>((resolve) => standIn.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    standIn.closeAllConnections();
    await new Promise((resolve) => standIn.close(resolve));
  });

  it('goes with every call, as seen by a stand-in of Vault Enterprise', async () => {
    const trust = `ca: ${quoted(certificates.ca)}, client_cert: ${quoted(certificates.cert)}, client_key: $env://VAULT_KEY`;
    const uri = `https://127.0.0.1:${(standIn.address() as AddressInfo).port}`;
    const server = await startGateway(
      [
        `  - {id: vault/team, uri: "${uri}", namespace: company/shop, prefix: kv, kv_version: 2, role_id: a, secret_id: b, ${trust}}`,
      ],
      [route('team', 'team', 'llm/openai/key')],
      { VAULT_KEY: certificates.key },
    );
    await vi.waitFor(async () => {
      expect((await fetched(server, '/team')).text).toBe('value-of-the-namespace');
    }, waiting);
    await server.dispose();
    expect(new Set(seen.map(({ path }) => path))).toEqual(
      new Set(['/v1/auth/approle/login', '/v1/kv/data/llm/openai']),
    );
    for (const { namespace } of seen) expect(namespace).toBe('company/shop');
  });
});
