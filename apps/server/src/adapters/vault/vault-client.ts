/**
 * Speaks Vault's HTTP API: signs in (AppRole, or a token that was given), renews before the token ends, and signs in anew once when the token
 * is refused, because an expired token and a policy's denial both answer 403. Bad credentials are never tried again by themselves.
 */
import { Agent, request } from 'undici';
import { badCredentials } from '../secret-errors.js';
import { storeUnavailable } from '../store-errors.js';

export interface VaultOptions {
  /** `https://vault.example:8200`. */
  readonly address: string;
  readonly namespace?: string | undefined;
  /** PEM of the authority that signed Vault's certificate. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number;
  readonly login:
    | { readonly kind: 'token'; readonly token: string }
    | { readonly kind: 'approle'; readonly roleId: string; readonly secretId: string; readonly mount: string };
  readonly nowMs?: () => number;
}

export interface VaultAnswer {
  readonly status: number;
  readonly body: VaultBody | undefined;
}

interface VaultBody {
  readonly data?: unknown;
  readonly lease_duration?: number;
  readonly errors?: readonly string[];
  readonly auth?: { readonly client_token: string; readonly lease_duration: number; readonly renewable: boolean };
}

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

  constructor(options: VaultOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    const timeout = options.timeoutMs ?? 3_000;
    this.#agent = new Agent({
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connect: { timeout, ...(options.ca === undefined ? {} : { ca: options.ca }) },
    });
  }

  /** Rejects with `store.unavailable` when Vault is away or sealed, `secret.bad_credentials` when it does not accept ours. */
  async call(method: 'GET' | 'POST' | 'DELETE' | 'LIST', path: string, body?: unknown): Promise<VaultAnswer> {
    const session = await this.#current();
    const answer = await this.#send(method, path, session.token, body);
    if (answer.status !== 403) return this.#checked(answer);
    if (this.#options.login.kind === 'token') throw badCredentials('Vault');
    // The token may have ended before its time: once more with a new one.
    if (this.#session === session) this.#session = undefined;
    const again = await this.#send(method, path, (await this.#current()).token, body);
    if (again.status === 403) throw badCredentials('Vault');
    return this.#checked(again);
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  #checked(answer: VaultAnswer): VaultAnswer {
    if (answer.status >= 500 || answer.status === 429)
      throw storeUnavailable(
        'Vault',
        new Error(`it answered ${answer.status}${answer.status === 503 ? ' (sealed?)' : ''}`),
      );
    return answer;
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

  async #send(method: string, path: string, token: string | undefined, body: unknown): Promise<VaultAnswer> {
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
      throw storeUnavailable('Vault', cause);
    }
  }
}
