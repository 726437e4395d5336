/** The conditions a scope may put on writes: nobody locks himself out of the platform; a clean check; a second person's approval. */
import { createHash, randomUUID } from 'node:crypto';
import { BailiwickError } from '@bailiwick/contract';
import { parseJson } from '@bailiwick/rego';
import { judge } from '../decisions/decision.js';
import { buildInput } from '../decisions/decision-service.js';
import type { ImpactService } from '../decisions/impact.js';
import type { KeyValueStore } from '../ports/key-value-store.port.js';
import type { PolicyName } from '../ports/policy-archive.port.js';
import { ownPrefix, policyPath } from './policy-model.js';
import type { ProposedWrite, WriteCondition } from './policy-service.js';

const nothingMore = { conditions: [], operations: [] } as const;

/** Is `name` meant by a list of scopes: `platform`, `projects` (all of them), or a project's name? */
export function isInScope(name: PolicyName, scopes: readonly string[]): boolean {
  return scopes.includes(name) || (name !== 'platform' && scopes.includes('projects'));
}

/** A platform policy under which its own author could not change it any more is refused (unless the break-glass setting is on). */
export const lockoutProtection: WriteCondition = {
  check: async ({ name, context, content }) => {
    if (name !== 'platform') return nothingMore;
    const caller = { actor: context.actor, claims: context.claims };
    const input = buildInput({
      caller,
      method: 'PUT',
      path: '/policies/platform',
      headers: {},
      query: {},
      project: undefined,
      requestId: context.requestId,
      action: 'policy.write',
    });
    const state = content && ({ kind: 'ready', world: content.world } as const);
    const verdict = judge(state, undefined, {
      input,
      project: undefined,
      claimedProject: undefined,
      isControlPlane: true,
    });
    if (verdict.allowed) return nothingMore;
    throw new BailiwickError('invalid', {
      reason: 'policy.lockout',
      message: `Under this platform policy you (${context.actor}) could not change it any more${verdict.error === undefined ? '' : `: ${verdict.error}`}. Keep yourself allowed, or start with BAILIWICK_BREAK_GLASS=true to force it.`,
    });
  },
};

/** A write needs a replay without flips, or the author's word that he has seen exactly those there are. */
export function cleanCheck(impact: ImpactService, scopes: readonly string[], replayed: number): WriteCondition {
  return {
    check: async ({ name, context, content }) => {
      if (!isInScope(name, scopes)) return nothingMore;
      const { flips } = await impact.assess(name, content?.world, parseJson(content?.dataText ?? '{}'), replayed);
      if (flips.length === 0 || flips.length === context.acknowledgedFlips) return nothingMore;
      throw new BailiwickError('conflict', {
        reason: 'policy.check_not_clean',
        message: `${flips.length} of the last logged decisions would come out differently, and this scope requires a clean check. Look at them (POST ${policyPath(name)}/check); if they are meant, send ?acknowledge_flips=${flips.length}.`,
        extra: { flips: flips.slice(0, 20) },
      });
    },
  };
}

export interface Approval {
  readonly id: string;
  readonly policy: PolicyName;
  /** SHA-256 over the policy's name and the content; an edit makes another hash and so voids the approval. */
  readonly content_hash: string;
  readonly requested_by: string;
  readonly requested_at: string;
  readonly approved_by?: string;
  readonly approved_at?: string;
}

const approvalPrefix = `${ownPrefix}approvals/`;

/** The two-person rule, enforced in the one write path: the proposal is kept, somebody else approves it, the same write then passes once. */
export class Approvals implements WriteCondition {
  readonly #store: KeyValueStore;
  readonly #scopes: readonly string[];
  readonly #nowMs: () => number;

  constructor(store: KeyValueStore, scopes: readonly string[], nowMs: () => number = Date.now) {
    this.#store = store;
    this.#scopes = scopes;
    this.#nowMs = nowMs;
  }

  async check({ name, context, content }: ProposedWrite): ReturnType<WriteCondition['check']> {
    if (!isInScope(name, this.#scopes)) return nothingMore;
    const hash = createHash('sha256')
      .update(JSON.stringify([name, content?.rego ?? null, content?.dataText ?? null]))
      .digest('hex');
    const { items } = await this.#store.range(`${approvalPrefix}${hash}/`);
    const known = items.map((item) => ({ item, approval: JSON.parse(item.value) as Approval }));
    const usable = known.find(
      ({ approval }) =>
        approval.approved_by !== undefined &&
        approval.approved_by !== context.actor &&
        approval.requested_by === context.actor,
    );
    if (usable) {
      return {
        conditions: [{ key: usable.item.key, modRevision: usable.item.modRevision }],
        operations: [{ kind: 'delete', key: usable.item.key }],
      };
    }
    const waiting =
      known.find(({ approval }) => approval.requested_by === context.actor)?.approval ??
      (await this.#propose(name, hash, context.actor));
    throw new BailiwickError('conflict', {
      reason: 'policy.approval_required',
      message: `Changes of ${policyPath(name)} need a second person's approval. Somebody else sends POST /api/v1/approvals/${waiting.id}/approve; then repeat this very request.`,
      extra: { approval: waiting },
    });
  }

  async #propose(policy: PolicyName, hash: string, actor: string): Promise<Approval> {
    const approval: Approval = {
      id: `${hash.slice(0, 12)}-${randomUUID()}`,
      policy,
      content_hash: hash,
      requested_by: actor,
      requested_at: new Date(this.#nowMs()).toISOString(),
    };
    await this.#store.transact(
      [],
      [{ kind: 'put', key: `${approvalPrefix}${hash}/${approval.id}`, value: JSON.stringify(approval) }],
    );
    return approval;
  }

  async list(): Promise<readonly Approval[]> {
    const { items } = await this.#store.range(approvalPrefix);
    return items
      .map((item) => JSON.parse(item.value) as Approval)
      .sort((a, b) => b.requested_at.localeCompare(a.requested_at));
  }

  /** Throws `approval.not_found`, `approval.own` when the author approves himself. */
  async approve(id: string, actor: string): Promise<Approval> {
    const { items } = await this.#store.range(approvalPrefix);
    const found = items.find((item) => item.key.endsWith(`/${id}`));
    if (!found)
      throw new BailiwickError('not-found', {
        reason: 'approval.not_found',
        message: `No change waits for an approval with the id ${id}.`,
      });
    const approval = JSON.parse(found.value) as Approval;
    if (approval.requested_by === actor)
      throw new BailiwickError('forbidden', {
        reason: 'approval.own',
        message: 'You asked for this change yourself; somebody else has to approve it.',
      });
    const approved: Approval = { ...approval, approved_by: actor, approved_at: new Date(this.#nowMs()).toISOString() };
    const result = await this.#store.transact(
      [{ key: found.key, modRevision: found.modRevision }],
      [{ kind: 'put', key: found.key, value: JSON.stringify(approved) }],
    );
    if (!result.succeeded)
      throw new BailiwickError('conflict', {
        reason: 'approval.changed',
        message: 'The proposal was changed at the same moment. Try again.',
      });
    return approved;
  }
}
