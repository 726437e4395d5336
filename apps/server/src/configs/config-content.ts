/** What the stored resources say: their content as it is kept (JSON), read once when a version comes in. */
import type { FlagDefinition, JsonValue, UnleashFeature, UnleashSegment } from '@bailiwick/evaluation';
import type { Resource } from '../ports/resource-store.port.js';

/** A value under a data key of the secret store; see `value-cipher.ts`. */
export interface EncryptedValue {
  /** The data key, wrapped by the secret store. */
  readonly key: string;
  readonly iv: string;
  readonly data: string;
  readonly tag: string;
}

export interface ConfigContentStored {
  /** Absent for a sensitive entry. */
  readonly value?: JsonValue;
  readonly encrypted?: EncryptedValue;
  readonly type: string;
  readonly description?: string;
  readonly sensitive?: boolean;
  readonly merge?: 'replace' | 'deep';
  readonly schema?: JsonValue;
  readonly dependsOn?: readonly string[];
}

export interface FlagContent {
  /** Of a flag from Unleash: what its variants look like; `unleash` decides. */
  readonly definition: FlagDefinition;
  /** The feature as Unleash wrote it, with the segments it names. */
  readonly unleash?: { readonly feature: UnleashFeature; readonly segments: readonly UnleashSegment[] };
  readonly description?: string;
}

export interface SegmentContent {
  /** JsonLogic; flags name it with `{"$ref": key}`. */
  readonly rule: JsonValue;
  readonly description?: string;
}

/** A resource with its content read. */
export interface Item<C> extends Omit<Resource, 'content'> {
  readonly content: C;
}

export type TypeName = 'string' | 'number' | 'boolean' | 'object' | 'array' | 'null';

export function typeOf(value: JsonValue): TypeName {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : (typeof value as TypeName);
}
