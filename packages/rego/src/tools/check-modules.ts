/** `check`: whether modules compile together. */
import { builtins } from '../builtins/index.js';
import { compileModules } from '../compile/stages.js';
import type { Module } from '../syntax/ast.js';

export interface CheckOptions {
  readonly strict?: boolean;
  /** As OPA's: default 10, 0 is no limit. */
  readonly maxErrors?: number;
}

/** Errors: `RegoErrors` with everything found up to the stage that failed. */
export function checkModules(modules: readonly Module[], options: CheckOptions = {}): void {
  compileModules({
    modules,
    strict: options.strict === true,
    prints: true,
    optimize: false,
    builtins,
    isAllowed: () => true,
    maxErrors: options.maxErrors ?? 10,
  });
}
