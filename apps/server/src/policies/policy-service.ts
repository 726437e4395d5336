/**
 * Reading and writing policies. One write path for PUT, PATCH, DELETE and rollback: preconditions → sound? → conditions of the scope →
 * one transaction that holds the pair of keys, the version counter and the outbox entry. If-Match is compared inside that transaction.
 */
import { randomUUID } from 'node:crypto';
import { BailiwickError, parseEtags, quoteEtag, type WriteReceipt } from '@bailiwick/contract';
import type { Value } from '@bailiwick/rego';
import type { Enforcer } from '../decisions/enforcer.js';
import type { World, WorldCompiler } from '../decisions/world.js';
import type { Compare, KeyValue, KeyValueStore, Operation } from '../ports/key-value-store.port.js';
import type { Page, PolicyArchive, PolicyName, PolicyVersion } from '../ports/policy-archive.port.js';
import type { IdempotencyKeys, Reservation } from './idempotency.js';
import { decodeOutboxEntry, encodeOutboxEntry, type PendingVersion, pendingEtag } from './outbox.js';
import {
  assertPolicyName,
  dataKey,
  outboxPrefix,
  type PolicyDocument,
  parsePolicyKey,
  policyFolder,
  policyPath,
  policyPrefix,
  regoKey,
  scopeOf,
  versionKey,
} from './policy-model.js';
import { assertSound, assertWithinLimits, type Limits, tryPolicy } from './policy-validation.js';

/** Who writes and on what condition. */
export interface WriteContext {
  readonly actor: string;
  /** The author's verified claims: under a new platform policy he must stay able to change it. */
  readonly claims: Readonly<Record<string, Value>>;
  readonly requestId: string;
  readonly clientIp: string;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** The number of flips the author has seen and accepts, where the scope demands a clean check. */
  readonly acknowledgedFlips?: number | undefined;
}

export type Change =
  | { readonly kind: 'put'; readonly rego: string; readonly dataText: string }
  | { readonly kind: 'patch'; readonly rego?: string | undefined; readonly dataText?: string | undefined }
  | { readonly kind: 'delete' }
  | { readonly kind: 'rollback'; readonly version: number };

export interface WriteOutcome {
  readonly receipt: WriteReceipt;
  readonly isNew: boolean;
  readonly isReplay: boolean;
}

/** Asked before a write is stored; throws the refusal. Conditions of a scope (lockout, clean check, approval) plug in here. */
export interface WriteCondition {
  /** Operations and conditions that join the write's transaction (an approval is used up). */
  check(
    write: ProposedWrite,
  ): Promise<{ readonly conditions: readonly Compare[]; readonly operations: readonly Operation[] }>;
}

export interface ProposedWrite {
  readonly name: PolicyName;
  readonly context: WriteContext;
  /** Undefined for a delete. */
  readonly content: { readonly rego: string; readonly dataText: string; readonly world: World } | undefined;
}

export interface PolicyServicePorts {
  readonly store: KeyValueStore;
  readonly archive: PolicyArchive;
  readonly enforcer: Enforcer;
  readonly compiler: WorldCompiler;
  readonly idempotency: IdempotencyKeys;
  readonly conditions: readonly WriteCondition[];
  readonly limits: Limits;
  readonly nowMs: () => number;
}

interface Current {
  readonly document: PolicyDocument | undefined;
  readonly regoRevision: number;
  readonly dataRevision: number;
  readonly version: number;
  readonly versionRevision: number;
}

type Action = PolicyVersion['action'];

export class PolicyService {
  readonly #ports: PolicyServicePorts;

  constructor(ports: PolicyServicePorts) {
    this.#ports = ports;
  }

  /** Throws `policy.not_found`. */
  async read(name: PolicyName): Promise<PolicyDocument> {
    assertPolicyName(name);
    const { document } = await this.#current(name);
    if (!document) throw notFound(name);
    return document;
  }

  /** The names of all policies, `platform` among them. */
  async names(): Promise<readonly PolicyName[]> {
    const { items } = await this.#ports.store.range(policyPrefix, { keysOnly: true });
    return [...new Set(items.flatMap((item) => parsePolicyKey(item.key)?.name ?? []))].sort();
  }

  async write(name: PolicyName, change: Change, context: WriteContext): Promise<WriteOutcome> {
    assertPolicyName(name);
    if (context.idempotencyKey === undefined) return await this.#write(name, change, context, undefined);
    const fingerprint = JSON.stringify([name, change, context.ifMatch ?? null, context.ifNoneMatch ?? null]);
    const admission = await this.#ports.idempotency.admit(context.actor, context.idempotencyKey, fingerprint);
    if (admission.kind === 'replay') {
      const { policy, version, status } = admission.write;
      return { receipt: receiptOf(policy, version, admission.revision), isNew: status === 201, isReplay: true };
    }
    try {
      return await this.#write(name, change, context, admission.reservation);
    } finally {
      await admission.reservation.release();
    }
  }

  /**
   * Everything that a write of this content would be refused for, conditions of the scope included, without writing it: for a rollout, which
   * writes it later. An approval that it needs is used up. Returns the revision it was checked on.
   */
  async review(name: PolicyName, content: { rego: string; dataText: string }, context: WriteContext): Promise<number> {
    assertPolicyName(name);
    const { document } = await this.#current(name);
    if (!document) throw notFound(name);
    const world = await this.#validate(name, content);
    const proposed: ProposedWrite = { name, context, content: { ...content, world } };
    const joined = await Promise.all(this.#ports.conditions.map((condition) => condition.check(proposed)));
    const operations = joined.flatMap((part) => part.operations);
    if (operations.length > 0) {
      const conditions = joined.flatMap((part) => part.conditions);
      const result = await this.#ports.store.transact(conditions, operations);
      if (!result.succeeded) throw await this.#lostRace(name, context);
    }
    return document.revision;
  }

  /** Writes what was reviewed on `baseRevision`. `changed`: the policy is not what it was then. Writing it twice changes nothing. */
  async adopt(
    name: PolicyName,
    content: { rego: string; dataText: string },
    baseRevision: number,
    context: WriteContext,
  ): Promise<'adopted' | 'changed'> {
    const { document } = await this.#current(name);
    if (document?.rego === content.rego && document.dataText === content.dataText) return 'adopted';
    if (document?.revision !== baseRevision) return 'changed';
    const change: Change = { kind: 'put', ...content };
    const ifMatch = `"${baseRevision}"`;
    await this.#write(name, change, { ...context, ifMatch }, undefined, []);
    return 'adopted';
  }

  async #write(
    name: PolicyName,
    change: Change,
    context: WriteContext,
    reservation: Reservation | undefined,
    conditions: readonly WriteCondition[] = this.#ports.conditions,
  ): Promise<WriteOutcome> {
    const current = await this.#current(name);
    assertPreconditions(name, change, context, current.document);
    const { content, action, rolledBackTo } = await this.#resolve(name, change, current);
    const world = content ? await this.#validate(name, content) : undefined;
    const proposed: ProposedWrite = { name, context, content: content && world ? { ...content, world } : undefined };
    const joined = await Promise.all(conditions.map((condition) => condition.check(proposed)));

    const version = current.version + 1;
    const record = this.#record(name, { action, rolledBackTo, version, content, context, before: current.document });
    const isNew = current.document === undefined;
    const result = await this.#ports.store.transact(
      [
        { key: regoKey(name), modRevision: current.regoRevision },
        { key: dataKey(name), modRevision: current.dataRevision },
        { key: versionKey(name), modRevision: current.versionRevision },
        ...joined.flatMap((part) => part.conditions),
        ...(reservation ? [reservation.condition] : []),
      ],
      [
        ...pairOperations(name, content),
        { kind: 'put', key: versionKey(name), value: String(version) },
        { kind: 'put', key: `${outboxPrefix}${name}/${randomUUID()}`, value: record },
        ...joined.flatMap((part) => part.operations),
        ...(reservation ? [reservation.remember({ status: isNew ? 201 : 200, policy: name, version })] : []),
      ],
    );
    if (!result.succeeded) throw await this.#lostRace(name, context);
    return { receipt: receiptOf(name, version, result.revision), isNew, isReplay: false };
  }

  async #validate(name: PolicyName, content: { rego: string; dataText: string }): Promise<World> {
    assertWithinLimits(content.rego, content.dataText, this.#ports.limits);
    await this.#ports.compiler.prepare(name, content);
    return assertSound(tryPolicy(this.#ports.compiler, name, content, this.#ports.enforcer.platformData));
  }

  /** What the policy shall be, undefined for deleted. */
  async #resolve(
    name: PolicyName,
    change: Change,
    current: Current,
  ): Promise<{ content: { rego: string; dataText: string } | undefined; action: Action; rolledBackTo?: number }> {
    switch (change.kind) {
      case 'put':
        return {
          content: { rego: change.rego, dataText: change.dataText },
          action: current.document ? 'replace' : 'create',
        };
      case 'patch':
        return {
          content: {
            rego: change.rego ?? current.document?.rego ?? '',
            dataText: change.dataText ?? current.document?.dataText ?? '{}',
          },
          action: 'patch',
        };
      case 'delete':
        return { content: undefined, action: 'delete' };
      case 'rollback': {
        const target = await this.version(name, change.version);
        if (target.action === 'delete') {
          throw new BailiwickError('invalid', {
            reason: 'policy.version_is_deletion',
            message: `Version ${change.version} is the deletion of the policy and has no content. Choose an earlier version, or DELETE the policy.`,
          });
        }
        return {
          content: { rego: target.rego, dataText: target.dataText },
          action: 'rollback',
          rolledBackTo: change.version,
        };
      }
    }
  }

  #record(
    name: PolicyName,
    facts: {
      action: Action;
      rolledBackTo: number | undefined;
      version: number;
      content: { rego: string; dataText: string } | undefined;
      context: WriteContext;
      before: PolicyDocument | undefined;
    },
  ): string {
    const ts = new Date(this.#ports.nowMs()).toISOString();
    const version: PendingVersion = {
      scope: scopeOf(name),
      ...(name === 'platform' ? {} : { project: name }),
      version: facts.version,
      ts,
      actor: facts.context.actor,
      action: facts.action,
      ...(facts.rolledBackTo === undefined ? {} : { rolledBackTo: facts.rolledBackTo }),
      rego: facts.content?.rego ?? '',
      dataText: facts.content?.dataText ?? '{}',
    };
    return encodeOutboxEntry({
      version,
      audit: {
        id: randomUUID(),
        ts,
        actor: facts.context.actor,
        action: `policy.${facts.action}`,
        resource: policyPath(name),
        etag_before: facts.before ? String(facts.before.revision) : null,
        etag_after: facts.content ? pendingEtag : null,
        result: 'success',
        request_id: facts.context.requestId,
        client_ip: facts.context.clientIp,
        chain: name,
        ...(facts.rolledBackTo === undefined ? {} : { detail: `content of version ${facts.rolledBackTo}` }),
      },
    });
  }

  async #lostRace(name: PolicyName, context: WriteContext): Promise<BailiwickError> {
    const { document } = await this.#current(name);
    return versionConflict(name, document, context.ifMatch ?? '(none)');
  }

  /** Newest first; what the outbox still holds comes before the archive, so a write is listed as soon as it is acknowledged. */
  async versions(
    name: PolicyName,
    options: { limit: number; cursor?: string | undefined },
  ): Promise<Page<PolicyVersion>> {
    assertPolicyName(name);
    const pending = options.cursor === undefined ? await this.#pending(name) : [];
    const archived = await this.#archivedOr(name, options, pending.length > 0);
    const known = new Set(archived.items.map((item) => item.version));
    const fresh = pending.filter((item) => !known.has(item.version)).sort((a, b) => b.version - a.version);
    if (fresh.length === 0 && archived.items.length === 0 && options.cursor === undefined) throw notFound(name);
    return { ...archived, items: [...fresh, ...archived.items] };
  }

  /** The archive may be away while the outbox still answers for the newest versions. */
  async #archivedOr(
    name: PolicyName,
    options: { limit: number; cursor?: string | undefined },
    hasPending: boolean,
  ): Promise<Page<PolicyVersion>> {
    try {
      return await this.#ports.archive.list(name, {
        limit: options.limit,
        ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
      });
    } catch (error) {
      if (hasPending) return { items: [] };
      throw error;
    }
  }

  /** Throws `policy.version_not_found`. */
  async version(name: PolicyName, number: number): Promise<PolicyVersion> {
    assertPolicyName(name);
    const pending = (await this.#pending(name)).find((item) => item.version === number);
    if (pending) return pending;
    const archived = await this.#ports.archive.get(name, number);
    if (archived) return archived;
    throw new BailiwickError('not-found', {
      reason: 'policy.version_not_found',
      message: `There is no version ${number} of ${policyPath(name)}, or it is older than the versions kept. GET ${policyPath(name)}/versions lists them.`,
    });
  }

  async #pending(name: PolicyName): Promise<readonly PolicyVersion[]> {
    const { items } = await this.#ports.store.range(`${outboxPrefix}${name}/`);
    return items.flatMap((item) => {
      const { version } = decodeOutboxEntry(item.value);
      return version ? [{ ...version, etag: String(item.modRevision) }] : [];
    });
  }

  async #current(name: PolicyName): Promise<Current> {
    const [range, counter] = await Promise.all([
      this.#ports.store.range(policyFolder(name)),
      this.#ports.store.get(versionKey(name)),
    ]);
    const rego = range.items.find((item) => item.key === regoKey(name));
    const data = range.items.find((item) => item.key === dataKey(name));
    return {
      document: rego ? documentOf(rego, data) : undefined,
      regoRevision: rego?.modRevision ?? 0,
      dataRevision: data?.modRevision ?? 0,
      version: counter ? Number(counter.value) : 0,
      versionRevision: counter?.modRevision ?? 0,
    };
  }
}

const documentOf = (rego: KeyValue, data: KeyValue | undefined): PolicyDocument => ({
  rego: rego.value,
  dataText: data?.value ?? '{}',
  revision: Math.max(rego.modRevision, data?.modRevision ?? 0),
});

function pairOperations(
  name: PolicyName,
  content: { rego: string; dataText: string } | undefined,
): readonly Operation[] {
  if (!content) {
    return [
      { kind: 'delete', key: regoKey(name) },
      { kind: 'delete', key: dataKey(name) },
    ];
  }
  return [
    { kind: 'put', key: regoKey(name), value: content.rego },
    { kind: 'put', key: dataKey(name), value: content.dataText },
  ];
}

const receiptOf = (name: PolicyName, version: number, revision: number): WriteReceipt => ({
  policy: name,
  version,
  etag: quoteEtag(revision),
  revision,
});

/** Early answers; the transaction compares again, so a race cannot slip between. */
function assertPreconditions(
  name: PolicyName,
  change: Change,
  context: WriteContext,
  current: PolicyDocument | undefined,
): void {
  if (!current) {
    if (change.kind !== 'put') throw notFound(name);
    if (context.ifMatch !== undefined) throw versionConflict(name, undefined, context.ifMatch);
    return;
  }
  if (context.ifNoneMatch !== undefined) {
    const refused = parseEtags(context.ifNoneMatch);
    if (refused === '*' || refused.includes(String(current.revision))) {
      throw new BailiwickError('conflict', {
        reason: 'policy.exists',
        message: `${policyPath(name)} exists already, and If-None-Match asks that it does not. Drop the header and send If-Match to replace it.`,
        extra: { etag: quoteEtag(current.revision) },
      });
    }
  }
  if (context.ifMatch === undefined) {
    throw new BailiwickError('conflict', {
      reason: 'policy.if_match_required',
      message: `${policyPath(name)} exists; changing it needs If-Match with its ETag. GET it first and send the ETag you saw.`,
      extra: { etag: quoteEtag(current.revision) },
    });
  }
  const wanted = parseEtags(context.ifMatch);
  if (wanted !== '*' && !wanted.includes(String(current.revision)))
    throw versionConflict(name, current, context.ifMatch);
}

function versionConflict(name: PolicyName, current: PolicyDocument | undefined, wanted: string): BailiwickError {
  const now = current ? `its ETag is ${quoteEtag(current.revision)} now` : 'it does not exist now';
  return new BailiwickError('conflict', {
    reason: 'policy.version_conflict',
    message: `${policyPath(name)} was changed by somebody else: If-Match was ${wanted}, ${now}. GET it, look at what changed, and try again.`,
    extra: current ? { etag: quoteEtag(current.revision) } : {},
  });
}

function notFound(name: PolicyName): BailiwickError {
  return new BailiwickError('not-found', {
    reason: 'policy.not_found',
    message: `There is no policy ${policyPath(name)}. PUT it to create it.`,
  });
}
