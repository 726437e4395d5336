/**
 * What would a draft change? Replays logged decisions against the draft and against what is in force now, and names those that flip, for
 * whom and by which rule. Both sides are evaluated, so a difference is the draft's doing and not the clock's.
 */
import type { CheckReport, DecisionFlip } from '@bailiwick/contract';
import type { Value } from '@bailiwick/rego';
import type { StoredDecision } from '../ports/decision-store.port.js';
import type { PolicyName } from '../ports/policy-archive.port.js';
import { judge, type WorldState } from './decision.js';
import { type DecisionLog, queryOf } from './decision-log.js';
import type { Enforcer } from './enforcer.js';
import { explainWorld } from './explanation.js';
import { type World, withPlatformData } from './world.js';

export type Impact = Pick<CheckReport, 'replayed' | 'flips' | 'gained' | 'lost'>;

/** Between batches the event loop gets a turn: a replay must not delay decisions. */
const batchSize = 50;

export class ImpactService {
  readonly #log: DecisionLog;
  readonly #enforcer: Enforcer;

  constructor(log: DecisionLog, enforcer: Enforcer) {
    this.#log = log;
    this.#enforcer = enforcer;
  }

  /** `draft` undefined: the policy deleted. Replays the newest `count` decisions that the policy has a say in. */
  async assess(name: PolicyName, draft: World | undefined, draftData: Value, count: number): Promise<Impact> {
    const flips: DecisionFlip[] = [];
    let replayed = 0;
    for await (const logged of this.#newest(name, count)) {
      replayed += 1;
      const flip = this.#compare(name, draft, draftData, logged);
      if (flip) flips.push(flip);
      if (replayed % batchSize === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const actors = (after: boolean): string[] =>
      [...new Set(flips.filter((flip) => flip.after === after).map((flip) => flip.actor))].sort();
    return { replayed, flips, gained: actors(true), lost: actors(false) };
  }

  async *#newest(name: PolicyName, count: number): AsyncGenerator<StoredDecision> {
    const filter = name === 'platform' ? {} : { project: name };
    let cursor: string | undefined;
    for (let left = count; left > 0; ) {
      const page = await this.#log.search(filter, { limit: Math.min(left, 500), cursor });
      // Masked inputs are not what was decided on, and a project's policy has no say about the control plane.
      yield* page.items.filter(
        (item) =>
          !item.erased &&
          !item.masked &&
          item.path === 'bailiwick/authz' &&
          (name === 'platform' || !item.control_plane),
      );
      left -= page.items.length;
      cursor = page.next;
      if (cursor === undefined) return;
    }
  }

  #compare(
    name: PolicyName,
    draft: World | undefined,
    draftData: Value,
    logged: StoredDecision,
  ): DecisionFlip | undefined {
    const query = queryOf(logged);
    const before = this.#enforcer.decide(query);
    const draftState: WorldState | undefined = draft && { kind: 'ready', world: draft };
    const { platform, project } = this.#worldsWith(name, draftState, draftData, logged.project);
    const after = judge(platform, project, query);
    if (before.allowed === after.allowed) return undefined;
    const input = logged.input as { readonly method?: unknown; readonly path?: unknown } | null;
    return {
      decision_id: logged.decision_id,
      actor: logged.requested_by,
      method: String(input?.method ?? ''),
      path: String(input?.path ?? ''),
      ...(logged.project === undefined ? {} : { project: logged.project }),
      before: before.allowed,
      after: after.allowed,
      because: draft ? explainWorld(draft, query.input, after.allowed ? ['allow'] : ['deny']).rules : [],
    };
  }

  #worldsWith(
    name: PolicyName,
    draft: WorldState | undefined,
    draftData: Value,
    project: string | undefined,
  ): { platform: WorldState | undefined; project: WorldState | undefined } {
    const current = project === undefined ? undefined : this.#enforcer.entry(project);
    if (name !== 'platform')
      return { platform: this.#enforcer.state('platform'), project: project === name ? draft : current?.state };
    if (!current || current.state.kind === 'broken') return { platform: draft, project: current?.state };
    return {
      platform: draft,
      project: { kind: 'ready', world: withPlatformData(current.state.world, draftData) },
    };
  }
}
