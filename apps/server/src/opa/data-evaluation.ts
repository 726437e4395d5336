/**
 * Answers for OPA's Data API, free of HTTP. Which world a path means: `projects/NAME/…` that project's, `platform/…` the platform's,
 * `bailiwick/authz` the decision rule; any other path is read in the world of the asked-for project, else of the token's `project` claim,
 * else in the platform's.
 */
import { BailiwickError } from '@bailiwick/contract';
import type { Value } from '@bailiwick/rego';
import { claimedProject, type DecisionService } from '../decisions/decision-service.js';
import type { Enforcer } from '../decisions/enforcer.js';
import type { World } from '../decisions/world.js';
import type { Authenticator } from '../identity/authenticator.js';
import { decisionInput, isApisixInput } from './apisix-input.js';

export interface DataParts {
  readonly enforcer: Enforcer;
  readonly decisions: DecisionService;
  readonly authenticator: Authenticator;
}

export interface DataQuestion {
  /** Below `/v1/data/`, as it came. */
  readonly path: string;
  /** `?project=` */
  readonly project: string | undefined;
  readonly claimedProject: string | undefined;
  readonly isStrict: boolean;
  readonly requestId: string;
}

export interface Outcome {
  readonly value: Value | undefined;
  readonly decisionId: string | undefined;
  readonly nanoseconds: number;
}

/** Rejects with the engine's errors, and with `policy.broken` (503). */
export async function answerData(parts: DataParts, question: DataQuestion, input: Value | undefined): Promise<Outcome> {
  const path = splitPath(question.path);
  if (path[0] === 'bailiwick' && path[1] === 'authz') return await decide(parts, question, input, path.slice(2));
  const { world, rest } = worldOf(parts, path, question);
  const started = process.hrtime.bigint();
  const value = world?.policy.evaluate(rest.map((step) => `[${JSON.stringify(step)}]`).join(''), input, {
    strictBuiltinErrors: question.isStrict,
  });
  return { value, decisionId: undefined, nanoseconds: Number(process.hrtime.bigint() - started) };
}

/** The decision rule as a document: `{allow, reason?, decision_id}`, also what APISIX's `opa` plugin asks for. */
async function decide(
  parts: DataParts,
  question: DataQuestion,
  input: Value | undefined,
  rest: readonly string[],
): Promise<Outcome> {
  const prepared = isApisixInput(input) ? await decisionInput(input, parts.authenticator) : input;
  const members = (typeof prepared === 'object' && prepared !== null && !Array.isArray(prepared) ? prepared : {}) as {
    readonly project?: Value;
    readonly claims?: Value;
    readonly request_id?: Value;
  };
  const claims = (typeof members.claims === 'object' && members.claims !== null ? members.claims : {}) as Record<
    string,
    Value
  >;
  const claimed = claimedProject(claims);
  const started = process.hrtime.bigint();
  const decision = parts.decisions.decideOn(prepared ?? {}, {
    project: typeof members.project === 'string' ? members.project : claimed,
    claimedProject: claimed,
    isControlPlane: false,
    actor: typeof claims['sub'] === 'string' ? claims['sub'] : 'anonymous',
    requestId: typeof members.request_id === 'string' ? members.request_id : question.requestId,
  });
  const reason =
    decision.reasons.length > 0
      ? { reason: decision.reasons.length === 1 ? (decision.reasons[0] as Value) : decision.reasons }
      : {};
  const document: Record<string, Value> = {
    allow: decision.allowed,
    ...(decision.allowed ? {} : { status_code: decision.decidedBy === 'error' ? 503 : 403 }),
    ...reason,
  };
  const value =
    rest.length === 0
      ? document
      : rest.length === 1 && Object.hasOwn(document, rest[0] ?? '')
        ? document[rest[0] ?? '']
        : undefined;
  return { value, decisionId: decision.id, nanoseconds: Number(process.hrtime.bigint() - started) };
}

export function worldOf(
  parts: DataParts,
  path: readonly string[],
  question: DataQuestion,
): { world: World | undefined; rest: readonly string[] } {
  const named = (name: string, rest: readonly string[]): { world: World | undefined; rest: readonly string[] } => {
    const state = parts.enforcer.state(name);
    if (state?.kind === 'broken')
      throw new BailiwickError('unavailable', {
        reason: 'policy.broken',
        message: `The policy of '${name}' does not run: ${state.error}`,
        retryAfterSeconds: 5,
      });
    return { world: state?.world, rest };
  };
  if (path[0] === 'projects' && path[1] !== undefined) return named(path[1], path.slice(2));
  const project = question.project ?? question.claimedProject;
  if (project !== undefined) return named(project, path);
  const platform = named('platform', path);
  // `package platform.authz` lives at platform/authz in its own world; `platform/` before another path names the world.
  if (path[0] === 'platform' && platform.world && platform.world.packageSteps[0] !== 'platform')
    return named('platform', path.slice(1));
  return platform;
}

const splitPath = (path: string): readonly string[] =>
  path
    .split('/')
    .filter((segment) => segment !== '')
    .map(decodeSegment);

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
