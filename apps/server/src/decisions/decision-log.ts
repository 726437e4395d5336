/**
 * The decision log: OPA's entry format, off the hot path. Deciding only puts a reference into a bounded queue; masking, formatting and
 * writing happen in batches later. When more arrive than can be written the oldest waiting are dropped and counted.
 */
import type { Value } from '@bailiwick/rego';
import { toJson } from '@bailiwick/rego';
import type { DecisionFilter, DecisionStore, StoredDecision } from '../ports/decision-store.port.js';
import type { Page } from '../ports/policy-archive.port.js';
import type { DecisionQuery, Verdict } from './decision.js';
import { applyMask } from './decision-mask.js';
import type { Enforcer } from './enforcer.js';

export interface LoggedDecision {
  readonly id: string;
  readonly timestampMs: number;
  readonly input: Value;
  readonly project: string | undefined;
  readonly claimedProject: string | undefined;
  readonly isControlPlane: boolean;
  readonly actor: string;
  readonly requestId: string;
  readonly verdict: Verdict;
  readonly nanoseconds: number;
  readonly platformRevision: number;
  readonly projectRevision: number | undefined;
}

export interface DecisionLogOptions {
  readonly mode: 'all' | 'denied' | 'off';
  /** 0 … 1 of the allowed ones. */
  readonly sample: number;
  readonly kept: number;
  readonly instanceId: string;
  readonly maxWaiting?: number;
  readonly flushMs?: number;
  readonly onError: (error: unknown) => void;
}

/** Entries that are made without a pause. */
const maxBatch = 100;
const defaultFlushMs = 250;

export class DecisionLog {
  readonly #store: DecisionStore;
  readonly #enforcer: Enforcer;
  readonly #options: DecisionLogOptions;
  readonly #random: () => number;
  #waiting: LoggedDecision[] = [];
  #dropped = 0;
  #written = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #flushOthers: (() => Promise<void>) | undefined;

  constructor(
    store: DecisionStore,
    enforcer: Enforcer,
    options: DecisionLogOptions,
    random: () => number = Math.random,
  ) {
    this.#store = store;
    this.#enforcer = enforcer;
    this.#options = options;
    this.#random = random;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Whether a decision of this kind is kept at all; a sample is drawn here. */
  wants(verdict: Verdict): boolean {
    const { mode, sample } = this.#options;
    if (mode === 'off') return false;
    return !verdict.allowed || (mode !== 'denied' && (sample >= 1 || this.#random() < sample));
  }

  /** For what `wants` wants. Cost: one push. Never throws, never waits. */
  record(decision: LoggedDecision): void {
    const maxWaiting = this.#options.maxWaiting ?? 20_000;
    if (this.#waiting.length >= maxWaiting) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(decision);
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.flushMs ?? defaultFlushMs);
  }

  /** Other processes that write into the same store: they are asked before a search, too. */
  flushAlso(flushOthers: () => Promise<void>): void {
    this.#flushOthers = flushOthers;
  }

  /** Writes what waits. Searches call it first, so that a decision can be found as soon as it was made. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const taken = this.#waiting;
      this.#waiting = [];
      const writes: Promise<void>[] = [];
      for (let at = 0; at < taken.length; at += maxBatch) {
        // Requests come first: making entries must not hold them up for long.
        if (at > 0) await new Promise((resolve) => setImmediate(resolve));
        writes.push(this.#store.append(taken.slice(at, at + maxBatch).map((decision) => this.#entry(decision))));
      }
      // Together, so that a store can make one commit of them.
      const failed = (await Promise.allSettled(writes)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') {
        this.#options.onError(failed.reason);
        return;
      }
      this.#written += taken.length;
      if (this.#written > this.#options.kept / 10) {
        this.#written = 0;
        await this.#store.prune(this.#options.kept).catch(this.#options.onError);
      }
    }
  }

  /** Entries that a real OPA uploaded. */
  async import(entries: readonly StoredDecision[]): Promise<void> {
    await this.#store.append(entries);
  }

  async search(
    filter: DecisionFilter,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<Page<StoredDecision>> {
    await Promise.all([this.flush(), this.#flushOthers?.()]);
    return await this.#store.search(filter, {
      limit: options.limit,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
    });
  }

  async get(id: string): Promise<StoredDecision | undefined> {
    await Promise.all([this.flush(), this.#flushOthers?.()]);
    return await this.#store.get(id);
  }

  #entry(decision: LoggedDecision): StoredDecision {
    const { verdict, project } = decision;
    const masked = applyMask(toJson(decision.input), this.#maskAnswers(decision));
    return {
      decision_id: decision.id,
      timestamp: new Date(decision.timestampMs).toISOString(),
      labels: {
        id: this.#options.instanceId,
        app: 'bailiwick',
        ...(decision.verdict.rollout === undefined ? {} : { rollout: decision.verdict.rollout }),
      },
      bundles: {
        platform: { revision: String(decision.platformRevision) },
        ...(project !== undefined && decision.projectRevision !== undefined
          ? { [`projects/${project}`]: { revision: String(decision.projectRevision) } }
          : {}),
      },
      path: 'bailiwick/authz',
      input: masked.input,
      result: { allow: verdict.allowed, decided_by: verdict.decidedBy, reasons: verdict.reasons.map(toJson) },
      ...(masked.erased.length > 0 ? { erased: [...masked.erased] } : {}),
      ...(masked.masked.length > 0 ? { masked: [...masked.masked] } : {}),
      requested_by: decision.actor,
      req_id: decision.requestId,
      ...(verdict.error === undefined ? {} : { error: verdict.error }),
      metrics: { timer_rego_query_eval_ns: decision.nanoseconds },
      allowed: verdict.allowed,
      ...(project === undefined ? {} : { project }),
      ...(decision.claimedProject === undefined ? {} : { claimed_project: decision.claimedProject }),
      control_plane: decision.isControlPlane,
    };
  }

  #maskAnswers(decision: LoggedDecision): readonly (Value | undefined)[] {
    const names = decision.project === undefined ? ['platform'] : ['platform', decision.project];
    return names.map((name) => {
      const state = this.#enforcer.state(name);
      if (state?.kind !== 'ready') return undefined;
      try {
        return state.world.policy.evaluate(`${state.world.packagePath}.mask`, decision.input);
      } catch {
        // A mask that fails must not let through what it was to hide.
        return ['/input/claims', '/input/user', '/input/headers', '/input/query'];
      }
    });
  }
}

/** The question that a logged decision answered. */
export function queryOf(logged: StoredDecision): DecisionQuery {
  return {
    input: logged.input as Value,
    project: logged.project,
    claimedProject: logged.claimed_project,
    isControlPlane: logged.control_plane,
  };
}
