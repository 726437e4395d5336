/**
 * What a gateway under test talks to: an upstream that echoes, an OPA that answers what it is told, an OpenID issuer, a Vault with one secret.
 * All stand-ins, but for Redis, which is a real one where it is installed.
 */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { isRedisInstalled, startRedis } from '../../test/servers/redis.js';

/** What the stand-in Vault keeps under `app`, field `key`; the cases have it too. */
const vaultSecret = 'conformance-from-vault';

/** What the gateway under test must have in its environment. */
export const gatewayEnvironment: Readonly<Record<string, string>> = {
  CONFORMANCE_SECRET: 'conformance-from-the-environment',
  CONFORMANCE_JSON: '{"inner":"conformance-from-a-field"}',
};

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface StandIns {
  readonly upstream: string;
  readonly opa: string;
  readonly issuer: string;
  /** KV of version 1 under `kv/apisix`, for the token `root`. */
  readonly vault: string;
  /** A real Redis's port; undefined where none is installed. */
  readonly redisPort: number | undefined;
  /** Kills it, or starts it again on its port, empty. */
  setRedis(state: 'killed' | 'started'): Promise<void>;
  /** What the upstream has seen since the last `reset`. */
  readonly seen: readonly Seen[];
  readonly opaInputs: readonly unknown[];
  answerOpa(answer: { readonly status?: number; readonly body: unknown }): void;
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
  reset(): void;
  stop(): Promise<void>;
}

export async function startStandIns(): Promise<StandIns> {
  const seen: Seen[] = [];
  const opaInputs: unknown[] = [];
  let opaAnswer: { readonly status?: number; readonly body: unknown } = { body: { result: { allow: true } } };
  const upstream = await listen(async (request, response) => {
    const body = await text(request);
    seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
    const status = Number(/\/status\/(\d{3})/.exec(request.url ?? '')?.[1] ?? 200);
    response.writeHead(status, { 'content-type': 'text/plain', 'x-upstream': 'yes', server: 'echo' });
    response.end(request.method === 'HEAD' ? undefined : `echo ${request.url}`);
  });
  const opa = await listen(async (request, response) => {
    opaInputs.push(JSON.parse(await text(request)));
    const { status = 200, body } = opaAnswer;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'conformance', alg: 'RS256', use: 'sig' };
  let issuerUrl = '';
  const issuer = await listen(async (request, response) => {
    const isKeys = request.url === '/jwks';
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isKeys ? { keys: [jwk] } : { issuer: issuerUrl, jwks_uri: `${issuerUrl}/jwks` }));
  });
  issuerUrl = `http://${issuer.address}`;
  const vault = await listen(async (request, response) => {
    const isKnown = request.url === '/v1/kv/apisix/app';
    const isAllowed = request.headers['x-vault-token'] === 'root';
    response.writeHead(isAllowed ? (isKnown ? 200 : 404) : 403, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isAllowed && isKnown ? { data: { key: vaultSecret } } : { errors: [] }));
  });
  const redis = isRedisInstalled() ? await startRedis() : undefined;
  return {
    upstream: upstream.address,
    opa: opa.address,
    issuer: issuer.address,
    vault: vault.address,
    redisPort: redis?.port,
    setRedis: async (state) => await (state === 'killed' ? redis?.kill() : redis?.restart()),
    seen,
    opaInputs,
    answerOpa: (answer) => {
      opaAnswer = answer;
    },
    sign: (claims) =>
      new SignJWT({ sub: 'somebody', ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'conformance' })
        .setIssuer(issuerUrl)
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey),
    reset: () => {
      seen.length = 0;
      opaInputs.length = 0;
      opaAnswer = { body: { result: { allow: true } } };
    },
    stop: async () => {
      await Promise.all([upstream, opa, issuer, vault].map((one) => one.stop()));
      await redis?.stop();
    },
  };
}

async function text(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

async function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    address: `127.0.0.1:${port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An HMAC token; `alg` may lie, which is the point of some cases. */
export function hmacToken(secret: string, claims: object, alg = 'HS256'): string {
  const head = `${base64url({ alg, typ: 'JWT' })}.${base64url(claims)}`;
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`;
}
