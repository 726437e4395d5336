/**
 * The one write path of configuration. A write is a plan: a function of the state that says which resources change. It is made on the
 * newest state and committed against that state's revision; when another instance wrote in between, the state is brought
 * up to date and the plan is made anew. So what a plan checks (a key that is free, an ETag, a schema, an approval) still holds
 * at the moment of the commit. Writes of one instance wait for each other.
 */
import { randomUUID } from 'node:crypto';
import { type AuditFacts, BailiwickError } from '@bailiwick/contract';
import type { ResourceChange, ResourceKind, ResourceStore, ResourceWrite } from '../ports/resource-store.port.js';
import { ApprovalNeeded, proposeAndRefuse } from './config-approvals.js';
import type { Item } from './config-content.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import {
  type Plan,
  type PlannedChange,
  type WriteContext,
  type WriteRule,
  type Written,
  WrittenBefore,
} from './write-plan.js';

export type { Plan, PlannedChange, WriteContext, WriteRule, Written } from './write-plan.js';

export interface WriterParts {
  readonly store: ResourceStore;
  readonly feed: ConfigurationFeed;
  readonly nowMs: () => number;
  /** After a commit, once the state holds it. */
  readonly onCommitted?: (written: Written) => void;
}

const maxAttempts = 20;

export class ConfigurationWriter {
  readonly #parts: WriterParts;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /** Errors: whatever plan and rules throw; `store.unavailable`; `configuration.busy` when others keep coming first. */
  async write(context: WriteContext, plan: Plan, rules: readonly WriteRule[] = []): Promise<Written> {
    const mine = this.#tail.then(() => this.#writeOrPropose(context, plan, rules));
    this.#tail = mine.catch(() => undefined);
    return await mine;
  }

  async #writeOrPropose(context: WriteContext, plan: Plan, rules: readonly WriteRule[]): Promise<Written> {
    try {
      return await this.#write(context, plan, rules);
    } catch (error) {
      if (!(error instanceof ApprovalNeeded)) throw error;
      // The proposal is not the write: that one may still come with the same key.
      const { once: _once, ...proposing } = context;
      return await proposeAndRefuse(error, this.#parts.feed.state, async (changes) => {
        const { items } = await this.#write(proposing, () => changes, []);
        return items;
      });
    }
  }

  async #write(context: WriteContext, plan: Plan, rules: readonly WriteRule[]): Promise<Written> {
    const { store, feed } = this.#parts;
    if (feed.isStale) await feed.wake();
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const { state } = feed;
      const baseRevision = state.revision;
      const changes = await this.#planned(context, plan, rules);
      if (changes.length === 0) return { revision: baseRevision, items: [] };
      if (changes.length > 5_000) throw tooMany(changes.length);
      const made = changes.map((change) => this.#make(change, context));
      const result = await store.commit({
        baseRevision,
        changes: made.map((one) => one.change),
        audit: made.map((one) => one.facts),
        ...this.#remembering(context, {
          revision: baseRevision + 1,
          items: made.map((one) => itemOf(one.change, baseRevision + 1)),
        }),
      });
      if (result.kind === 'remembered') throw new WrittenBefore(result.answer);
      if (result.kind === 'outdated') {
        await feed.whenReached(result.revision, 5_000);
        continue;
      }
      const versions = made.map(({ change: { resource, action, rolledBackTo } }, place) => {
        const { createdAt: _at, createdBy: _by, ...version } = resource;
        return { ...version, place, action, rolledBackTo: rolledBackTo ?? null, revision: result.revision };
      });
      feed.take(versions, result.revision);
      const items = made.map((one) => itemOf(one.change, result.revision));
      const written = { revision: result.revision, items };
      this.#parts.onCommitted?.(written);
      return written;
    }
    throw new BailiwickError('unavailable', {
      reason: 'configuration.busy',
      message: 'Others keep changing the configuration at the same moment. Nothing was written; try again.',
      retryAfterSeconds: 1,
    });
  }

  /** A plan that is refused may be one that was carried out before: then its first answer counts. */
  async #planned(context: WriteContext, plan: Plan, rules: readonly WriteRule[]): Promise<readonly PlannedChange[]> {
    const { store, feed, nowMs } = this.#parts;
    const { state } = feed;
    try {
      let changes = await plan(state);
      for (const rule of rules) changes = [...changes, ...(await rule.check(changes, state, context))];
      return changes;
    } catch (error) {
      const before = context.once && (await store.remembered(context.once.key));
      if (before !== undefined && before.expiresMs > nowMs()) throw new WrittenBefore(before);
      throw error;
    }
  }

  #remembering({ once }: WriteContext, written: Written): Pick<ResourceWrite, 'remember'> {
    if (once === undefined) return {};
    const { answer, ...about } = once;
    return { remember: { ...about, answer: answer(written), nowMs: this.#parts.nowMs() } };
  }

  #make(change: PlannedChange, context: WriteContext): { change: ResourceChange; facts: AuditFacts } {
    const ts = new Date(this.#parts.nowMs()).toISOString();
    const who = { updatedAt: ts, updatedBy: context.actor };
    if (change.op === 'create') {
      const { kind, scope, key, content, action = 'create' } = change;
      const id = change.id ?? randomUUID();
      const place = { kind, id, appId: scope.appId, environment: scope.environment, key, version: 1 };
      const resource = { ...place, content: JSON.stringify(content), createdAt: ts, createdBy: context.actor, ...who };
      return { change: { resource, action }, facts: this.#facts(context, ts, resource, action, null) };
    }
    const { item } = change;
    const isDelete = change.op === 'delete';
    const action = change.action ?? (isDelete ? 'delete' : 'replace');
    const content = isDelete ? null : JSON.stringify(change.content);
    const { revision, ...rest } = item;
    const resource = { ...rest, version: item.version + 1, content, ...who };
    const rolledBackTo = change.op === 'replace' ? change.rolledBackTo : undefined;
    return {
      change: { resource, action, ...(rolledBackTo === undefined ? {} : { rolledBackTo }) },
      facts: this.#facts(context, ts, resource, action, String(revision)),
    };
  }

  #facts(
    context: WriteContext,
    ts: string,
    resource: { readonly kind: ResourceKind; readonly id: string; readonly content: string | null },
    action: string,
    etagBefore: string | null,
  ): AuditFacts {
    return {
      id: randomUUID(),
      ts,
      actor: context.actor,
      action: `${resource.kind}.${action}`,
      resource: `/api/v1/${resource.kind}s/${resource.id}`,
      etag_before: etagBefore,
      etag_after: resource.content === null ? null : 'pending',
      result: 'success',
      request_id: context.requestId,
      client_ip: context.clientIp,
      chain: 'platform',
    };
  }
}

function itemOf({ resource }: ResourceChange, revision: number): Item<unknown> {
  const { content, ...rest } = resource;
  return { ...rest, revision, content: content === null ? undefined : (JSON.parse(content) as unknown) };
}

const tooMany = (count: number): BailiwickError =>
  new BailiwickError('too-large', {
    reason: 'configuration.too_many_changes',
    message: `One write may change 5000 resources; this one would change ${count}. Split it.`,
  });
