/** Freeze windows: times in which a scope is left alone. Only retreats (abort, roll back, pause) and the freezes themselves are written then. */
import { BailiwickError, type FreezeBody } from '@bailiwick/contract';
import type { JsonValue } from '@bailiwick/evaluation';
import type { Item } from '../configs/config-content.js';
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { ConfigurationState } from '../configs/configuration-state.js';
import type { ConfigurationWriter, WriteRule } from '../configs/configuration-writer.js';
import { countsIn } from '../configs/environment-document.js';
import { VersionedResources } from '../configs/versioned-resources.js';
import type { ResourceScope, ResourceStore } from '../ports/resource-store.port.js';

export interface FreezeContent {
  readonly description?: string;
  /** RFC 3339. */
  readonly from: string;
  readonly to: string;
}

const frozenKinds = new Set(['config', 'flag', 'segment', 'rollout']);

export class Freezes {
  readonly resources: VersionedResources<FreezeContent>;
  readonly #nowMs: () => number;

  constructor(
    parts: { readonly store: ResourceStore; readonly feed: ConfigurationFeed; readonly writer: ConfigurationWriter },
    nowMs: () => number,
  ) {
    this.#nowMs = nowMs;
    const shown = (content: FreezeContent): JsonValue => ({ ...content });
    this.resources = new VersionedResources({ kind: 'freeze', ...parts, rules: [], shown });
  }

  /** Errors: `freeze.ends_before_it_begins`. */
  content(body: FreezeBody): FreezeContent {
    if (Date.parse(body.to) <= Date.parse(body.from))
      throw new BailiwickError('invalid', {
        reason: 'freeze.ends_before_it_begins',
        message: 'A freeze ends after it begins: `to` must be later than `from`.',
      });
    return body;
  }

  /** The freeze that holds for a scope now. A freeze of an app holds for its environments, one for everything for all. */
  holding(scope: ResourceScope, state: ConfigurationState): Item<FreezeContent> | undefined {
    const now = this.#nowMs();
    for (const item of state.all<FreezeContent>('freeze')) {
      const { from, to } = item.content;
      // What is written for all of an app is seen in the environment that is frozen.
      if ((countsIn(item, scope) || countsIn(scope, item)) && Date.parse(from) <= now && now < Date.parse(to))
        return item;
    }
    return undefined;
  }

  /** Refuses changes of what is frozen. Errors: `freeze.holds`. */
  get rule(): WriteRule {
    return {
      check: (changes, state) => {
        for (const change of changes) {
          const { kind } = change.op === 'create' ? change : change.item;
          const freeze = frozenKinds.has(kind)
            ? this.holding(change.op === 'create' ? change.scope : change.item, state)
            : undefined;
          if (freeze) throw held(freeze);
        }
        return [];
      },
    };
  }
}

function held({ key, content }: Item<FreezeContent>): BailiwickError {
  const why = content.description === undefined ? '' : ` (${content.description})`;
  return new BailiwickError('conflict', {
    reason: 'freeze.holds',
    message: `The freeze '${key}'${why} holds until ${content.to}. Wait, or delete the freeze if you may.`,
    extra: { freeze: key, until: content.to },
  });
}
