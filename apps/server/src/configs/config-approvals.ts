/**
 * The two-person rule for configuration, enforced in the one write path. A write to a scope that needs it is kept as a proposal: who, and a
 * fingerprint of exactly what would change. Somebody else approves it; the same write by the same person then passes once. Any other
 * content, and any change of what it was based on, has another fingerprint and needs its own approval.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { BailiwickError } from '@bailiwick/contract';
import type { ConfigContentStored, Item } from './config-content.js';
import type { ConfigurationState } from './configuration-state.js';
import type { ValueCipher } from './value-cipher.js';
import type { PlannedChange, WriteContext, WriteRule } from './write-plan.js';

export interface ApprovalContent {
  readonly fingerprint: string;
  /** What would change, in words: `replace config shop/prod a.b`. */
  readonly changes: readonly string[];
  readonly requestedBy: string;
  readonly requestedAt: string;
  readonly approvedBy?: string;
  readonly approvedAt?: string;
}

/** An approval as the API shows it. */
export interface ShownApproval {
  readonly id: string;
  readonly changes: string[];
  readonly content_hash: string;
  readonly requested_by: string;
  readonly requested_at: string;
  readonly approved_by?: string;
  readonly approved_at?: string;
}

/** Thrown by the rule: the write is refused, and the proposal is to be kept first. */
export class ApprovalNeeded extends Error {
  readonly proposal: ApprovalContent;
  constructor(proposal: ApprovalContent) {
    super('a second person has to approve');
    this.proposal = proposal;
  }
}

const maxShownChanges = 20;

export interface ApprovalParts {
  /** `configs` (all), `app:shop`, `app:shop/prod`. */
  readonly scopes: readonly string[];
  readonly cipher: ValueCipher;
  /** Keyed, because a fingerprint is seen by people who may not see the secret that is in it. */
  readonly fingerprintKey: Buffer;
  readonly nowMs: () => number;
}

export class ConfigApprovals {
  readonly #parts: ApprovalParts;

  constructor(parts: ApprovalParts) {
    this.#parts = parts;
  }

  get rule(): WriteRule {
    return { check: (changes, state, context) => this.#check(changes, state, context) };
  }

  async #check(
    changes: readonly PlannedChange[],
    state: ConfigurationState,
    context: WriteContext,
  ): Promise<readonly PlannedChange[]> {
    const meant = changes.filter((change) => this.#needsApproval(change));
    if (meant.length === 0) return [];
    const fingerprint = await this.#fingerprint(changes);
    for (const item of state.all<ApprovalContent>('approval')) {
      const { content } = item;
      const isUsable = content.approvedBy !== undefined && content.approvedBy !== context.actor;
      if (content.fingerprint === fingerprint && content.requestedBy === context.actor && isUsable)
        return [{ op: 'delete', item, action: 'use' }];
    }
    throw new ApprovalNeeded({
      fingerprint,
      changes: changes.slice(0, maxShownChanges).map(inWords),
      requestedBy: context.actor,
      requestedAt: new Date(this.#parts.nowMs()).toISOString(),
    });
  }

  #needsApproval(change: PlannedChange): boolean {
    const { kind } = change.op === 'create' ? change : change.item;
    if (kind === 'approval' || kind === 'webhook') return false;
    const { appId, environment } = change.op === 'create' ? change.scope : change.item;
    return this.#parts.scopes.some((scope) => {
      if (scope === 'configs') return true;
      if (!scope.startsWith('app:')) return false;
      const [app, name] = scope.slice('app:'.length).split('/');
      // What is written for all apps, or for all of an app, is in force in the environment that is protected.
      return (appId === null || appId === app) && (name === undefined || environment === null || environment === name);
    });
  }

  async #fingerprint(changes: readonly PlannedChange[]): Promise<string> {
    const parts = await Promise.all(changes.map((change) => this.#canonical(change)));
    return createHmac('sha256', this.#parts.fingerprintKey).update(JSON.stringify(parts)).digest('hex');
  }

  /** Secrets in the clear: their ciphertext differs every time. What is replaced counts with its version. */
  async #canonical(change: PlannedChange): Promise<unknown> {
    const place =
      change.op === 'create' ? [change.kind, change.scope, change.key] : [change.item.id, change.item.version];
    if (change.op === 'delete') return [change.op, place];
    const content = change.content as Partial<ConfigContentStored> & { readonly rollout?: unknown };
    const { encrypted, rollout: _rollout, events: _events, ...rest } = content as typeof content & { events?: unknown };
    const value = encrypted === undefined ? undefined : await this.#parts.cipher.decrypt(encrypted);
    return [change.op, place, rest, value ?? null];
  }
}

function inWords(change: PlannedChange): string {
  const { kind, key } = change.op === 'create' ? change : change.item;
  const { appId, environment } = change.op === 'create' ? change.scope : change.item;
  return `${change.op} ${kind} ${[appId ?? '*', environment ?? '*'].join('/')} ${key}`;
}

/** Keeps a proposal, unless the same one waits already, and refuses the write that made it. */
export async function proposeAndRefuse(
  { proposal }: ApprovalNeeded,
  state: ConfigurationState,
  keep: (changes: readonly PlannedChange[]) => Promise<readonly Item<unknown>[]>,
): Promise<never> {
  let waiting: Item<ApprovalContent> | undefined;
  for (const item of state.all<ApprovalContent>('approval'))
    if (item.content.fingerprint === proposal.fingerprint && item.content.requestedBy === proposal.requestedBy)
      waiting = item;
  if (!waiting) {
    const scope = { appId: null, environment: null };
    const [made] = await keep([
      { op: 'create', kind: 'approval', scope, key: randomUUID(), content: proposal, action: 'request' },
    ]);
    waiting = made as Item<ApprovalContent>;
  }
  throw new BailiwickError('conflict', {
    reason: 'config.approval_required',
    message: `This needs a second person's approval. Somebody else sends POST /api/v1/approvals/${waiting.id}/approve; then repeat this very request.`,
    extra: { approval: shownApproval(waiting) },
  });
}

export const shownApproval = ({ id, content }: Item<ApprovalContent>): ShownApproval => ({
  id,
  changes: [...content.changes],
  content_hash: content.fingerprint,
  requested_by: content.requestedBy,
  requested_at: content.requestedAt,
  ...(content.approvedBy === undefined ? {} : { approved_by: content.approvedBy }),
  ...(content.approvedAt === undefined ? {} : { approved_at: content.approvedAt }),
});
