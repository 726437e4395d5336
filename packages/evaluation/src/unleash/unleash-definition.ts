/** Unleash's client features (specification 6.1): the parts that decide, as its API writes them. */
import type { JsonValue } from '../json.js';

export interface UnleashConstraint {
  readonly contextName: string;
  readonly operator: string;
  readonly values?: readonly string[];
  readonly value?: string;
  readonly inverted?: boolean;
  readonly caseInsensitive?: boolean;
}

export interface UnleashPayload {
  readonly type: string;
  readonly value: string;
}

export interface UnleashVariant {
  readonly name: string;
  readonly weight: number;
  readonly stickiness?: string;
  readonly payload?: UnleashPayload;
  readonly overrides?: readonly { readonly contextName: string; readonly values: readonly string[] }[];
}

export interface UnleashStrategy {
  readonly name: string;
  readonly parameters?: Readonly<Record<string, string | number | undefined>>;
  readonly constraints?: readonly UnleashConstraint[];
  readonly segments?: readonly number[];
  readonly variants?: readonly UnleashVariant[];
}

export interface UnleashDependency {
  readonly feature: string;
  /** False: the parent must be off. Absent: on. */
  readonly enabled?: boolean;
  readonly variants?: readonly string[];
}

export interface UnleashFeature {
  readonly name: string;
  readonly enabled: boolean;
  readonly strategies?: readonly UnleashStrategy[];
  readonly variants?: readonly UnleashVariant[];
  readonly dependencies?: readonly UnleashDependency[];
}

export interface UnleashSegment {
  readonly id: number;
  readonly constraints: readonly UnleashConstraint[];
}

/** Features and segments as of one moment. */
export interface UnleashState {
  readonly features: readonly UnleashFeature[];
  readonly segments: readonly UnleashSegment[];
}

/** Who asks, in Unleash's terms: well-known fields, and `properties` for all others. */
export interface UnleashContext {
  readonly properties?: Readonly<Record<string, JsonValue | undefined>>;
  readonly [field: string]: unknown;
}

/** What is not in the context and no pure function has. */
export interface UnleashWorld {
  /** Milliseconds since 1970, for `DATE_…` without a `currentTime` in the context; absent: those are false. */
  readonly nowMs?: number;
  /** 0 ≤ n < 1, for random stickiness; absent: always 0, so that everybody without an identifier shares a bucket. */
  readonly random?: () => number;
  /** For the strategy `applicationHostname`. */
  readonly hostname?: string;
}
