/**
 * Which documents a caller may see: the project's and the platform's policies decide about each, with `input.document` (its attributes)
 * and `input.action` (`document.read` …), and a document with `groups` is for callers of one of these whatever a policy says.
 * `condition` narrows a search before it is made (partial evaluation); `maySee` is the decision itself and has the last word.
 */
import { BailiwickError } from '@bailiwick/contract';
import type { Filter, Value } from '@bailiwick/rego';
import { buildInput, type Caller, claimedProject } from '../decisions/decision-service.js';
import type { Enforcer } from '../decisions/enforcer.js';
import type { CatalogDocument, DocumentAttributes } from '../ports/document-catalog.port.js';

/** Who asks for what, as the policies see it. */
export interface DocumentRequest {
  readonly caller: Caller;
  readonly project: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly clientIp: string;
}

export type DocumentAction = 'document.read' | 'document.write' | 'document.delete';

export class Visibility {
  readonly #enforcer: Enforcer;

  constructor(enforcer: Enforcer) {
    this.#enforcer = enforcer;
  }

  /**
   * Errors: `document.policy_untranslatable` (forbidden) when a policy asks documents for something that no store can be asked for;
   * `document.policy_broken` (unavailable) when one does not run.
   */
  condition(request: DocumentRequest): Filter {
    const conditions = this.#enforcer.condition(this.#query(request, inputOf(request, 'document.read')));
    const filters = conditions.map((condition): Filter => {
      if (condition.kind === 'filter') return condition.filter;
      if (condition.kind === 'broken')
        throw new BailiwickError('unavailable', {
          reason: 'document.policy_broken',
          message: 'A policy does not run, so nothing may be shown. Ask the platform’s administrators.',
          operatorMessage: condition.message,
        });
      const isOwn = claimedProject(request.caller.claims) === request.project && condition.whose === 'project';
      throw new BailiwickError('forbidden', {
        reason: 'document.policy_untranslatable',
        message: isOwn
          ? `The project’s policy asks documents for something that a search cannot be narrowed by, so nothing is shown: ${condition.message}`
          : 'A policy asks documents for something that a search cannot be narrowed by, so nothing is shown.',
        operatorMessage: condition.message,
      });
    });
    return { op: 'and', filters: [{ op: 'or', filters }, groupCondition(request.caller)] };
  }

  /** The decision, on all that is known of the document now. */
  maySee(request: DocumentRequest, document: DocumentAttributes, action: DocumentAction = 'document.read'): boolean {
    if (action === 'document.read' && !isInGroup(request.caller, document)) return false;
    const input = { ...(inputOf(request, action) as object), document: policyView(document) } as unknown as Value;
    return this.#enforcer.decide(this.#query(request, input)).allowed;
  }

  #query(request: DocumentRequest, input: Value) {
    return {
      ...{ input, project: request.project, claimedProject: claimedProject(request.caller.claims) },
      isControlPlane: false,
    };
  }
}

function inputOf(request: DocumentRequest, action: DocumentAction): Value {
  return buildInput({ ...request, query: {}, action });
}

/** Exactly the attributes: a policy and a filter see the same document. */
export function policyView(document: DocumentAttributes): Value {
  const { id, name, title, media_type, source, tags, groups, metadata, created_by, created_at, updated_at, size } =
    document;
  const view = { id, name, title, media_type, source, tags, groups, metadata };
  return { ...view, created_by, created_at, updated_at, size } as unknown as Value;
}

function groupsOf(caller: Caller): readonly string[] {
  const { groups } = caller.claims;
  return Array.isArray(groups) ? groups.filter((group): group is string => typeof group === 'string') : [];
}

function groupCondition(caller: Caller): Filter {
  const own = groupsOf(caller).map((value): Filter => ({ op: 'contains', field: ['groups'], value }));
  const some: Filter = { op: 'any', field: ['groups'], filter: { op: 'gte', field: [], value: '' } };
  return { op: 'or', filters: [{ op: 'not', filter: some }, ...own] };
}

function isInGroup(caller: Caller, { groups }: Pick<CatalogDocument, 'groups'>): boolean {
  return groups.length === 0 || groupsOf(caller).some((group) => groups.includes(group));
}
