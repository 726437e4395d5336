/** `check`: whether modules compile together. */
import { builtins } from '../builtins/index.js';
import { compileModules } from '../compile/stages.js';
import type { Module } from '../syntax/ast.js';

/** Errors: `RegoErrors` with everything the first failing stage found. */
export function checkModules(modules: readonly Module[], options: { readonly strict?: boolean } = {}): void {
  compileModules({
    modules,
    strict: options.strict === true,
    prints: true,
    optimize: false,
    builtins,
    isAllowed: () => true,
  });
}
