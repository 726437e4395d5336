/** What a write of configuration is before it is committed: a plan made on a state, and the rules that look at it. */
import type { Value } from '@bailiwick/rego';
import type { RememberedAnswer, ResourceKind, ResourceScope } from '../ports/resource-store.port.js';
import type { Item } from './config-content.js';
import type { ConfigurationState } from './configuration-state.js';

/** Who writes, for history and audit. */
export interface WriteContext {
  readonly actor: string;
  readonly requestId: string;
  readonly clientIp: string;
  /** The verified claims, where a condition looks at them. */
  readonly claims?: Readonly<Record<string, Value>>;
  /** With an Idempotency-Key: what is kept with the write, so that the same request gets the same answer again. */
  readonly once?: Once;
}

export interface Once {
  readonly key: string;
  readonly fingerprint: string;
  readonly expiresMs: number;
  /** The answer that the write will have, as JSON text. */
  readonly answer: (written: Written) => string;
}

/** The write was made before, under the same Idempotency-Key; nothing was written now. */
export class WrittenBefore extends Error {
  readonly remembered: RememberedAnswer;
  constructor(remembered: RememberedAnswer) {
    super('this write was made before');
    this.remembered = remembered;
  }
}

/** One change of a plan; the writer adds id, version, times and the audit record. */
export type PlannedChange =
  | {
      readonly op: 'create';
      readonly kind: ResourceKind;
      readonly scope: ResourceScope;
      readonly key: string;
      readonly content: unknown;
      readonly action?: string;
      readonly id?: string;
    }
  | {
      readonly op: 'replace';
      readonly item: Item<unknown>;
      readonly content: unknown;
      readonly action?: string;
      readonly rolledBackTo?: number;
    }
  | { readonly op: 'delete'; readonly item: Item<unknown>; readonly action?: string };

export type Plan = (state: ConfigurationState) => Promise<readonly PlannedChange[]> | readonly PlannedChange[];

/** Looks at every plan before it is committed; throws to refuse, may add changes of its own. */
export interface WriteRule {
  check(
    changes: readonly PlannedChange[],
    state: ConfigurationState,
    context: WriteContext,
  ): Promise<readonly PlannedChange[]> | readonly PlannedChange[];
}

export interface Written {
  readonly revision: number;
  /** As they are now; a deleted one as it was. In the order of the plan. */
  readonly items: readonly Item<unknown>[];
}
