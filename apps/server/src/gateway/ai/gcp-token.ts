/**
 * Tokens of Google Cloud for a service account: a signed statement is exchanged at the account's token endpoint (RFC 7523), and the token is
 * kept until shortly before its end. Key and token are in memory only.
 */
import { importPKCS8, SignJWT } from 'jose';
import type { Cancellation } from './transport.js';
import { Transport } from './transport.js';

export interface GcpConfiguration {
  /** The account's key file, as JSON text. */
  readonly service_account_json?: string | undefined;
  /** Seconds before its end from which a token is not used any more. */
  readonly expire_early_secs: number;
  /** Seconds after which a token is not used any more, however long it would hold. */
  readonly max_ttl?: number | undefined;
}

interface ServiceAccount {
  readonly clientEmail: string;
  readonly privateKey: string;
  readonly tokenUri: URL;
}

const scope = 'https://www.googleapis.com/auth/cloud-platform';
const statementSeconds = 3600;
const timeoutMs = 10_000;
const maxAnswerBytes = 64 * 1024;
const never: Cancellation = { aborted: false, addEventListener: () => undefined };

/** Throws, without a value, when the text is no key file of a service account. */
function accountOf(text: string): ServiceAccount {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new Error('auth.gcp.service_account_json is no JSON');
  }
  const { client_email: clientEmail, private_key: privateKey } = value;
  const uri = value['token_uri'] ?? 'https://oauth2.googleapis.com/token';
  if (typeof clientEmail !== 'string' || typeof privateKey !== 'string' || typeof uri !== 'string')
    throw new Error('auth.gcp.service_account_json needs client_email and private_key');
  if (!/^https?:\/\//.test(uri) || !URL.canParse(uri))
    throw new Error('auth.gcp.service_account_json: token_uri is no address');
  return { clientEmail, privateKey, tokenUri: new URL(uri) };
}

/** Empty for what is no JSON object: the parser's own words would repeat a part of it, and with it of a token. */
function answered(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** What is wrong with it; undefined when it is right, or a reference that is not resolved yet. */
export function serviceAccountFault(text: string): string | undefined {
  if (text.startsWith('$')) return undefined;
  try {
    accountOf(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export class GcpToken {
  readonly #configuration: GcpConfiguration;
  readonly #account: ServiceAccount;
  readonly #transport: Transport;
  readonly #nowMs: () => number;
  #token: string | undefined;
  #endsMs = 0;
  #fetching: Promise<string> | undefined;

  constructor(configuration: GcpConfiguration, sslVerify: boolean, nowMs: () => number = Date.now) {
    this.#configuration = configuration;
    this.#account = accountOf(configuration.service_account_json ?? '');
    this.#nowMs = nowMs;
    const url = this.#account.tokenUri;
    this.#transport = new Transport({ url, sslVerify, keepaliveMs: 10_000, keepaliveSize: 1, timeoutMs });
  }

  /** The private key in pieces that a provider could repeat, for masking. */
  get secrets(): readonly string[] {
    return [...this.#account.privateKey.split(/\s+/).filter((line) => line.length > 20), this.#token ?? ''];
  }

  /** Rejects when Google gives none. Concurrent calls share one exchange. */
  get(): string | Promise<string> {
    if (this.#token !== undefined && this.#nowMs() < this.#endsMs) return this.#token;
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(): Promise<string> {
    const { clientEmail, privateKey, tokenUri } = this.#account;
    const nowSeconds = Math.floor(this.#nowMs() / 1000);
    const assertion = await new SignJWT({ scope })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .setIssuer(clientEmail)
      .setAudience(tokenUri.href)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + statementSeconds)
      .sign(await importPKCS8(privateKey, 'RS256'));
    const form = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion });
    const headers = ['content-type: application/x-www-form-urlencoded', 'accept-encoding: identity'];
    const path = tokenUri.pathname + tokenUri.search;
    const answer = await this.#transport.send(path, headers, Buffer.from(form.toString()), never);
    const text = (await answer.whole(maxAnswerBytes, () => undefined)).toString('utf8');
    if (answer.status !== 200) throw new Error(`Google's token endpoint answered ${answer.status}`);
    const { access_token: token, expires_in: seconds } = answered(text);
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
      throw new Error("Google's token endpoint gave no token");
    const { expire_early_secs: early, max_ttl: most = Number.POSITIVE_INFINITY } = this.#configuration;
    const lasts = typeof seconds === 'number' ? seconds : statementSeconds;
    this.#endsMs = this.#nowMs() + Math.min(lasts > early ? lasts - early : lasts, most) * 1000;
    this.#token = token;
    return token;
  }

  close(): void {
    this.#transport.close();
  }
}
