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
  /** Asked for where a decision is logged. */
  readonly requestId: () => string;
}

export interface Outcome {
  readonly value: Value | undefined;
  readonly decisionId: string | undefined;
  readonly nanoseconds: number;
}

/** At once, except where a token in the input has to be verified. Throws or rejects with the engine's errors, and with `policy.broken` (503). */
export function answerData(
  parts: DataParts,
  question: DataQuestion,
  input: Value | undefined,
): Outcome | Promise<Outcome> {
  const path = knownPath(question.path);
  const { steps } = path;
  if (steps[0] === 'bailiwick' && steps[1] === 'authz') {
    const document = isApisixInput(input) ? decisionInput(input, parts.authenticator) : input;
    return document instanceof Promise
      ? document.then((verified) => decide(parts, question, verified, steps.slice(2)))
      : decide(parts, question, document, steps.slice(2));
  }
  const { world, skipped } = worldOf(parts, steps, question);
  const startedMs = performance.now();
  const value = world?.policy.evaluate(path.textAfter(skipped), input, { strictBuiltinErrors: question.isStrict });
  return { value, decisionId: undefined, nanoseconds: nanosecondsSince(startedMs) };
}

const nanosecondsSince = (startedMs: number): number => Math.round((performance.now() - startedMs) * 1e6);

/** The decision rule as a document: `{allow, reason?, decision_id}`, also what APISIX's `opa` plugin asks for. */
function decide(
  parts: DataParts,
  question: DataQuestion,
  prepared: Value | undefined,
  rest: readonly string[],
): Outcome {
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
  const startedMs = performance.now();
  const decision = parts.decisions.decideOn(prepared ?? {}, {
    project: typeof members.project === 'string' ? members.project : claimed,
    claimedProject: claimed,
    isControlPlane: false,
    actor: typeof claims['sub'] === 'string' ? claims['sub'] : 'anonymous',
    requestId: typeof members.request_id === 'string' ? members.request_id : question.requestId(),
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
  return { value, decisionId: decision.id, nanoseconds: nanosecondsSince(startedMs) };
}

/** The world that a path means, and how many of its steps only said so. */
export function worldOf(
  parts: DataParts,
  steps: readonly string[],
  question: DataQuestion,
): { world: World | undefined; skipped: number } {
  const named = (name: string, skipped: number): { world: World | undefined; skipped: number } => {
    const state = parts.enforcer.state(name);
    if (state?.kind === 'broken')
      throw new BailiwickError('unavailable', {
        reason: 'policy.broken',
        message: `The policy of '${name}' does not run: ${state.error}`,
        retryAfterSeconds: 5,
      });
    return { world: state?.world, skipped };
  };
  if (steps[0] === 'projects' && steps[1] !== undefined) return named(steps[1], 2);
  const project = question.project ?? question.claimedProject;
  if (project !== undefined) return named(project, 0);
  const platform = named('platform', 0);
  // `package platform.authz` lives at platform/authz in its own world; `platform/` before another path names the world.
  if (steps[0] === 'platform' && platform.world && platform.world.packageSteps[0] !== 'platform')
    return named('platform', 1);
  return platform;
}

class DataPath {
  readonly steps: readonly string[];
  readonly #texts = new Map<number, string>();

  constructor(path: string) {
    this.steps = path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeSegment);
  }

  /** The steps after the first `skipped`, as the engine reads a path. */
  textAfter(skipped: number): string {
    let text = this.#texts.get(skipped);
    if (text === undefined) {
      text = this.steps
        .slice(skipped)
        .map((step) => `[${JSON.stringify(step)}]`)
        .join('');
      this.#texts.set(skipped, text);
    }
    return text;
  }
}

const maxKnownPaths = 1_000;
const maxKnownPathUnits = 1_000;
const knownPaths = new Map<string, DataPath>();

/** Services ask for the same few documents again and again. */
function knownPath(text: string): DataPath {
  const known = knownPaths.get(text);
  if (known !== undefined) return known;
  const path = new DataPath(text);
  if (text.length > maxKnownPathUnits) return path;
  if (knownPaths.size >= maxKnownPaths) knownPaths.delete(knownPaths.keys().next().value as string);
  knownPaths.set(text, path);
  return path;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
