/**
 * Metadata: `# METADATA` comment blocks, read as YAML, attached to packages and rules by scope, and
 * handed to `rego.metadata.chain()` and `rego.metadata.rule()` as constants.
 */
import type { Value } from '../values/index.js';
import type { CompileContext, WorkRule } from './model.js';

export interface Annotation {
  readonly scope: string;
  readonly value: Value;
  readonly row: number;
  readonly endRow: number;
}

export interface RuleMetadata {
  readonly chain: Value;
  readonly rule: Value;
}

export function ruleMetadata(_context: CompileContext): (rule: WorkRule) => RuleMetadata {
  return () => ({ chain: [], rule: {} });
}
