/** `check`: whether modules compile together. */
import { builtins } from '../builtins/index.js';
import { compileModules } from '../compile/stages.js';
import type { Module } from '../syntax/ast.js';
import type { Value } from '../values/index.js';
import type { Capabilities } from './capabilities-document.js';
import { schemaTypes } from './schema-types.js';

export interface CheckOptions {
  readonly strict?: boolean;
  /** As OPA's: default 10, 0 is no limit. */
  readonly maxErrors?: number;
  /** As the workbench takes them. */
  readonly capabilities?: Capabilities | undefined;
  readonly schemas?: ReadonlyMap<string, Value> | undefined;
}

/** Errors: `RegoErrors` with everything found up to the stage that failed. */
export function checkModules(modules: readonly Module[], options: CheckOptions = {}): void {
  compileModules({
    modules,
    strict: options.strict === true,
    prints: true,
    optimize: false,
    builtins,
    isAllowed: (builtin) => options.capabilities?.builtins.has(builtin.name) !== false,
    schemas: schemaTypes(options.schemas),
    maxErrors: options.maxErrors ?? 10,
  });
}
