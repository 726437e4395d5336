/** What each route of the control plane says about itself; the application authorises, audits and documents by it. */
// Adds `tags`, `summary` … to the route schemas.

import type { Value } from '@bailiwick/rego';
import type {} from '@fastify/swagger';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../decisions/decision-service.js';

export interface RouteAccess {
  /** `public`: nobody is asked who they are. Else the action that the platform policy decides about, `policy.read` … */
  readonly action: 'public' | (string & {});
  /** More of the decision's input: the resource that the call is about. May throw a refusal (not found). */
  readonly facts?: (request: FastifyRequest) => Readonly<Record<string, Value>>;
  /** A call of a project's own service: the project's policy has its say, as on any request through the gateway. */
  readonly isOfProject?: boolean;
  /** `facts` are in the body: the caller is authenticated first, and the decision follows once the body has been read. */
  readonly isDecidedByBody?: boolean;
  /** Refused calls leave an audit record, successful ones leave theirs in their own transaction. */
  readonly isWrite?: boolean;
  /** Looks up what `facts` needs and is not in memory. */
  readonly prepare?: (request: FastifyRequest) => Promise<void>;
  /** Successful calls leave an audit record too: they show something sensitive. */
  readonly isSensitiveRead?: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: RouteAccess;
  }
  interface FastifyRequest {
    /** Set on every route that is not public. */
    caller: Caller;
    decisionId: string | undefined;
    startedNs: bigint;
  }
}

/** The facts every audit record takes from the request. */
export function auditContext(request: FastifyRequest): {
  readonly actor: string;
  readonly request_id: string;
  readonly client_ip: string;
} {
  return { actor: request.caller.actor, request_id: request.id, client_ip: request.ip };
}

export const nobody: Caller = { actor: 'anonymous', claims: {} };
