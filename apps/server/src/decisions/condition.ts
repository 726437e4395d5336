/**
 * The decision rule (`decision.ts`) asked about documents that are not at hand: under which condition on `input.document` would it allow?
 * The answer narrows a search before it is made. It is no decision: whoever shows a document decides about it first, with all of it.
 */
import { type Filter, isPartialEvaluationError, partialDecision, type Value } from '@bailiwick/rego';
import type { DecisionQuery, WorldState } from './decision.js';
import type { World } from './world.js';

/** `untranslatable`: no store can be asked for it, so nothing may be shown; `broken`: a policy does not run. */
export type DocumentCondition =
  | { readonly kind: 'filter'; readonly filter: Filter }
  | { readonly kind: 'untranslatable'; readonly whose: 'platform' | 'project'; readonly message: string }
  | { readonly kind: 'broken'; readonly message: string };

class Untranslatable extends Error {
  readonly whose: 'platform' | 'project';

  constructor(whose: 'platform' | 'project', message: string) {
    super(message);
    this.whose = whose;
  }
}

/** Never throws. `input` is all of the input but `document`. */
export function conditionOf(
  platform: WorldState | undefined,
  project: WorldState | undefined,
  query: DecisionQuery,
): DocumentCondition {
  if (platform === undefined) return { kind: 'broken', message: 'There is no platform policy.' };
  for (const state of [platform, project])
    if (state?.kind === 'broken') return { kind: 'broken', message: `A policy does not run: ${state.error}` };
  const worlds: (readonly [World, 'platform' | 'project'])[] = [];
  if (platform.kind === 'ready') worlds.push([platform.world, 'platform']);
  if (project?.kind === 'ready') worlds.push([project.world, 'project']);
  try {
    const denials = worlds.map((one): Filter => not(ask(...one, 'deny', query.input)));
    const isForeign =
      query.claimedProject !== undefined && query.project !== undefined && query.claimedProject !== query.project;
    const allowances = worlds
      .filter(([, whose]) => whose === 'platform' || !isForeign)
      .map((one) => ask(...one, 'allow', query.input));
    return { kind: 'filter', filter: { op: 'and', filters: [...denials, { op: 'or', filters: allowances }] } };
  } catch (error) {
    if (error instanceof Untranslatable) return { kind: 'untranslatable', whose: error.whose, message: error.message };
    return { kind: 'broken', message: error instanceof Error ? error.message : String(error) };
  }
}

const not = (filter: Filter): Filter => ({ op: 'not', filter });

function ask(world: World, whose: 'platform' | 'project', rule: 'allow' | 'deny', input: Value): Filter {
  try {
    return partialDecision(world.policy, `${world.packagePath}.${rule}`, rule === 'allow' ? 'true' : 'holds', {
      input,
      unknowns: ['input.document'],
    });
  } catch (error) {
    if (isPartialEvaluationError(error)) throw new Untranslatable(whose, error.message);
    throw error;
  }
}
