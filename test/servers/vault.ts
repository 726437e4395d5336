/** A real Vault on a free port of 127.0.0.1: unsealed on a file store, with KV 1 and 2, transit and AppRole, and a role that may use them. */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import type { Certificates } from './certificates.js';
import {
  canRun,
  findFreePorts,
  makeTemporaryFolder,
  type ServerProcess,
  startProcess,
  waitUntilReady,
} from './processes.js';

export const vaultInstallHint = 'HashiCorp Vault or OpenBao as `vault` on the path, or in ~/go/bin';

function vaultCommand(): string {
  const installed = join(homedir(), 'go', 'bin', 'vault');
  return existsSync(installed) ? installed : 'vault';
}

export const isVaultInstalled = (): boolean => canRun(vaultCommand(), ['version']);

export interface VaultServer {
  readonly url: string;
  readonly rootToken: string;
  readonly roleId: string;
  readonly secretId: string;
  /** With the root token. */
  call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly data?: Record<string, unknown>; readonly auth?: Record<string, unknown> }>;
  seal(): Promise<void>;
  unseal(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The certificates' server speaks TLS then, and demands a client certificate of the same authority. */
export interface VaultTls {
  readonly certificates: Certificates;
  readonly demandsClientCertificate: boolean;
}

/** `tokenTtl` is that of the role's tokens, such as `1h`. */
export async function startVault(tokenTtl = '1h', tls?: VaultTls): Promise<VaultServer> {
  const folder = await makeTemporaryFolder('vault');
  const [port = 0] = await findFreePorts(1);
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const { ca, cert, key } = tls?.certificates ?? {};
  const dispatcher = new Agent(tls ? { connect: { ca, cert, key } as { ca: string } } : {});
  const file = join(folder, 'vault.hcl');
  await writeFile(
    file,
    `disable_mlock = true\nstorage "file" { path = "${join(folder, 'data')}" }\nlistener "tcp" {\n  address = "127.0.0.1:${port}"\n${tlsLines(tls)}}\napi_addr = "${url}"\n`,
  );
  const run = async (): Promise<ServerProcess> => {
    const started = startProcess(vaultCommand(), ['server', `-config=${file}`]);
    await waitUntilReady(
      'Vault',
      async () => (await fetch(`${url}/v1/sys/health`, { dispatcher })).status > 0,
      started,
    );
    return started;
  };
  let server = await run();
  let token = '';
  const call: VaultServer['call'] = async (method, path, body) => {
    const answer = await fetch(`${url}/v1/${path}`, {
      method,
      dispatcher,
      headers: { 'x-vault-token': token, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Awaited<ReturnType<VaultServer['call']>>);
  };
  const first = (await call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })) as unknown as {
    readonly keys: readonly string[];
    readonly root_token: string;
  };
  const unseal = async (): Promise<void> => {
    await call('PUT', 'sys/unseal', { key: first.keys[0] });
    await waitUntilReady(
      'Vault',
      async () => (await fetch(`${url}/v1/sys/health`, { dispatcher })).status === 200,
      server,
    );
  };
  await unseal();
  token = first.root_token;
  const { roleId, secretId } = await prepare(call, tokenTtl);
  return {
    url,
    rootToken: token,
    roleId,
    secretId,
    call,
    seal: async () => void (await call('PUT', 'sys/seal')),
    unseal,
    kill: async () => await server.end('SIGKILL'),
    restart: async () => {
      await server.end('SIGKILL');
      server = await run();
      await unseal();
    },
    stop: async () => {
      await dispatcher.destroy();
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function tlsLines(tls: VaultTls | undefined): string {
  if (!tls) return '  tls_disable = true\n';
  const { folder } = tls.certificates;
  const lines = [`tls_cert_file = "${join(folder, 'server.crt')}"`, `tls_key_file = "${join(folder, 'server.key')}"`];
  if (tls.demandsClientCertificate)
    lines.push('tls_require_and_verify_client_cert = true', `tls_client_ca_file = "${join(folder, 'ca.crt')}"`);
  return lines.map((line) => `  ${line}\n`).join('');
}

async function prepare(call: VaultServer['call'], tokenTtl: string): Promise<{ roleId: string; secretId: string }> {
  await call('POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
  await call('POST', 'sys/mounts/kv2', { type: 'kv', options: { version: '2' } });
  await call('POST', 'sys/mounts/transit', { type: 'transit' });
  await call('POST', 'transit/keys/bailiwick', {});
  await call('PUT', 'sys/policies/acl/bailiwick', {
    policy: ['kv1/*', 'kv2/*', 'transit/*', 'database/*']
      .map((path) => `path "${path}" { capabilities = ["create", "read", "update", "delete", "list"] }`)
      .join('\n'),
  });
  await call('POST', 'sys/auth/approle', { type: 'approle' });
  await call('POST', 'auth/approle/role/bailiwick', {
    token_policies: ['bailiwick'],
    token_ttl: tokenTtl,
    token_max_ttl: '24h',
  });
  const role = await call('GET', 'auth/approle/role/bailiwick/role-id');
  const secret = await call('POST', 'auth/approle/role/bailiwick/secret-id', {});
  return { roleId: String(role.data?.['role_id']), secretId: String(secret.data?.['secret_id']) };
}
