/**
 * The built-in OIDC issuer under `/oidc`, for local use: a person signs in with authorization code and PKCE, a script changes its
 * API key into a token at `/api/v1/token`. Access tokens are RS256 JWTs for this installation. Sessions live in memory: a restart signs people
 * out, tokens stay good because the keys are in the data folder.
 */
import { hkdfSync } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Caller } from '../decisions/decision-service.js';
import { TokenBucket } from '../http/token-bucket.js';
import type { Cache } from '../ports/cache.port.js';
import type { LocalKeys } from './local-keys.js';
import { sessionStore } from './session-store.js';
import { signInPage } from './sign-in-page.js';
import type { Users } from './users.js';

export interface OidcRouteParts {
  readonly publicUrl: string;
  readonly keys: LocalKeys;
  readonly users: Users;
  /** Where sessions, codes and grants are kept. */
  readonly cache: Cache;
  readonly audience: string;
  /** Who an API key is; throws when it is not good. */
  readonly apiKey: (credential: string) => Caller;
}

const tokenSeconds = 3600;
const nativeClient = 'bailiwick';

/** Registers `/oidc/*`. The provider is large: it is loaded when the first request needs it. */
export async function oidcRoutes(app: FastifyInstance, parts: OidcRouteParts): Promise<void> {
  let loading: Promise<Provider> | undefined;
  const provider = (): Promise<Provider> => {
    loading ??= loadProvider(parts);
    return loading;
  };
  const config = { access: { action: 'public' } } as const;
  await app.register(async (scope) => {
    // The provider reads the bodies of its own requests.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.all('/oidc/*', { config, schema: { hide: true } }, async (request, reply) => {
      reply.hijack();
      const raw = request.raw as typeof request.raw & { originalUrl?: string };
      raw.originalUrl = raw.url ?? '';
      raw.url = (raw.url ?? '').slice('/oidc'.length);
      await (await provider()).callback()(raw, reply.raw);
    });
  });
  await app.register(async (scope) => signInRoutes(scope, provider, parts.users));
  app.post(
    '/api/v1/token',
    {
      config,
      schema: {
        tags: ['identity'],
        summary: 'An access token for an API key (Authorization: Bearer bwk_…), good for an hour',
      },
    },
    async (request, reply) => {
      const caller = parts.apiKey(/^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '');
      const { signLocalToken } = await import('./local-keys.js');
      const roles = Array.isArray(caller.claims['roles']) ? (caller.claims['roles'] as readonly string[]) : [];
      const project = typeof caller.claims['project'] === 'string' ? caller.claims['project'] : undefined;
      const token = await signLocalToken(parts.keys, {
        subject: caller.actor,
        roles,
        project,
        audience: parts.audience,
        days: 1 / 24,
      });
      return reply
        .header('cache-control', 'no-store')
        .send({ access_token: token, token_type: 'Bearer', expires_in: tokenSeconds });
    },
  );
}

async function loadProvider(parts: OidcRouteParts): Promise<Provider> {
  const { default: Implementation, interactionPolicy } = await import('oidc-provider');
  const settings = configuration(parts);
  // The one native client is ours: being asked to consent to it would teach people to click consent away.
  const policy = interactionPolicy.base();
  policy.get('consent')?.checks.remove('native_client_prompt');
  const provider = new Implementation(`${parts.publicUrl}/oidc`, {
    ...settings,
    interactions: { ...settings.interactions, policy },
  });
  provider.proxy = true;
  return provider;
}

/** The same on all instances that share the issuer's keys, so that a session begun at one goes on at another. */
function cookieKey({ privateKeySet }: LocalKeys): string {
  return Buffer.from(hkdfSync('sha256', JSON.stringify(privateKeySet), '', 'oidc-cookies', 32)).toString('base64url');
}

function configuration(parts: OidcRouteParts): Configuration {
  return {
    adapter: sessionStore(parts.cache),
    jwks: { keys: [...parts.keys.privateKeySet.keys] } as NonNullable<Configuration['jwks']>,
    cookies: { keys: [cookieKey(parts.keys)] },
    clients: [
      {
        client_id: nativeClient,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: ['http://127.0.0.1/callback', `${parts.publicUrl}/signed-in`],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    scopes: ['openid', 'offline_access'],
    claims: { openid: ['sub', 'roles', 'project'] },
    pkce: { required: () => true },
    ttl: {
      AccessToken: tokenSeconds,
      IdToken: tokenSeconds,
      Interaction: 600,
      Session: 43_200,
      Grant: 43_200,
      RefreshToken: 43_200,
    },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:bailiwick:api',
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: '',
          audience: parts.audience,
          accessTokenTTL: tokenSeconds,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    interactions: { url: (_context: KoaContextWithOIDC, interaction) => `/oidc-sign-in/${interaction.uid}` },
    findAccount: async (_context, sub) => {
      const user = await parts.users.find(sub);
      return (
        user && {
          accountId: sub,
          claims: async () => ({
            sub,
            roles: user.roles,
            ...(user.project === undefined ? {} : { project: user.project }),
          }),
        }
      );
    },
    extraTokenClaims: async (_context, token) => {
      const user =
        'accountId' in token && typeof token.accountId === 'string'
          ? await parts.users.find(token.accountId)
          : undefined;
      return user && { roles: user.roles, ...(user.project === undefined ? {} : { project: user.project }) };
    },
    loadExistingGrant: async (context) => await grantEverything(context),
    renderError: async (context, out) => {
      context.type = 'json';
      context.body = out;
    },
  };
}

/** The only client is ours, so nobody is asked for consent. */
async function grantEverything(context: KoaContextWithOIDC) {
  const { provider, session, client, params } = context.oidc;
  const accountId = session?.accountId;
  if (!client || accountId === undefined) return undefined;
  const known = session?.grantIdFor(client.clientId);
  const grant =
    (known === undefined ? undefined : await provider.Grant.find(known)) ??
    new provider.Grant({ clientId: client.clientId, accountId });
  grant.addOIDCScope(String(params?.['scope'] ?? 'openid'));
  grant.addResourceScope('urn:bailiwick:api', '');
  await grant.save();
  return grant;
}

interface Interactions {
  interactionDetails(request: unknown, response: unknown): Promise<{ readonly uid: string }>;
  interactionFinished(request: unknown, response: unknown, result: object, options: object): Promise<void>;
}

function signInRoutes(scope: FastifyInstance, provider: () => Promise<Interactions>, users: Users): void {
  const config = { access: { action: 'public' } } as const;
  // A password costs tens of milliseconds to check: nobody may ask for many.
  const attempts = new TokenBucket(2, 10);
  const show = {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  };
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 4096 },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(body as string))),
  );
  scope.get<{ Params: { uid: string } }>(
    '/oidc-sign-in/:uid',
    { config, schema: { hide: true } },
    async (request, reply) => {
      const { uid } = await (await provider()).interactionDetails(request.raw, reply.raw);
      return reply.headers(show).serializer(String).send(signInPage(uid));
    },
  );
  scope.post<{ Params: { uid: string }; Body: { name?: string; password?: string } }>(
    '/oidc-sign-in/:uid',
    { config, schema: { hide: true } },
    async (request, reply) => {
      if (!attempts.take()) {
        return reply
          .status(429)
          .headers({ ...show, 'retry-after': '2' })
          .serializer(String)
          .send(signInPage(request.params.uid, 'Too many attempts. Wait a moment.'));
      }
      const user = await users.verify(request.body.name ?? '', request.body.password ?? '');
      if (!user)
        return reply
          .status(401)
          .headers(show)
          .serializer(String)
          .send(signInPage(request.params.uid, 'Name or password is wrong.'));
      reply.hijack();
      await (await provider()).interactionFinished(
        request.raw,
        reply.raw,
        { login: { accountId: user.name } },
        { mergeWithLastSubmission: false },
      );
      return reply;
    },
  );
}
