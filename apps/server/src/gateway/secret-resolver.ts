/**
 * Holds the values behind `$secret://…` and `$env://…` of the file in force. What they are is fetched beside the traffic and kept for a while
 * (or until its lease ends); when a value changes, or can no longer be had, the routes are compiled anew. Values are in memory only: no log
 * line, error or metric of ours names one.
 */
import { BailiwickError } from '@bailiwick/contract';
import type { Secret, SecretStore } from '../ports/secret-store.port.js';
import type { Logger } from '../telemetry/logger.js';
import type { GatewayFile, SecretDefinition } from './resource-schemas.js';
import { type Reference, referencesIn, withResolved } from './secret-references.js';

export interface SecretSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `$secret://local/…`. */
  readonly local: SecretStore;
  readonly openVault: (definition: SecretDefinition) => SecretStore;
}

export interface ResolverOptions {
  readonly sources: SecretSources;
  readonly logger: Logger;
  /** How long a value is used before it is asked for again, in milliseconds. */
  readonly cacheMs: number;
  /** How soon one that could not be had is tried again, in milliseconds. */
  readonly retryMs: number;
  readonly onChange: () => void;
}

interface Held {
  readonly value: string | undefined;
  /** Epoch milliseconds after which it may not be used; a lease's end. */
  readonly endsMs: number;
  /** Epoch milliseconds before which it is not asked for again: asking for what has a lease makes another one. 0: whenever we ask. */
  readonly dueMs: number;
}

type Stored = Extract<Reference, { kind: 'vault' | 'local' }>;

interface Asked {
  readonly hasChanged: boolean;
  readonly isComplete: boolean;
  /** In milliseconds from now. */
  readonly askAgainMs: number;
}

const endless = { endsMs: Number.POSITIVE_INFINITY, dueMs: 0 };
/** No secret is asked for more often, in milliseconds. */
const minWaitMs = 200;

export class SecretResolver {
  readonly #options: ResolverOptions;
  #references: readonly Reference[] = [];
  #vaults = new Map<string, SecretStore>();
  #definitions = '';
  readonly #held = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** A file takes force: its references are looked up from now on. */
  use(file: GatewayFile): void {
    const found = new Map<string, Reference>();
    for (const [kind, list] of Object.entries(file))
      if (kind !== 'secrets') for (const { reference } of referencesIn(list)) found.set(reference.text, reference);
    this.#references = [...found.values()];
    for (const text of this.#held.keys()) if (!found.has(text)) this.#held.delete(text);
    this.#openVaults(file.secrets);
    for (const reference of this.#references)
      if (reference.kind === 'env') this.#hold(reference, { value: this.#fromEnvironment(reference), ...endless });
    if (this.#references.some((one) => one.kind !== 'env')) this.refresh();
  }

  /** Throws `gateway.secret_unresolved` (503), which names neither value nor path to the caller. */
  lookUp(text: string): string {
    const held = this.#held.get(text);
    if (held?.value !== undefined && held.endsMs > Date.now()) return held.value;
    throw new BailiwickError('unavailable', {
      reason: 'gateway.secret_unresolved',
      message: 'A secret that this route needs cannot be had now. Try again shortly.',
      operatorMessage: `${text} has no value`,
      retryAfterSeconds: 5,
    });
  }

  /** Asks for all values again, now. */
  refresh(): void {
    clearTimeout(this.#timer);
    this.#refreshing = this.#refreshing.then(() => this.#refreshAll());
  }

  /** Resolves when what was asked for has been answered, or could not be. */
  async settled(): Promise<void> {
    await this.#refreshing;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#refreshing;
    await Promise.all([...this.#vaults.values()].map((vault) => vault.close()));
  }

  #openVaults(definitions: readonly SecretDefinition[]): void {
    const text = JSON.stringify(definitions);
    if (text === this.#definitions) return;
    this.#definitions = text;
    for (const [reference, held] of this.#held) this.#held.set(reference, { ...held, dueMs: 0 });
    for (const vault of this.#vaults.values()) void vault.close().catch(() => undefined);
    this.#vaults = new Map();
    for (const definition of definitions) {
      const name = definition.id.slice('vault/'.length);
      try {
        const resolved = withResolved(definition, (reference) => this.#environmentOnly(reference));
        this.#vaults.set(name, this.#options.sources.openVault(resolved));
      } catch (error) {
        this.#options.logger.error({ manager: definition.id, error }, 'this secret manager cannot be used');
      }
    }
  }

  /** A secret manager's own credentials come from the environment: from whom else? */
  #environmentOnly(text: string): string {
    const [{ reference } = { reference: undefined }] = referencesIn(text);
    const value = reference?.kind === 'env' ? this.#fromEnvironment(reference) : undefined;
    if (value === undefined) throw new Error(`${text} has no value in the environment`);
    return value;
  }

  #fromEnvironment(reference: Extract<Reference, { kind: 'env' }>): string | undefined {
    const text = this.#options.sources.environment[reference.name];
    if (text === undefined || reference.key === undefined) return text;
    try {
      const value = (JSON.parse(text) as Record<string, unknown>)[reference.key];
      return value === undefined ? undefined : String(value);
    } catch {
      return undefined;
    }
  }

  async #refreshAll(): Promise<void> {
    if (this.#isClosed) return;
    let hasChanged = false;
    let isComplete = true;
    let soonestMs = this.#options.cacheMs;
    for (const references of bySecret(this.#references)) {
      const { askAgainMs, ...outcome } = await this.#askOnce(references);
      hasChanged ||= outcome.hasChanged;
      isComplete &&= outcome.isComplete;
      soonestMs = Math.min(soonestMs, Math.max(minWaitMs, askAgainMs));
    }
    if (hasChanged && !this.#isClosed) this.#options.onChange();
    this.#timer = setTimeout(() => this.refresh(), isComplete ? soonestMs : Math.min(soonestMs, this.#options.retryMs));
    this.#timer.unref();
  }

  /** One secret, with all of its keys at once: a user name fits only the password that came with it. A lease is kept nearly to its end. */
  async #askOnce(references: readonly Stored[]): Promise<Asked> {
    const now = Date.now();
    const dueMs = Math.min(...references.map((one) => this.#held.get(one.text)?.dueMs ?? 0));
    if (dueMs > now) return { hasChanged: false, isComplete: true, askAgainMs: dueMs - now };
    let hasChanged = false;
    let isComplete = true;
    let askAgainMs = this.#options.cacheMs;
    const secret = await this.#fetch(references);
    for (const reference of references) {
      if (secret === 'kept') {
        // Asked again at its end at the latest: then the route must know.
        askAgainMs = Math.min(askAgainMs, (this.#held.get(reference.text)?.endsMs ?? 0) - now);
        continue;
      }
      const value = secret?.fields[reference.key];
      if (value === undefined) isComplete = false;
      const endsMs = secret?.expiresAtMs;
      const isLeased = value !== undefined && endsMs !== undefined;
      const held = isLeased ? { value, endsMs, dueMs: now + (endsMs - now) * 0.8 } : { value, ...endless };
      if (isLeased) askAgainMs = Math.min(askAgainMs, held.dueMs - now);
      hasChanged = this.#hold(reference, held) || hasChanged;
    }
    return { hasChanged, isComplete: isComplete && secret !== 'kept', askAgainMs };
  }

  /** `kept`: the store is away, and what we have still holds. Undefined: there is none, or none that may be used. */
  async #fetch(references: readonly Stored[]): Promise<Secret | undefined | 'kept'> {
    const [first] = references;
    if (!first) return undefined;
    const store = first.kind === 'local' ? this.#options.sources.local : this.#vaults.get(first.manager);
    const { logger } = this.#options;
    try {
      const secret = await store?.get(first.path);
      for (const { key, text } of references)
        if (secret?.fields[key] === undefined) logger.error({ reference: text }, 'there is no such secret');
      return secret;
    } catch (error) {
      const now = Date.now();
      const holds = references.every(({ text }) => {
        const held = this.#held.get(text);
        return held?.value !== undefined && held.endsMs > now;
      });
      for (const { text } of references)
        logger.error({ reference: text, error, still_usable: holds }, 'a secret cannot be had');
      return holds ? 'kept' : undefined;
    }
  }

  /** True when it is another value than before. */
  #hold(reference: Reference, held: Held): boolean {
    const before = this.#held.get(reference.text);
    this.#held.set(reference.text, held);
    return before?.value !== held.value;
  }
}

/** References to the same secret together. */
function bySecret(references: readonly Reference[]): Iterable<readonly Stored[]> {
  const found = new Map<string, Stored[]>();
  for (const reference of references) {
    if (reference.kind === 'env' || reference.kind === 'malformed') continue;
    const place = `${reference.kind === 'vault' ? `vault/${reference.manager}` : 'local'}/${reference.path}`;
    const list = found.get(place);
    if (list) list.push(reference);
    else found.set(place, [reference]);
  }
  return found.values();
}
