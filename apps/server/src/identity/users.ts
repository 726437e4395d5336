/** Local people, for the built-in issuer: name, scrypt of the password, roles. For installations without an identity provider of their own. */
import { randomBytes, scrypt as scryptCallback, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { BailiwickError, type NewUser, type User } from '@bailiwick/contract';
import type { AuditService, NewFacts } from '../audit/audit-service.js';
import { encodeOutboxEntry } from '../policies/outbox.js';
import { outboxPrefix, ownPrefix } from '../policies/policy-model.js';
import type { KeyValueStore, Operation } from '../ports/key-value-store.port.js';

const scrypt = promisify(scryptCallback) as (
  password: string,
  salt: Buffer,
  length: number,
  options: { N: number; r: number; p: number },
) => Promise<Buffer>;
const cost = { N: 16_384, r: 8, p: 1 } as const;
const prefix = `${ownPrefix}users/`;

interface StoredUser extends User {
  /** Base64url. */
  readonly salt: string;
  readonly hash: string;
}

type Context = Pick<NewFacts, 'actor' | 'request_id' | 'client_ip'>;

export class Users {
  readonly #store: KeyValueStore;
  readonly #audit: AuditService;

  constructor(store: KeyValueStore, audit: AuditService) {
    this.#store = store;
    this.#audit = audit;
  }

  async find(name: string): Promise<User | undefined> {
    const stored = await this.#stored(name);
    return stored && shown(stored);
  }

  async list(): Promise<readonly User[]> {
    const { items } = await this.#store.range(prefix);
    return items.map((item) => shown(JSON.parse(item.value) as StoredUser));
  }

  /** Throws `user.exists`. */
  async create(request: NewUser, context: Context): Promise<User> {
    const salt = randomBytes(16);
    const user: User = {
      name: request.name,
      roles: request.roles ?? [],
      ...(request.project === undefined ? {} : { project: request.project }),
    };
    const stored: StoredUser = {
      ...user,
      salt: salt.toString('base64url'),
      hash: (await scrypt(request.password, salt, 32, cost)).toString('base64url'),
    };
    const result = await this.#store.transact(
      [{ key: prefix + user.name, modRevision: 0 }],
      [
        { kind: 'put', key: prefix + user.name, value: JSON.stringify(stored) },
        this.#fact('user.create', user.name, context),
      ],
    );
    if (!result.succeeded)
      throw new BailiwickError('conflict', {
        reason: 'user.exists',
        message: `There is a user '${user.name}' already. DELETE it first to set another password.`,
      });
    return user;
  }

  /** Throws `user.not_found`. */
  async remove(name: string, context: Context): Promise<void> {
    if (!(await this.#stored(name)))
      throw new BailiwickError('not-found', { reason: 'user.not_found', message: `There is no user '${name}'.` });
    await this.#store.transact([], [{ kind: 'delete', key: prefix + name }, this.#fact('user.remove', name, context)]);
  }

  /** The same time for a wrong name and a wrong password. */
  async verify(name: string, password: string): Promise<User | undefined> {
    const stored = await this.#stored(name);
    const salt = Buffer.from(stored?.salt ?? 'AAAAAAAAAAAAAAAAAAAAAA', 'base64url');
    const given = await scrypt(password, salt, 32, cost);
    const expected = Buffer.from(stored?.hash ?? '', 'base64url');
    return stored && expected.length === given.length && timingSafeEqual(expected, given) ? shown(stored) : undefined;
  }

  async #stored(name: string): Promise<StoredUser | undefined> {
    const item = /^[a-z0-9][a-z0-9._-]{0,62}$/.test(name) ? await this.#store.get(prefix + name) : undefined;
    return item && (JSON.parse(item.value) as StoredUser);
  }

  #fact(action: string, name: string, context: Context): Operation {
    const audit = this.#audit.complete({
      ...context,
      action,
      resource: `/api/v1/users/${name}`,
      etag_before: null,
      etag_after: null,
      result: 'success',
      chain: 'platform',
    });
    return { kind: 'put', key: `${outboxPrefix}platform/${audit.id}`, value: encodeOutboxEntry({ audit }) };
  }
}

const shown = ({ salt: _salt, hash: _hash, ...user }: StoredUser): User => user;
