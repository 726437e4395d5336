/**
 * Rollouts of policies, as they are enforced: for every rollout under way its version is compiled, and each decision of the policy goes by the
 * old or the new one, as the rollout says. In shadow the old one answers and the new one is asked too: what differs is counted. A
 * version that does not run denies, like every policy; the guard on denials then takes it back.
 */
import { compileExposure, type EvaluationContext, type Exposure } from '@bailiwick/evaluation';
import type { Value } from '@bailiwick/rego';
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { Environments } from '../configs/environments.js';
import type { DecisionQuery, Verdict, WorldState } from '../decisions/decision.js';
import type { Enforcer, PolicyCandidate } from '../decisions/enforcer.js';
import type { WorldCompiler } from '../decisions/world.js';
import { candidateName } from './rollout-content.js';
import type { RolloutItem, RolloutService } from './rollout-service.js';
import type { TrafficCounts } from './traffic-counts.js';

export interface PolicyCandidatesParts {
  readonly rollouts: RolloutService;
  readonly feed: ConfigurationFeed;
  readonly environments: Environments;
  readonly enforcer: Enforcer;
  readonly compiler: WorldCompiler;
  readonly traffic: TrafficCounts;
  readonly instanceId: string;
  readonly nowMs: () => number;
}

/** The version that a rollout brings. */
interface PolicyTarget {
  readonly project: string;
  readonly rego: string;
  readonly dataText: string;
}

interface Compiled {
  readonly target: PolicyTarget;
  readonly platformData: Value;
  readonly state: WorldState;
}

const everywhere = { appId: null, environment: null };

export class PolicyCandidates {
  readonly #parts: PolicyCandidatesParts;
  readonly #unfollow: readonly (() => void)[];
  /** By rollout: what is compiled stays so until the version or the platform's data is another. */
  #compiled = new Map<string, Compiled>();
  #isPreparing = false;
  /** Something changed while large versions were being compiled. */
  #isOutdated = false;
  #isStopped = false;

  constructor(parts: PolicyCandidatesParts) {
    this.#parts = parts;
    this.#use();
    this.#unfollow = [
      parts.feed.onChange(({ items }) => {
        // Flags too: a rollout may be gated by one.
        if (items.some(({ before, after }) => isRelevant((after ?? before)?.kind))) this.#refresh();
      }),
      // Projects see the platform's data.
      parts.enforcer.onApplied(({ policies }) => {
        if (policies.includes('platform')) this.#refresh();
      }),
    ];
  }

  stop(): void {
    this.#isStopped = true;
    for (const unfollow of this.#unfollow) unfollow();
    this.#parts.enforcer.useCandidates(new Map());
  }

  /** Large versions are compiled while decisions go on as before; what changes meanwhile is looked at after them. */
  #refresh(): void {
    if (this.#isPreparing) {
      this.#isOutdated = true;
      return;
    }
    const { compiler, rollouts } = this.#parts;
    const large = rollouts.underWay().flatMap(({ id, content: { target } }) => {
      if (target.kind !== 'policy' || this.#known(id, target) !== undefined) return [];
      return compiler.isLarge(target.project, target) ? [target] : [];
    });
    if (large.length === 0) this.#use();
    else void this.#prepare(large);
  }

  async #prepare(large: readonly PolicyTarget[]): Promise<void> {
    this.#isPreparing = true;
    for (const target of large) await this.#parts.compiler.prepare(target.project, target);
    this.#isPreparing = false;
    if (this.#isStopped) return;
    this.#use();
    if (!this.#isOutdated) return;
    this.#isOutdated = false;
    this.#refresh();
  }

  #use(): void {
    const candidates = new Map<string, PolicyCandidate>();
    const compiled = new Map<string, Compiled>();
    for (const item of this.#parts.rollouts.underWay()) {
      const { target } = item.content;
      if (target.kind !== 'policy') continue;
      const { platformData } = this.#parts.enforcer;
      const known = this.#known(item.id, target) ?? {
        ...{ target, platformData },
        state: this.#compile(target, item.revision),
      };
      compiled.set(item.id, known);
      candidates.set(target.project, this.#candidate(item, known));
    }
    this.#compiled = compiled;
    this.#parts.enforcer.useCandidates(candidates);
  }

  #known(id: string, target: PolicyTarget): Compiled | undefined {
    const known = this.#compiled.get(id);
    const isSame =
      known?.target.rego === target.rego &&
      known.target.dataText === target.dataText &&
      known.platformData === this.#parts.enforcer.platformData;
    return isSame ? known : undefined;
  }

  #candidate(item: RolloutItem, { target, state }: Compiled): PolicyCandidate {
    const { traffic, environments, nowMs } = this.#parts;
    const { said, rollout } = item.content;
    const flags = environments.view(everywhere).compiled;
    const isExposed: Exposure = compileExposure(rollout, {
      evaluate: (key, context, now) => flags.flag(key, context, now ?? nowMs()),
    });
    const counted = candidateName(target.project);
    const ask = (next: (state: WorldState) => Verdict): Verdict => {
      const verdict = next(state);
      traffic.count('denial_rate', counted, !verdict.allowed);
      return verdict;
    };
    return {
      project: target.project,
      decide: (query, current, next) => {
        if (!isExposed(this.#contextOf(query), nowMs())) return current();
        if (said.shadow !== true) return { ...ask(next), rollout: item.id };
        const verdict = current();
        traffic.count('difference_rate', item.id, ask(next).allowed !== verdict.allowed);
        return verdict;
      },
    };
  }

  #compile({ project, rego, dataText }: PolicyTarget, revision: number): WorldState {
    const { compiler, enforcer } = this.#parts;
    try {
      const platformData = project === 'platform' ? undefined : enforcer.platformData;
      return { kind: 'ready', world: compiler.build(project, { rego, dataText, revision }, platformData) };
    } catch (error) {
      return { kind: 'broken', revision, error: error instanceof Error ? error.message : String(error) };
    }
  }

  /** The caller's claims, and what else a share can be sticky by: `request_id` (a share of requests), `instance`. */
  #contextOf({ input }: DecisionQuery): EvaluationContext {
    const { claims = {}, request_id = '' } = (input ?? {}) as {
      readonly claims?: Record<string, Value>;
      readonly request_id?: string;
    };
    const { sub, roles } = claims;
    return {
      ...(claims as EvaluationContext),
      targetingKey: typeof sub === 'string' ? sub : request_id,
      ...(Array.isArray(roles) ? { groups: roles as string[] } : {}),
      request_id,
      instance: this.#parts.instanceId,
    };
  }
}

const isRelevant = (kind: string | undefined): boolean => kind === 'rollout' || kind === 'flag' || kind === 'segment';
