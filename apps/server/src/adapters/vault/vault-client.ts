/**
 * Speaks Vault's HTTP API: signs in (AppRole, or a token that was given), renews before the token ends, and signs in anew once when the token
 * is refused, because an expired token and a policy's denial both answer 403. Bad credentials are never tried again by themselves.
 */
import { createSecureContext } from 'node:tls';
import { Agent, request } from 'undici';
import { badCredentials } from '../secret-errors.js';
import { storeUnavailable } from '../store-errors.js';

export interface VaultOptions {
  /** `https://vault.example:8200`. */
  readonly address: string;
  readonly namespace?: string | undefined;
  /** PEM of the authority that signed Vault's certificate. */
  readonly ca?: string | undefined;
  /** PEM of the certificate (with its chain) and key that we show when Vault demands one. Both or none. */
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly timeoutMs?: number;
  readonly login:
    | { readonly kind: 'token'; readonly token: string }
    | { readonly kind: 'approle'; readonly roleId: string; readonly secretId: string; readonly mount: string };
  readonly nowMs?: () => number;
}

export interface VaultAnswer {
  readonly status: number;
  readonly body: VaultBody | undefined;
  /** Epoch milliseconds at which the token that was used ends; leases end with it. */
  readonly sessionEndsMs: number;
}

interface VaultBody {
  readonly data?: unknown;
  /** Empty for what has no lease. */
  readonly lease_id?: string;
  readonly lease_duration?: number;
  readonly errors?: readonly string[];
  readonly auth?: { readonly client_token: string; readonly lease_duration: number; readonly renewable: boolean };
}

type Sent = Omit<VaultAnswer, 'sessionEndsMs'>;

interface Session {
  readonly token: string;
  /** Epoch milliseconds; infinity when Vault says nothing. */
  readonly endsMs: number;
  readonly renewAtMs: number;
  readonly isRenewable: boolean;
}

const maxAnswerBytes = 4 * 1024 * 1024;

export class VaultClient {
  readonly #options: VaultOptions;
  readonly #agent: Agent;
  readonly #nowMs: () => number;
  #session: Session | undefined;
  #signingIn: Promise<Session> | undefined;

  /** Throws when certificate, key or authority cannot be read or do not fit. */
  constructor(options: VaultOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    const timeout = options.timeoutMs ?? 3_000;
    this.#agent = new Agent({
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connect: { timeout, secureContext: contextOf(options) },
    });
  }

  /** Rejects with `store.unavailable` when Vault is away or sealed, `secret.bad_credentials` when it does not accept ours. */
  async call(method: 'GET' | 'POST' | 'DELETE' | 'LIST', path: string, body?: unknown): Promise<VaultAnswer> {
    const session = await this.#current();
    const answer = await this.#send(method, path, session.token, body);
    if (answer.status !== 403) return this.#checked(answer, session);
    if (this.#options.login.kind === 'token') throw badCredentials('Vault');
    // The token may have ended before its time: once more with a new one.
    if (this.#session === session) this.#session = undefined;
    const fresh = await this.#current();
    const again = await this.#send(method, path, fresh.token, body);
    if (again.status === 403) throw badCredentials('Vault');
    return this.#checked(again, fresh);
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  #checked(answer: Sent, { endsMs: sessionEndsMs }: Session): VaultAnswer {
    if (answer.status >= 500 || answer.status === 429)
      throw storeUnavailable(
        'Vault',
        new Error(`it answered ${answer.status}${answer.status === 503 ? ' (sealed?)' : ''}`),
      );
    return { ...answer, sessionEndsMs };
  }

  async #current(): Promise<Session> {
    const now = this.#nowMs();
    const session = this.#session;
    if (session && now < session.renewAtMs) return session;
    this.#signingIn ??= this.#refresh(session, now).finally(() => {
      this.#signingIn = undefined;
    });
    return await this.#signingIn;
  }

  async #refresh(session: Session | undefined, now: number): Promise<Session> {
    const renewed = session?.isRenewable && now < session.endsMs ? await this.#renew(session) : undefined;
    this.#session = renewed ?? (await this.#signIn());
    return this.#session;
  }

  /** Undefined when it cannot be renewed: then a new one is needed. */
  async #renew(session: Session): Promise<Session | undefined> {
    const { body } = await this.#send('POST', 'auth/token/renew-self', session.token, {});
    return body?.auth ? this.#sessionOf(body.auth) : undefined;
  }

  async #signIn(): Promise<Session> {
    const { login } = this.#options;
    if (login.kind === 'token')
      return { token: login.token, endsMs: Infinity, renewAtMs: Infinity, isRenewable: false };
    const { status, body } = await this.#send('POST', `auth/${login.mount}/login`, undefined, {
      role_id: login.roleId,
      secret_id: login.secretId,
    });
    if (body?.auth) return this.#sessionOf(body.auth);
    // Vault answers a wrong secret id with 400 or, in some versions, 500; trying again would not make it right.
    const isRefused =
      status === 400 || status === 403 || (body?.errors ?? []).some((text) => /invalid (role|secret)/i.test(text));
    throw isRefused ? badCredentials('Vault') : storeUnavailable('Vault', new Error(`signing in answered ${status}`));
  }

  #sessionOf(auth: NonNullable<VaultBody['auth']>): Session {
    const now = this.#nowMs();
    const lastsMs = auth.lease_duration > 0 ? auth.lease_duration * 1000 : Infinity;
    return {
      token: auth.client_token,
      endsMs: now + lastsMs,
      renewAtMs: now + lastsMs * (2 / 3),
      isRenewable: auth.renewable,
    };
  }

  async #send(method: string, path: string, token: string | undefined, body: unknown): Promise<Sent> {
    const { namespace } = this.#options;
    try {
      const answer = await request(`${this.#options.address.replace(/\/$/, '')}/v1/${path}`, {
        method: method as 'GET',
        dispatcher: this.#agent,
        headers: {
          ...(token === undefined ? {} : { 'x-vault-token': token }),
          ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
          'content-type': 'application/json',
          'x-vault-request': 'true',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.body.text();
      if (text.length > maxAnswerBytes) throw new Error('the answer is too long');
      return { status: answer.statusCode, body: text === '' ? undefined : (JSON.parse(text) as VaultBody) };
    } catch (cause) {
      // The cause holds addresses and codes, never what was sent.
      throw storeUnavailable('Vault', explained(cause, this.#options));
    }
  }
}

function contextOf({ ca, clientCert, clientKey }: VaultOptions) {
  return createSecureContext({
    ...(ca === undefined ? {} : { ca }),
    ...(clientCert === undefined ? {} : { cert: clientCert }),
    ...(clientKey === undefined ? {} : { key: clientKey }),
  });
}

const untrusted = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
]);

/** What an operator has to change when the two do not trust each other: OpenSSL's words do not say. */
function explained(cause: unknown, { address, clientCert }: VaultOptions): unknown {
  const isTls = address.startsWith('https:');
  const showsCertificate = clientCert !== undefined;
  const code = String((cause as { readonly code?: unknown }).code ?? '');
  const said = cause instanceof Error ? cause.message : String(cause);
  if (untrusted.has(code))
    return new Error(`its certificate is not of the authority that we trust (${said})`, { cause });
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new Error(`its certificate is for another name (${said})`, { cause });
  // With TLS 1.3 a certificate is refused after our side of the handshake: by an alert, or by a cut connection before any answer.
  const alert = /alert (?:certificate required|bad certificate|unknown ca)|alert number (?:42|48|116)/i;
  const isCut = isTls && (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET');
  if (!alert.test(said) && !isCut) return cause;
  const advice = showsCertificate
    ? 'does it trust the authority of our client certificate?'
    : 'does it demand a client certificate? We have none';
  return new Error(`it ended the connection without an answer: ${advice} (${said})`, { cause });
}
