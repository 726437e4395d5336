/**
 * Rollouts of configuration and flags: made, commanded, carried on by the worker. A command is a plan like every other write, so it is taken
 * on the state it was checked against: two workers that take the same step at the same moment take it once. When a rollout is
 * completed, what it rolled out becomes the entry's own value (or the flag's own definition) in the same write.
 */

import { randomUUID } from 'node:crypto';
import { BailiwickError, type NewRollout } from '@bailiwick/contract';
import {
  applyCommand,
  createRollout,
  type FlagDefinition,
  type JsonValue,
  nextDueMs,
  type RolloutCommand,
  type RolloutRefusal,
} from '@bailiwick/evaluation';
import { stringifyJson, type Value } from '@bailiwick/rego';
import type { ConfigContentStored, FlagContent, Item } from '../configs/config-content.js';
import { configInvalid } from '../configs/config-errors.js';
import type { ConfigService } from '../configs/config-service.js';
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { ConfigurationState } from '../configs/configuration-state.js';
import type { ConfigurationWriter, PlannedChange, WriteContext, WriteRule } from '../configs/configuration-writer.js';
import { plainJson } from '../configs/plain-json.js';
import { assertMatches } from '../configs/preconditions.js';
import type { ValueCipher } from '../configs/value-cipher.js';
import { VersionedResources } from '../configs/versioned-resources.js';
import { flagValidity } from '../flags/flag-service.js';
import type { ResourceScope, ResourceStore } from '../ports/resource-store.port.js';
import { rolloutsUnderWay } from './candidates.js';
import type { GuardSubject } from './guards.js';
import { candidateName, hasEnded, type RolloutContent, type StoredTarget, toDefinition } from './rollout-content.js';

export type RolloutItem = Item<RolloutContent>;

/** Policies, as far as rollouts need them. */
export interface PolicyTargets {
  /** The content in force; undefined when there is none. */
  current(project: string): { readonly rego: string; readonly dataText: string } | undefined;
  /** Refuses what a write would be refused for; the revision it was checked on. */
  review(project: string, content: { rego: string; dataText: string }, context: WriteContext): Promise<number>;
  adopt(
    project: string,
    content: { rego: string; dataText: string },
    baseRevision: number,
  ): Promise<'adopted' | 'changed'>;
}

export interface RolloutServiceParts {
  readonly store: ResourceStore;
  readonly feed: ConfigurationFeed;
  readonly writer: ConfigurationWriter;
  readonly cipher: ValueCipher;
  readonly configs: ConfigService;
  readonly rules: readonly WriteRule[];
  /** What must hold when a rollout that was made goes on. */
  readonly stepRules: readonly WriteRule[];
  readonly policies: PolicyTargets;
  readonly nowMs: () => number;
}

export class RolloutService {
  readonly resources: VersionedResources<RolloutContent>;
  readonly #parts: RolloutServiceParts;

  constructor(parts: RolloutServiceParts) {
    this.#parts = parts;
    const { store, feed, writer } = parts;
    // What completes is written without the scope's further conditions: they were met when the rollout was made.
    const rules = [parts.configs.validity, flagValidity];
    this.resources = new VersionedResources({ kind: 'rollout', store, feed, writer, rules, shown: shownContent });
  }

  /** As a draft. Errors: `rollout.invalid`, `rollout.target_not_found`, `rollout.target_taken`, and what the target's kind refuses. */
  async create(said: NewRollout, context: WriteContext): Promise<RolloutItem> {
    const { key, target, description, ...rest } = said;
    const id = randomUUID();
    const made = createRollout(toDefinition(id, rest), this.#parts.nowMs());
    if ('error' in made) throw refused(made);
    if (rest.shadow === true && target.kind !== 'policy')
      throw configInvalid(
        'shadow',
        'Only a policy can be rolled out in shadow: a value that nobody gets has no effect to watch.',
      );
    const stored = await this.#storedTarget(target, context);
    const content: RolloutContent = {
      ...(description === undefined ? {} : { description }),
      target: stored,
      said: rest,
      guards: rest.guards ?? [],
      rollout: made.rollout,
      events: made.events,
    };
    const written = await this.#parts.writer.write(
      context,
      async (state) => {
        assertFree(state, stored);
        const scope = scopeOfTarget(state, stored);
        await this.#assertAcceptable(stored, state);
        const taken = state.find('rollout', scope, key);
        if (taken) throw nameTaken(key);
        return [{ op: 'create', kind: 'rollout', id, scope, key, content }];
      },
      this.#parts.rules,
    );
    return written.items[0] as RolloutItem;
  }

  /** Errors: `rollout.not_found`, `rollout.state` (409), `resource.version_conflict` when `ifMatch` is given and stale. */
  async command(
    id: string,
    command: RolloutCommand,
    context: WriteContext,
    isUnchanged?: (item: RolloutItem) => void,
  ): Promise<RolloutItem> {
    const isRetreat = command.kind === 'abort' || command.kind === 'rollback' || command.kind === 'pause';
    const rules = isRetreat ? [] : this.#parts.stepRules;
    const written = await this.#parts.writer.write(
      context,
      async (state) => {
        const item = this.resources.get(id, state);
        isUnchanged?.(item);
        return await this.#carryOn(item, command, state);
      },
      [this.#parts.configs.validity, flagValidity, ...rules],
    );
    return (written.items.find((item) => item.id === id) as RolloutItem | undefined) ?? this.resources.get(id);
  }

  /** Errors: `rollout.under_way` (409). */
  async remove(id: string, ifMatch: string | undefined, context: WriteContext): Promise<void> {
    await this.#parts.writer.write(context, (state) => {
      const item = this.resources.get(id, state);
      assertMatches(item, ifMatch);
      if (!hasEnded(item.content) && item.content.rollout.state !== 'draft')
        throw new BailiwickError('conflict', {
          reason: 'rollout.under_way',
          message: `The rollout is ${item.content.rollout.state}. Abort it or roll it back before you delete it.`,
        });
      return [{ op: 'delete', item }];
    });
  }

  /** Where the target is, for the decision whether somebody may roll it out. Errors: `rollout.target_not_found`. */
  factsOfTarget(target: NewRollout['target'] | undefined): Readonly<Record<string, string | null>> {
    // A body that does not fit is refused by its schema, after the decision.
    if (target?.kind === 'policy')
      return { key: String(target.project), app_id: null, environment: null, policy: String(target.project) };
    if (target === undefined || typeof target.id !== 'string') return { key: null, app_id: null, environment: null };
    const { key, appId, environment } = targetOf(this.#parts.feed.state, target);
    return { key, app_id: appId, environment };
  }

  /** The changes of a command; none when nothing happens. */
  async #carryOn(
    item: RolloutItem,
    command: RolloutCommand,
    state: ConfigurationState,
  ): Promise<readonly PlannedChange[]> {
    const { content } = item;
    const result = applyCommand(content.rollout, command, this.#parts.nowMs());
    if ('error' in result) throw refused(result);
    if (result.events.length === 0) return [];
    const next: RolloutContent = { ...content, rollout: result.rollout, events: [...content.events, ...result.events] };
    const action = result.events.at(-1)?.kind ?? command.kind;
    const own: PlannedChange = { op: 'replace', item, content: next, action };
    const isAdopted =
      result.rollout.state === 'completed' && result.rollout.percent >= 100 && content.said.shadow !== true;
    if (!isAdopted) return [own];
    if (content.target.kind !== 'policy') return [own, ...this.#adopt(content.target, state)];
    const { project, rego, dataText, baseRevision } = content.target;
    // Before the rollout ends: until then the new version is in force as its candidate, and repeating it changes nothing.
    if ((await this.#parts.policies.adopt(project, { rego, dataText }, baseRevision)) === 'adopted') return [own];
    const reason = 'the policy was changed meanwhile';
    return await this.#carryOn(item, { kind: 'rollback', reason }, state);
  }

  /** The target with the new value as its own. A target that was deleted meanwhile stays deleted. */
  #adopt(target: StoredTarget, state: ConfigurationState): readonly PlannedChange[] {
    if (target.kind === 'policy') return [];
    if (target.kind === 'flag') {
      const item = state.get<FlagContent>('flag', target.id);
      if (!item) return [];
      return [{ op: 'replace', item, content: { ...item.content, definition: target.definition }, action: 'rollout' }];
    }
    const item = state.get<ConfigContentStored>('config', target.id);
    if (!item) return [];
    const { value: _value, encrypted: _encrypted, ...rest } = item.content;
    const adopted = target.encrypted === undefined ? { value: target.value } : { encrypted: target.encrypted };
    return [{ op: 'replace', item, content: { ...rest, ...adopted }, action: 'rollout' }];
  }

  /** Those for which time can do something. */
  underWay(): readonly RolloutItem[] {
    return rolloutsUnderWay(this.#parts.feed.state);
  }

  /** When `advance` next has something to do; null: never by itself. */
  nextDueMs({ content }: RolloutItem): number | null {
    return nextDueMs(content.rollout);
  }

  async #storedTarget(target: NewRollout['target'], context: WriteContext): Promise<StoredTarget> {
    const { state } = this.#parts.feed;
    if (target.kind === 'policy') return await this.#policyTarget(target, context);
    if (target.kind === 'flag') {
      const { description: _description, ...definition } = target.definition;
      plainJson(definition, '/target/definition');
      return { kind: 'flag', id: target.id, definition: definition as FlagDefinition };
    }
    const value = plainJson(target.value, '/target/value');
    const isSensitive = state.get<ConfigContentStored>('config', target.id)?.content.sensitive === true;
    if (!isSensitive) return { kind: 'config', id: target.id, value };
    return { kind: 'config', id: target.id, encrypted: await this.#parts.cipher.encrypt(value) };
  }

  async #policyTarget(
    { project, rego, data }: Extract<NewRollout['target'], { kind: 'policy' }>,
    context: WriteContext,
  ): Promise<StoredTarget> {
    const { policies } = this.#parts;
    const now = policies.current(project);
    const content = {
      rego: rego ?? now?.rego ?? '',
      dataText: data === undefined ? (now?.dataText ?? '{}') : stringifyJson(data as Value),
    };
    const baseRevision = await policies.review(project, content, context);
    return { kind: 'policy', id: `policy:${project}`, project, ...content, baseRevision };
  }

  /** The new value must do wherever the old one is seen, before anybody gets it. */
  async #assertAcceptable(target: StoredTarget, state: ConfigurationState): Promise<void> {
    const [adopted] = this.#adopt(target, state);
    if (!adopted) return;
    const isSensitive = state.get<ConfigContentStored>('config', target.id)?.content.sensitive === true;
    if (target.kind === 'config' && isSensitive !== (target.encrypted !== undefined))
      throw configInvalid('sensitivity_changed', 'The entry was made sensitive (or not) at this moment. Try again.');
    const rule = target.kind === 'config' ? this.#parts.configs.validity : flagValidity;
    await rule.check([adopted], state, { actor: '', requestId: '', clientIp: '' });
  }
}

/** What the guards of a rollout are asked about. */
export function guardSubject({ id, content }: RolloutItem): GuardSubject {
  const { target, guards } = content;
  return { id, guards, project: target.kind === 'policy' ? candidateName(target.project) : undefined };
}

/** A rollout stands where its target is; one of a policy everywhere. */
function scopeOfTarget(state: ConfigurationState, target: StoredTarget): ResourceScope {
  if (target.kind === 'policy') return { appId: null, environment: null };
  const { appId, environment } = targetOf(state, target);
  return { appId, environment };
}

function targetOf(
  state: ConfigurationState,
  target: { readonly kind: 'config' | 'flag'; readonly id: string },
): Item<unknown> {
  const item = state.get<unknown>(target.kind, target.id);
  if (item) return item;
  throw new BailiwickError('not-found', {
    reason: 'rollout.target_not_found',
    message: `There is no ${target.kind} with the id ${target.id} to roll out.`,
  });
}

function assertFree(state: ConfigurationState, target: StoredTarget): void {
  for (const { id, key, content } of state.all<RolloutContent>('rollout'))
    if (content.target.id === target.id && !hasEnded(content))
      throw new BailiwickError('conflict', {
        reason: 'rollout.target_taken',
        message: `The rollout '${key}' of the same ${target.kind} has not ended. Complete, abort or roll it back first.`,
        extra: { rollout: id },
      });
}

const nameTaken = (key: string): BailiwickError =>
  new BailiwickError('conflict', {
    reason: 'resource.key_taken',
    message: `There is already a rollout '${key}' in this scope. Choose another name.`,
  });

function refused({ error, faults }: RolloutRefusal): BailiwickError {
  return new BailiwickError(error.code === 'rollout.state' ? 'conflict' : 'invalid', {
    reason: error.code,
    message: `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`,
    ...(faults === undefined ? {} : { extra: { faults } }),
  });
}

const at = (timeMs: number): string => new Date(timeMs).toISOString();

/** As the API shows it. */
export function shownContent({ description, target, said, rollout, events }: RolloutContent): JsonValue {
  const dueMs = nextDueMs(rollout);
  const shownTarget = shownTargetOf(target);
  return {
    ...(description === undefined ? {} : { description }),
    target: shownTarget,
    ...said,
    state: rollout.state,
    percent: rollout.percent,
    next_step_at: dueMs === null ? null : at(dueMs),
    events: events.map(({ atMs, ...event }) => ({ ...event, at: at(atMs) })),
  } as unknown as JsonValue;
}

function shownTargetOf(target: StoredTarget): unknown {
  if (target.kind === 'policy')
    return { kind: 'policy', project: target.project, rego: target.rego, data: JSON.parse(target.dataText) as unknown };
  if (target.kind === 'flag' || target.encrypted === undefined) return target;
  return { kind: target.kind, id: target.id, redacted: true };
}
