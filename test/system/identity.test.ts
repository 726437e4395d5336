import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isStrictBase64url } from '../../apps/server/src/identity/token-verifier.js';
import { startTestServer, type TestServer } from './harness.js';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

/** An identity provider in this process: discovery, and a key set that tests change. */
class TestIssuer {
  keys: JWK[] = [];
  fetches = 0;
  url = '';
  #server: Server | undefined;

  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.url === '/.well-known/openid-configuration')
        return response.end(JSON.stringify({ issuer: this.url, jwks_uri: `${this.url}/keys` }));
      this.fetches += 1;
      return response.end(JSON.stringify({ keys: this.keys }));
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    this.url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  async add(kid: string, algorithm: string): Promise<Keys> {
    const keys = await generateKeyPair(algorithm, {
      extractable: true,
      ...(algorithm === 'EdDSA' ? { crv: 'Ed25519' } : {}),
    });
    this.keys.push({ ...(await exportJWK(keys.publicKey)), kid, alg: algorithm, use: 'sig' });
    return keys;
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server?.close(resolve));
  }
}

const issuer = new TestIssuer();
let server: TestServer;
let rsa: Keys;

beforeAll(async () => {
  await issuer.start();
  rsa = await issuer.add('rsa-1', 'RS256');
  server = await startTestServer({ issuers: issuer.url, clockLeewaySeconds: '5' });
});
afterAll(async () => {
  await server.stop();
  await issuer.stop();
});

interface TokenChange {
  readonly algorithm?: string;
  readonly kid?: string;
  readonly keys?: Keys;
  readonly claims?: Record<string, unknown>;
}

function sign(change: TokenChange = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer.url,
    aud: 'bailiwick',
    sub: 'ann',
    roles: ['platform-admin'],
    iat: now,
    exp: now + 60,
    ...change.claims,
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: change.algorithm ?? 'RS256', kid: change.kid ?? 'rsa-1' })
    .sign((change.keys ?? rsa).privateKey);
}

const who = async (token: string) => server.call('GET', '/api/v1/whoami', { token });

describe('a token', () => {
  it('of a discovered issuer is accepted', async () => {
    expect((await who(await sign())).json).toMatchObject({ actor: 'ann' });
  });

  it.each([
    ['another audience', { aud: 'elsewhere' }],
    ['an issuer that is not accepted', { iss: 'http://127.0.0.1:1' }],
    ['no subject', { sub: undefined }],
    ['no expiry', { exp: undefined }],
    ['an expiry long past', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['a beginning in the future', { nbf: Math.floor(Date.now() / 1000) + 60 }],
  ])('with %s is refused', async (_what, claims) => {
    expect((await who(await sign({ claims }))).json).toMatchObject({ status: 401, code: 'unauthorized' });
  });

  it('within the leeway is accepted', async () => {
    expect((await who(await sign({ claims: { exp: Math.floor(Date.now() / 1000) - 2 } }))).status).toBe(200);
  });

  it.each(['ES256', 'EdDSA'])('signed with %s is accepted after the keys were rotated', async (algorithm) => {
    const kid = `rotated-${algorithm}`;
    const keys = await issuer.add(kid, algorithm);
    // The cooldown of key fetches is ten seconds: a fresh verifier stands for the time that has passed.
    const fresh = await startTestServer({ issuers: issuer.url });
    expect((await fresh.call('GET', '/api/v1/whoami', { token: await sign({ algorithm, kid, keys }) })).status).toBe(
      200,
    );
    await fresh.stop();
  });

  it('with HS256 over the public key, or with alg none, is refused', async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer.url, aud: 'bailiwick', sub: 'eve', roles: ['platform-admin'], exp: now + 60 };
    const secret = new TextEncoder().encode(JSON.stringify(issuer.keys[0]));
    expect(
      (await who(await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'rsa-1' }).sign(secret))).status,
    ).toBe(401);
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect((await who(`${encode({ alg: 'none' })}.${encode(claims)}.`)).status).toBe(401);
    expect((await who(`${encode({ alg: 'none' })}.${encode(claims)}.AA`)).status).toBe(401);
  });

  it('signed by a stranger with a known kid is refused', async () => {
    const stranger = await generateKeyPair('RS256');
    expect((await who(await sign({ keys: stranger }))).json).toMatchObject({ status: 401, reason: 'token.signature' });
  });

  it('with an unknown kid asks the issuer once and not again within the cooldown', async () => {
    await who(await sign());
    const stranger = await generateKeyPair('RS256');
    const before = issuer.fetches;
    for (let count = 0; count < 5; count += 1)
      expect((await who(await sign({ keys: stranger, kid: `unknown-${count}` }))).status).toBe(401);
    expect(issuer.fetches - before).toBeLessThanOrEqual(1);
  });

  it('is refused in every form that is not strict base64url', async () => {
    const token = await sign();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const last = signature.at(-1) ?? '';
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const spare = signature.slice(0, -1) + (alphabet[alphabet.indexOf(last) ^ 1] ?? '');
    for (const bad of [
      `${token}=`,
      `${header}.${payload}.${signature}==`,
      `${header}.${payload}.${spare}`,
      `${header}.${payload}`,
      `${token}.`,
      `${header}..${signature}`,
    ]) {
      expect((await who(bad)).status, bad.slice(-10)).toBe(401);
    }
  });

  it('is never said back in an error', async () => {
    const token = await sign({ claims: { aud: 'elsewhere' } });
    expect((await who(token)).text).not.toContain(token.split('.')[1]);
  });
});

describe('isStrictBase64url', () => {
  it.each([
    ['QQ', true],
    ['QR', false],
    ['QUI', true],
    ['QUJ', false],
    ['QUJD', true],
    ['Q', false],
    ['QUJD=', false],
    ['QU+D', false],
    ['QU/D', false],
    ['QU D', false],
    ['', false],
  ])('%s: %s', (text, isStrict) => {
    expect(isStrictBase64url(text)).toBe(isStrict);
  });
});

describe('the built-in issuer', () => {
  it('signs a person in with a code and PKCE, and its token is accepted', async () => {
    await server.call('POST', '/api/v1/users', {
      body: { name: 'ann.b', password: 'correct horse battery', roles: ['platform-admin'] },
    });
    const verifier = 'v'.repeat(43);
    const { createHash } = await import('node:crypto');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const redirect = `${server.url}/signed-in`;
    const jar = new Map<string, string>();
    const visit = async (address: string, form?: Record<string, string>): Promise<Response> => {
      const response = await fetch(new URL(address, server.url), {
        redirect: 'manual',
        headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
        ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        jar.set(name, value);
      }
      return response;
    };
    const query = new URLSearchParams({
      client_id: 'bailiwick',
      response_type: 'code',
      redirect_uri: redirect,
      scope: 'openid',
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state: 's',
    });
    const start = await visit(`/oidc/auth?${query}`);
    const signIn = start.headers.get('location') ?? '';
    expect(signIn).toContain('/oidc-sign-in/');
    expect(await (await visit(signIn)).text()).toContain('type="password"');
    expect((await visit(signIn, { name: 'ann.b', password: 'wrong' })).status).toBe(401);
    const done = await visit(signIn, { name: 'ann.b', password: 'correct horse battery' });
    const back = await visit(done.headers.get('location') ?? '');
    const code = new URL(back.headers.get('location') ?? '').searchParams.get('code') ?? '';
    expect(code).not.toBe('');
    const token = await visit('/oidc/token', {
      grant_type: 'authorization_code',
      client_id: 'bailiwick',
      code,
      redirect_uri: redirect,
      code_verifier: verifier,
    });
    const { access_token: accessToken } = (await token.json()) as { access_token: string };
    expect((await who(accessToken)).json).toMatchObject({ actor: 'ann.b', claims: { roles: ['platform-admin'] } });
    expect((await server.call('GET', '/policies/platform', { token: accessToken })).status).toBe(200);
  });

  it('changes an API key into a JWT for a script', async () => {
    const { key, id } = (await server.call('POST', '/api/v1/api-keys', { body: { name: 'script', project: 'demo' } }))
      .json;
    const { access_token: token } = (await server.call('POST', '/api/v1/token', { token: key })).json;
    expect((await who(token)).json).toMatchObject({ actor: `api-key:${id}`, claims: { project: 'demo' } });
    expect((await server.call('POST', '/api/v1/token', { token: 'bwk_0000000000000000_nothing' })).status).toBe(401);
  });
});

describe('an API key', () => {
  it('is kept as a hash, shown once, and unknown after it was revoked', async () => {
    const created = (await server.call('POST', '/api/v1/api-keys', { body: { name: 'k' } })).json;
    const stored = await server.running.platform.store.get(`/bailiwick/api-keys/${created.id}`);
    expect(stored?.value).not.toContain(created.key.split('_').slice(2).join('_'));
    expect((await server.call('GET', '/api/v1/api-keys')).text).not.toContain(
      created.key.split('_').slice(2).join('_'),
    );
    expect((await who(created.key)).status).toBe(200);
    expect((await server.call('DELETE', `/api/v1/api-keys/${created.id}`)).status).toBe(204);
    expect((await who(created.key)).json).toMatchObject({ status: 401, reason: 'api_key.invalid' });
  });
});
