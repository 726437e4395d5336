/**
 * Mounting: a module moved under a prefix, so that many projects share one OPA. Its package and its
 * references to documents of the same tenant are rewritten on the tree; references to documents the
 * caller names as shared stay as they are. Locals that shadow a name are not references and stay too.
 */

import { mapBody, mapTerm } from '../compile/walk.js';
import type { Import, Module, Term } from '../syntax/ast.js';
import { type ParseOptions, parseModuleSource } from '../syntax/parser.js';
import { printModule } from '../syntax/printer.js';

export interface MountOptions extends ParseOptions {
  readonly file?: string;
  /** Paths below `data` that are not the tenant's: `['system', 'shared.library']`. */
  readonly shared?: readonly string[];
}

class Mounter {
  private readonly prefix: readonly string[];
  private readonly shared: readonly (readonly string[])[];

  constructor(prefix: readonly string[], shared: readonly string[]) {
    this.prefix = prefix;
    this.shared = shared.map((path) => path.split('.'));
  }

  private isShared(path: readonly (string | undefined)[]): boolean {
    return this.shared.some(
      (shared) => shared.length <= path.length && shared.every((part, index) => part === path[index]),
    );
  }

  private term = (term: Term): Term => mapTerm(term, { term: (child) => this.replace(child) });

  private replace(term: Term): Term | undefined {
    if (term.kind !== 'ref') return undefined;
    const [head, ...rest] = term.terms;
    if (head?.kind !== 'var' || head.name !== 'data') return undefined;
    const path = rest.map((part) =>
      part.kind === 'scalar' && typeof part.value === 'string' ? part.value : undefined,
    );
    const mapped = rest.map(this.term);
    if (this.isShared(path)) return { ...term, terms: [head, ...mapped] };
    const steps = this.prefix.map((value): Term => ({ kind: 'scalar', value, location: head.location }));
    return { ...term, terms: [head, ...steps, ...mapped] };
  }

  private importPath(statement: Import): Import {
    const [root, ...path] = statement.path;
    if (root !== 'data' || this.isShared(path)) return statement;
    // `import data` alone would be named after the prefix's last step: keep its name.
    const alias = statement.alias ?? (path.length === 0 ? 'data' : undefined);
    return { ...statement, path: ['data', ...this.prefix, ...path], alias: alias === 'data' ? statement.alias : alias };
  }

  module(module: Module): Module {
    const mapper = { term: (term: Term): Term | undefined => this.replace(term) };
    const rule = (each: Module['rules'][number]): Module['rules'][number] => ({
      ...each,
      head: {
        ...each.head,
        ref: each.head.ref.map((term, index) => (index === 0 ? term : this.term(term))),
        args: each.head.args?.map(this.term),
        key: each.head.key && this.term(each.head.key),
        value: each.head.value && this.term(each.head.value),
      },
      body: mapBody(each.body, mapper),
      otherwise: each.otherwise.map(rule),
    });
    return {
      ...module,
      package: { ...module.package, path: [...this.prefix, ...module.package.path] },
      imports: module.imports.map((statement) => this.importPath(statement)),
      rules: module.rules.map(rule),
    };
  }
}

/** The tree of a module moved under `prefix` (`tenants.acme`). */
export function mountModule(module: Module, prefix: string, options: Pick<MountOptions, 'shared'> = {}): Module {
  return new Mounter(prefix.split('.'), options.shared ?? []).module(module);
}

/** The text of a module moved under `prefix`. Errors: `RegoErrors`. */
export function mountModuleText(text: string, prefix: string, options: MountOptions = {}): string {
  return printModule(mountModule(parseModuleSource(options.file ?? '', text, options), prefix, options));
}
