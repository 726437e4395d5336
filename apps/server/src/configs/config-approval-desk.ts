/** Proposals of changes of configuration, and the second person's word. */
import { BailiwickError } from '@bailiwick/contract';
import { type ApprovalContent, type ShownApproval, shownApproval } from './config-approvals.js';
import type { Item } from './config-content.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import type { ConfigurationWriter, WriteContext } from './configuration-writer.js';

const keptMs = 30 * 86_400_000;

export class ConfigApprovalDesk {
  readonly #feed: ConfigurationFeed;
  readonly #writer: ConfigurationWriter;
  readonly #nowMs: () => number;

  constructor(feed: ConfigurationFeed, writer: ConfigurationWriter, nowMs: () => number) {
    this.#feed = feed;
    this.#writer = writer;
    this.#nowMs = nowMs;
  }

  /** Newest first. */
  list(): readonly ShownApproval[] {
    return [...this.#feed.state.all<ApprovalContent>('approval')]
      .map(shownApproval)
      .sort((a, b) => b.requested_at.localeCompare(a.requested_at));
  }

  has(id: string): boolean {
    return this.#feed.state.get('approval', id) !== undefined;
  }

  /** Errors: `approval.not_found`, `approval.own` when the author approves himself. */
  async approve(id: string, context: WriteContext): Promise<ShownApproval> {
    const { items } = await this.#writer.write(context, (state) => {
      const item = state.get<ApprovalContent>('approval', id);
      if (!item)
        throw new BailiwickError('not-found', {
          reason: 'approval.not_found',
          message: `No change waits for an approval with the id ${id}.`,
        });
      if (item.content.requestedBy === context.actor)
        throw new BailiwickError('forbidden', {
          reason: 'approval.own',
          message: 'You asked for this change yourself; somebody else has to approve it.',
        });
      const approvedAt = new Date(this.#nowMs()).toISOString();
      return [
        { op: 'replace', item, content: { ...item.content, approvedBy: context.actor, approvedAt }, action: 'approve' },
      ];
    });
    return shownApproval(items[0] as Item<ApprovalContent>);
  }

  /** Deletes proposals that are older than thirty days. */
  async prune(): Promise<void> {
    const before = new Date(this.#nowMs() - keptMs).toISOString();
    await this.#writer.write({ actor: 'housekeeping', requestId: '', clientIp: '' }, (state) =>
      [...state.all<ApprovalContent>('approval')]
        .filter(({ content }) => content.requestedAt < before)
        .map((item) => ({ op: 'delete', item, action: 'expire' }) as const),
    );
  }
}
