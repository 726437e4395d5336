/** Flags as flagd writes them (its flags.json, schema v0), with prerequisites added; and the answer to an evaluation. */
import type { JsonValue } from '../json.js';

export type FlagState = 'ENABLED' | 'DISABLED';

/** Who asks. `targetingKey` is what buckets are sticky by; everything else is for rules to look at. */
export interface EvaluationContext {
  readonly targetingKey?: string;
  readonly [attribute: string]: JsonValue | undefined;
}

/** A flag that counts only while another flag answers with a certain variant. */
export interface Prerequisite {
  readonly flag: string;
  readonly variant: string;
}

export interface FlagDefinition {
  readonly state: FlagState;
  /** Name → value; all of one JSON type. */
  readonly variants: Readonly<Record<string, JsonValue>>;
  /** Null or absent: the caller's own default. */
  readonly defaultVariant?: string | null;
  /** JsonLogic that gives the name of a variant; null, absent or `{}`: the default variant. */
  readonly targeting?: JsonValue;
  /** Ours: all must hold, otherwise the flag answers as if it were disabled. */
  readonly prerequisites?: readonly Prerequisite[];
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

export interface FlagSet {
  readonly flags: Readonly<Record<string, FlagDefinition>>;
  /** Named rules that targeting names with `{"$ref": "name"}`: segments. */
  readonly $evaluators?: Readonly<Record<string, JsonValue>>;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

export type FlagReason = 'STATIC' | 'DEFAULT' | 'TARGETING_MATCH' | 'SPLIT' | 'DISABLED' | 'ERROR';

export type FlagErrorCode = 'FLAG_NOT_FOUND' | 'PARSE_ERROR' | 'TYPE_MISMATCH' | 'GENERAL';

/** What a flag answers. Frozen and shared between evaluations: nothing is made anew for an answer. */
export interface FlagAnswer {
  /** Absent: the caller's own default counts. */
  readonly value?: JsonValue;
  readonly variant?: string;
  readonly reason: FlagReason;
  /** JSON pointer, in the flag with its `$ref`s put in, of the part that gave the variant: `/targeting/if/1`. */
  readonly rule?: string;
  readonly errorCode?: FlagErrorCode;
  readonly errorMessage?: string;
  /** The set's metadata with the flag's own over it. */
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}
