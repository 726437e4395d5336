/** What evaluations ask: one moment of an environment, whole. A client has one at a time and swaps it in one assignment. */
import { compileEnvironment, type Environment, type EnvironmentDocument } from '@bailiwick/evaluation';
import type { DataSource, ErrorCode, Reason } from './answer.js';
import type { EvaluationContext, JsonValue } from './json.js';
import { documentOf, type EnvironmentSnapshot } from './snapshot.js';

/** `value` undefined: the code's default counts. */
export interface Answer {
  readonly value?: JsonValue | undefined;
  readonly variant?: string | undefined;
  readonly reason: Reason;
  readonly rule?: string | undefined;
  readonly errorCode?: ErrorCode | undefined;
  readonly errorMessage?: string | undefined;
  readonly metadata?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface World {
  readonly epoch: string;
  readonly revision: number;
  readonly source: DataSource;
  config(key: string, context: EvaluationContext, nowMs: number): Answer;
  flag(key: string, context: EvaluationContext, nowMs: number): Answer;
  hasFlag(key: string): boolean;
  hasConfig(key: string): boolean;
  configKeys(): readonly string[];
  flagKeys(): readonly string[];
}

const emptyMetadata = Object.freeze({});
const staticReason = (value: JsonValue): Answer => ({ value, reason: 'STATIC', metadata: emptyMetadata });

export const configNotFound = (key: string): Answer => ({
  reason: 'ERROR',
  errorCode: 'CONFIG_NOT_FOUND',
  errorMessage: `there is no configuration '${key}' here`,
});

/** An environment that is evaluated in this process. */
export class LocalWorld implements World {
  readonly snapshot: EnvironmentSnapshot;
  readonly source: DataSource;
  readonly document: EnvironmentDocument;
  readonly compiled: Environment;

  /** `previous`: what is the same object in it is not compiled again. Throws when the document cannot be compiled, which is the sender's fault. */
  constructor(snapshot: EnvironmentSnapshot, source: DataSource, previous?: LocalWorld) {
    this.snapshot = snapshot;
    this.source = source;
    this.document = documentOf(snapshot);
    this.compiled =
      previous?.document === this.document
        ? previous.compiled
        : compileEnvironment(this.document, { previous: previous?.compiled });
  }

  /** The same, now known to be what the server has. */
  confirmed(): LocalWorld {
    return new LocalWorld(this.snapshot, 'server', this);
  }

  get epoch(): string {
    return this.snapshot.epoch;
  }

  get revision(): number {
    return this.snapshot.revision;
  }

  config(key: string, context: EvaluationContext, nowMs: number): Answer {
    const value = this.compiled.config(key, context, nowMs);
    if (value !== undefined) return staticReason(value);
    const fault = this.compiled.configs.explain(key)?.fault;
    if (fault === undefined) return configNotFound(key);
    return { reason: 'ERROR', errorCode: 'PARSE_ERROR', errorMessage: fault.message };
  }

  flag(key: string, context: EvaluationContext, nowMs: number): Answer {
    return this.compiled.flag(key, context, nowMs);
  }

  hasFlag(key: string): boolean {
    return this.compiled.hasFlag(key);
  }

  hasConfig(key: string): boolean {
    return this.compiled.configs.has(key);
  }

  configKeys(): readonly string[] {
    return this.compiled.configs.keys();
  }

  flagKeys(): readonly string[] {
    return this.compiled.flagKeys();
  }
}
