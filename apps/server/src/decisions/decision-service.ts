/**
 * The one place where decisions are made: builds the policy's input, asks the enforcer, measures and logs. Everything that decides —
 * gateway, control plane, OPA's REST API — comes through here.
 */
import type { Value } from '@bailiwick/rego';
import type { Verdict } from './decision.js';
import type { DecisionLog } from './decision-log.js';
import type { Enforcer } from './enforcer.js';
import { orderedId } from './ordered-id.js';

export interface Caller {
  /** Who, as it stands in logs: the token's `sub`, `api-key:ID`, `anonymous`. */
  readonly actor: string;
  /** The verified claims; `{}` for nobody. */
  readonly claims: Readonly<Record<string, Value>>;
}

export interface DecisionRequest {
  readonly caller: Caller;
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  /** As Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly query: Readonly<Record<string, Value>>;
  readonly project: string | undefined;
  readonly requestId: string;
  /** For Bailiwick's own API: what the call does, `policy.read` …; only the platform's policy may allow it. */
  readonly action?: string;
  /** Of a project's own service inside of Bailiwick: the project's policy decides too. */
  readonly isOfProject?: boolean;
  /** More members of the input: what an LLM call is about, the route … */
  readonly facts?: Readonly<Record<string, Value>>;
  /** For what applications ask all the time: when it is allowed, it is counted and not logged. */
  readonly isLoggedOnlyWhenDenied?: boolean;
}

export interface Decision extends Verdict {
  readonly id: string;
}

export interface DecisionObserver {
  decided(verdict: Verdict, seconds: number, project: string | undefined): void;
}

/** Never shown to policies or logs: they are the caller's keys. */
const hiddenHeaders = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-api-key', 'set-cookie']);

export class DecisionService {
  readonly #enforcer: Enforcer;
  readonly #log: DecisionLog;
  readonly #observer: DecisionObserver;

  constructor(enforcer: Enforcer, log: DecisionLog, observer: DecisionObserver) {
    this.#enforcer = enforcer;
    this.#log = log;
    this.#observer = observer;
  }

  /** Never throws; anything unclear is a denial. */
  decide(request: DecisionRequest): Decision {
    return this.decideOn(buildInput(request), {
      project: request.project,
      claimedProject: claimedProject(request.caller.claims),
      isControlPlane: request.action !== undefined && request.isOfProject !== true,
      actor: request.caller.actor,
      requestId: request.requestId,
      isLoggedOnlyWhenDenied: request.isLoggedOnlyWhenDenied === true,
    });
  }

  /** For an input that somebody else built: OPA's REST API. */
  decideOn(
    input: Value,
    about: {
      project: string | undefined;
      claimedProject: string | undefined;
      isControlPlane: boolean;
      actor: string;
      requestId: string;
      isLoggedOnlyWhenDenied?: boolean;
    },
  ): Decision {
    const startedMs = performance.now();
    const verdict = this.#enforcer.decide({
      input,
      project: about.project,
      claimedProject: about.claimedProject,
      isControlPlane: about.isControlPlane,
    });
    const ms = performance.now() - startedMs;
    const id = orderedId();
    this.#observer.decided(verdict, ms / 1e3, about.project);
    const isUnlogged = about.isLoggedOnlyWhenDenied === true && verdict.allowed;
    if (isUnlogged || !this.#log.wants(verdict)) return { ...verdict, id };
    this.#log.record({
      id,
      timestampMs: Date.now(),
      input,
      ...about,
      verdict,
      nanoseconds: Math.round(ms * 1e6),
      platformRevision: this.#enforcer.entry('platform')?.document.revision ?? 0,
      projectRevision: about.project === undefined ? undefined : this.#enforcer.entry(about.project)?.document.revision,
    });
    return { ...verdict, id };
  }
}

/** The specification's `{claims, path, method}` first; `user` is the claims again, because its example reads `input.user.role`. */
export function buildInput(request: DecisionRequest): Value {
  return {
    claims: request.caller.claims,
    user: request.caller.claims,
    method: request.method,
    path: request.path,
    segments: request.path.split('/').filter((segment) => segment !== ''),
    headers: shownHeaders(request.headers),
    query: request.query,
    ...(request.project === undefined ? {} : { project: request.project }),
    request_id: request.requestId,
    ...(request.action === undefined ? {} : { service: 'bailiwick', action: request.action }),
    ...request.facts,
  };
}

function shownHeaders(headers: DecisionRequest['headers']): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || hiddenHeaders.has(name)) continue;
    shown[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return shown;
}

/** The `project` claim, when it is a text. */
export function claimedProject(claims: Readonly<Record<string, Value>>): string | undefined {
  const project = claims['project'];
  return typeof project === 'string' && project !== '' ? project : undefined;
}
