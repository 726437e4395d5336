/**
 * The gateway's resources that are managed through the control plane, beside the file's: stored in the live store with their versions, each
 * change in one transaction with its audit record. Written under APISIX's own etcd keys too when a prefix is set, in the same transaction,
 * so that a real APISIX on that etcd sees exactly what was acknowledged. Validated by the same code as the file.
 */
import { randomUUID } from 'node:crypto';
import { BailiwickError } from '@bailiwick/contract';
import { encodeOutboxEntry, pendingEtag } from '../policies/outbox.js';
import { outboxPrefix, ownPrefix } from '../policies/policy-model.js';
import type { KeyValueStore, Operation, Watch } from '../ports/key-value-store.port.js';
import type { At } from './file-lines.js';
import { literalSecretIn } from './literal-secrets.js';
import type { PluginRegistry } from './plugin.js';
import { type GatewayFile, type ResourceKind, resourceKinds } from './resource-schemas.js';
import { validateResource, validateTogether } from './resource-validation.js';

const prefix = `${ownPrefix}gateway/resources/`;
const versionPrefix = `${ownPrefix}gateway/versions/`;

export interface ManagedResource {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly version: number;
  /** As it was written, without defaults. */
  readonly value: Readonly<Record<string, unknown>>;
  /** Its ETag without quotes. */
  readonly revision: number;
}

export interface ResourceVersion {
  readonly version: number;
  readonly ts: string;
  readonly actor: string;
  readonly action: 'create' | 'replace' | 'delete' | 'rollback';
  readonly value: Readonly<Record<string, unknown>> | null;
}

export interface ResourceContext {
  readonly actor: string;
  readonly request_id: string;
  readonly client_ip: string;
  readonly ifMatch?: string | undefined;
}

export type ResourceChange =
  | { readonly kind: 'put'; readonly value: Readonly<Record<string, unknown>> }
  | { readonly kind: 'delete' }
  | { readonly kind: 'rollback'; readonly version: number };

export interface ManagedResourcePorts {
  readonly store: KeyValueStore;
  readonly plugins: PluginRegistry;
  /** The file's resources, with which the managed ones must agree. */
  readonly base: () => GatewayFile;
  /** `/apisix`; empty: no keys for a real APISIX are written. */
  readonly apisixPrefix: string;
  readonly keptVersions: number;
  readonly nowMs: () => number;
}

interface Stored {
  readonly version: number;
  readonly value: Readonly<Record<string, unknown>>;
}

export class ManagedResources {
  readonly #ports: ManagedResourcePorts;
  readonly #items = new Map<string, ManagedResource>();
  readonly #listeners: (() => void)[] = [];
  #watch: Watch | undefined;

  constructor(ports: ManagedResourcePorts) {
    this.#ports = ports;
  }

  async start(): Promise<void> {
    const range = await this.#ports.store.range(prefix);
    for (const item of range.items) this.#take(item.key, item.value, item.modRevision);
    this.#watch = this.#ports.store.watch({
      prefix,
      afterRevision: range.revision,
      onBatch: ({ events }) => {
        for (const event of events) {
          if (event.kind === 'put') this.#take(event.item.key, event.item.value, event.item.modRevision);
          else this.#items.delete(event.key.slice(prefix.length));
        }
        for (const listener of this.#listeners) listener();
      },
      onResync: ({ items }) => {
        this.#items.clear();
        for (const item of items) this.#take(item.key, item.value, item.modRevision);
        for (const listener of this.#listeners) listener();
      },
    });
  }

  async stop(): Promise<void> {
    await this.#watch?.close();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  list(kind: ResourceKind): readonly ManagedResource[] {
    return [...this.#items.values()].filter((one) => one.kind === kind).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Throws `gateway.resource_not_found`. */
  async read(kind: ResourceKind, id: string): Promise<ManagedResource> {
    const found = await this.#current(kind, id);
    if (!found) throw notFound(kind, id);
    return found;
  }

  /** Newest first. */
  async versions(kind: ResourceKind, id: string): Promise<readonly ResourceVersion[]> {
    const { items } = await this.#ports.store.range(`${versionPrefix}${kind}/${id}/`);
    if (items.length === 0) throw notFound(kind, id);
    return items.map((item) => JSON.parse(item.value) as ResourceVersion).sort((a, b) => b.version - a.version);
  }

  /** The file with the managed resources beside it. Throws `gateway.resource_invalid` when they do not agree. */
  merged(file: GatewayFile, managed: Iterable<ManagedResource> = this.#items.values()): GatewayFile {
    const faults: string[] = [];
    const report = (at: At, message: string): void => void faults.push(`${at.slice(0, 2).join('.')}: ${message}`);
    const lists = Object.fromEntries(
      Object.keys(resourceKinds).map((kind) => [kind, [...file[kind as ResourceKind]]]),
    ) as Record<ResourceKind, unknown[]>;
    for (const one of managed) {
      const value = structuredClone(one.value) as Record<string, unknown>;
      if (validateResource(one.kind, value, this.#ports.plugins, [one.kind, one.id], report))
        lists[one.kind].push(value);
    }
    const whole = lists as unknown as GatewayFile;
    if (faults.length === 0) validateTogether(whole, report);
    if (faults.length === 0) return whole;
    throw new BailiwickError('invalid', {
      reason: 'gateway.resource_invalid',
      message: `The gateway cannot use this: ${faults.join('; ')}.`,
      extra: { faults },
    });
  }

  /** All managed resources as APISIX's lists, as they were written. */
  exported(): Readonly<Record<string, readonly unknown[]>> {
    const kinds = Object.keys(resourceKinds) as ResourceKind[];
    return Object.fromEntries(
      kinds.flatMap((kind) => {
        const list = this.list(kind).map((one) => one.value);
        return list.length === 0 ? [] : [[kind, list] as const];
      }),
    );
  }

  /** Resolves with what is in force now; undefined after a delete. If-Match is compared in the transaction itself. */
  async write(
    kind: ResourceKind,
    id: string,
    change: ResourceChange,
    context: ResourceContext,
  ): Promise<ManagedResource | undefined> {
    const { store } = this.#ports;
    const before = await this.#current(kind, id);
    assertPrecondition(kind, id, before, change, context.ifMatch);
    const value =
      change.kind === 'rollback'
        ? await this.#valueOf(kind, id, change.version)
        : change.kind === 'put'
          ? { ...change.value, [idField(kind)]: id }
          : undefined;
    const others = [...this.#items.values()].filter((one) => one.kind !== kind || one.id !== id);
    if (value) assertNoLiteralSecret(kind, value);
    this.merged(this.#ports.base(), value ? [...others, { kind, id, version: 0, value, revision: 0 }] : others);
    const history = await store.range(`${versionPrefix}${kind}/${id}/`, { keysOnly: true });
    const version =
      1 + Math.max(0, ...history.items.map((item) => Number(item.key.slice(item.key.lastIndexOf('/') + 1))));
    const action =
      change.kind === 'delete' ? 'delete' : change.kind === 'rollback' ? 'rollback' : before ? 'replace' : 'create';
    const ts = new Date(this.#ports.nowMs()).toISOString();
    const record: ResourceVersion = { version, ts, actor: context.actor, action, value: value ?? null };
    const key = `${prefix}${kind}/${id}`;
    const dropped = history.items
      .slice(0, Math.max(0, history.items.length + 1 - this.#ports.keptVersions))
      .map((item) => item.key);
    const result = await store.transact(
      [
        { key, modRevision: before?.revision ?? 0 },
        { key: versionKey(kind, id, version), modRevision: 0 },
      ],
      [
        value
          ? { kind: 'put', key, value: JSON.stringify({ version, value } satisfies Stored) }
          : { kind: 'delete', key },
        { kind: 'put', key: versionKey(kind, id, version), value: JSON.stringify(record) },
        {
          kind: 'put',
          key: `${outboxPrefix}gateway/${randomUUID()}`,
          value: auditEntry(kind, id, record, { context, before }),
        },
        ...this.#apisixOperations(kind, id, value),
        ...dropped.map((old): Operation => ({ kind: 'delete', key: old })),
      ],
    );
    if (!result.succeeded) throw conflict(kind, id, await this.#current(kind, id));
    return value && { kind, id, version, value, revision: result.revision };
  }

  /** APISIX's layout: `/apisix/routes/ID` and so on, JSON. */
  #apisixOperations(kind: ResourceKind, id: string, value: object | undefined): readonly Operation[] {
    if (this.#ports.apisixPrefix === '') return [];
    const key = `${this.#ports.apisixPrefix.replace(/\/$/, '')}/${kind}/${id}`;
    if (!value) return [{ kind: 'delete', key }];
    const seconds = Math.floor(this.#ports.nowMs() / 1000);
    return [{ kind: 'put', key, value: JSON.stringify({ create_time: seconds, update_time: seconds, ...value, id }) }];
  }

  async #current(kind: ResourceKind, id: string): Promise<ManagedResource | undefined> {
    const item = await this.#ports.store.get(`${prefix}${kind}/${id}`);
    return item && { kind, id, ...(JSON.parse(item.value) as Stored), revision: item.modRevision };
  }

  async #valueOf(kind: ResourceKind, id: string, version: number): Promise<Readonly<Record<string, unknown>>> {
    const item = await this.#ports.store.get(versionKey(kind, id, version));
    const value = item ? (JSON.parse(item.value) as ResourceVersion).value : null;
    if (!value)
      throw new BailiwickError('not-found', {
        reason: 'gateway.version_not_found',
        message: `There is no version ${version} of ${resourcePath(kind, id)} to go back to.`,
      });
    return value;
  }

  #take(key: string, text: string, revision: number): void {
    const name = key.slice(prefix.length);
    const slash = name.indexOf('/');
    const stored = JSON.parse(text) as Stored;
    this.#items.set(name, {
      kind: name.slice(0, slash) as ResourceKind,
      id: name.slice(slash + 1),
      ...stored,
      revision,
    });
  }
}

const idField = (kind: ResourceKind): string => (kind === 'consumers' ? 'username' : 'id');
const resourcePath = (kind: ResourceKind, id: string): string => `/api/v1/gateway/resources/${kind}/${id}`;
const versionKey = (kind: ResourceKind, id: string, version: number): string =>
  `${versionPrefix}${kind}/${id}/${String(version).padStart(8, '0')}`;

function auditEntry(
  kind: ResourceKind,
  id: string,
  record: ResourceVersion,
  about: { readonly context: ResourceContext; readonly before: ManagedResource | undefined },
): string {
  const { actor, request_id, client_ip } = about.context;
  return encodeOutboxEntry({
    audit: {
      id: randomUUID(),
      ts: record.ts,
      actor,
      action: `gateway.${record.action}`,
      resource: resourcePath(kind, id),
      etag_before: about.before ? String(about.before.revision) : null,
      etag_after: record.value ? pendingEtag : null,
      result: 'success',
      request_id,
      client_ip,
      chain: 'platform',
    },
  });
}

function assertPrecondition(
  kind: ResourceKind,
  id: string,
  before: ManagedResource | undefined,
  change: ResourceChange,
  ifMatch: string | undefined,
): void {
  if (!before && change.kind === 'delete') throw notFound(kind, id);
  if (before && ifMatch === undefined)
    throw new BailiwickError('conflict', {
      reason: 'gateway.if_match_required',
      message: `${resourcePath(kind, id)} exists; changing it needs If-Match with its ETag. GET it first and send the ETag you saw.`,
      extra: { etag: `"${before.revision}"` },
    });
  const wanted = ifMatch?.split(',').map((one) => one.trim().replace(/^"|"$/g, ''));
  if (wanted && !wanted.includes('*') && !wanted.includes(String(before?.revision ?? '')))
    throw conflict(kind, id, before);
}

function assertNoLiteralSecret(kind: ResourceKind, value: Readonly<Record<string, unknown>>): void {
  const found = literalSecretIn(kind, value);
  if (!found) return;
  throw new BailiwickError('invalid', {
    reason: 'gateway.literal_secret',
    message: `${found.join('.')} is a secret in plain text. Put it in a secret store and refer to it by $secret://… or $env://….`,
  });
}

const notFound = (kind: ResourceKind, id: string): BailiwickError =>
  new BailiwickError('not-found', {
    reason: 'gateway.resource_not_found',
    message: `There is no managed resource ${resourcePath(kind, id)}. PUT it to create it; what stands in the file is not managed here.`,
  });

const conflict = (kind: ResourceKind, id: string, now: ManagedResource | undefined): BailiwickError =>
  new BailiwickError('conflict', {
    reason: 'gateway.version_conflict',
    message: `${resourcePath(kind, id)} was changed by somebody else. GET it, look at what changed, and try again.`,
    extra: now ? { etag: `"${now.revision}"` } : {},
  });
