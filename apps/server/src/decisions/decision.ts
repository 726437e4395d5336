/**
 * The decision rule (design section 4), pure: allowed when no `deny` holds in the platform's policy or the project's, and `allow` holds in
 * one of them. Everything else — no policy, undefined, an error, a time-out — is a denial.
 */
import type { Value } from '@bailiwick/rego';
import { RegoSet } from '@bailiwick/rego';
import type { World } from './world.js';

/** A policy in force, or why it cannot be: then everything it has a say in is denied. */
export type WorldState =
  | { readonly kind: 'ready'; readonly world: World }
  | { readonly kind: 'broken'; readonly revision: number; readonly error: string };

export interface DecisionQuery {
  readonly input: Value;
  /** The project the request is for: the route's label, else its path parameter, else the token's claim. */
  readonly project: string | undefined;
  /** The `project` claim of the token. */
  readonly claimedProject: string | undefined;
  /** Bailiwick's own API: only the platform's policy may allow. */
  readonly isControlPlane: boolean;
}

export interface Verdict {
  readonly allowed: boolean;
  /** Whose `allow` or `deny` settled it; `none` when nothing allowed it, `error` when a policy failed. */
  readonly decidedBy: 'platform' | 'project' | 'none' | 'error';
  /** What `deny` answered, in the policy's words. */
  readonly reasons: readonly Value[];
  readonly error?: string;
  /** The rollout by whose version of a policy it was decided. */
  readonly rollout?: string;
}

const refused = (decidedBy: Verdict['decidedBy'], reasons: readonly Value[] = []): Verdict => ({
  allowed: false,
  decidedBy,
  reasons,
});

/** Never throws. */
export function judge(
  platform: WorldState | undefined,
  project: WorldState | undefined,
  query: DecisionQuery,
): Verdict {
  try {
    return judgeUnguarded(platform, project, query);
  } catch (error) {
    return {
      allowed: false,
      decidedBy: 'error',
      reasons: [],
      error: error instanceof Error ? error.message : String(error),
    };
  }
}

function judgeUnguarded(
  platform: WorldState | undefined,
  projectState: WorldState | undefined,
  query: DecisionQuery,
): Verdict {
  // Without the platform's policy nobody knows what it would deny.
  if (platform === undefined) return { ...refused('error'), error: 'There is no platform policy.' };
  if (platform.kind === 'broken')
    return { ...refused('error'), error: `The platform policy does not run: ${platform.error}` };
  const platformDenies = platform.world.deny(query.input);
  if (holds(platformDenies)) return refused('platform', reasonsOf(platformDenies));

  const project = query.isControlPlane ? undefined : projectState;
  if (project?.kind === 'broken')
    return { ...refused('error'), error: `The project’s policy does not run: ${project.error}` };
  if (project) {
    const projectDenies = project.world.deny(query.input);
    if (holds(projectDenies)) return refused('project', reasonsOf(projectDenies));
  }
  if (platform.world.allow(query.input) === true) return { allowed: true, decidedBy: 'platform', reasons: [] };
  const isForeign =
    query.claimedProject !== undefined && query.project !== undefined && query.claimedProject !== query.project;
  if (isForeign)
    return refused('none', [
      `The token is for the project '${query.claimedProject}', the request for '${query.project}'.`,
    ]);
  if (project && project.world.allow(query.input) === true) return { allowed: true, decidedBy: 'project', reasons: [] };
  return refused('none');
}

/** A `deny` holds unless it is undefined, false, or an empty collection. */
function holds(value: Value | undefined): boolean {
  if (value === undefined || value === false) return false;
  return !(isCollection(value) && elementsOf(value).length === 0);
}

function reasonsOf(value: Value | undefined): readonly Value[] {
  if (value === undefined || value === true) return [];
  return isCollection(value) ? elementsOf(value) : [value];
}

const isCollection = (value: Value): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (Array.isArray(value) || value instanceof RegoSet || isPlainObject(value));

const isPlainObject = (value: object): value is Record<string, Value> =>
  Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null;

function elementsOf(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value as readonly Value[];
  if (value instanceof RegoSet) return [...value];
  if (typeof value === 'object' && value !== null && isPlainObject(value))
    return Object.entries(value as Record<string, Value>).map(([key, item]) => (item === true ? key : { [key]: item }));
  return [value];
}
