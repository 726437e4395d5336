/**
 * All built-in functions by name, and the capabilities document that lists them. Everything but the
 * browser's worker uses this table; `on-demand.ts` is the worker's.
 */
import { awsBuiltins } from './aws.js';
import type { Builtin } from './builtin.js';
import { certificateBuiltins } from './certificates.js';
import { coreBuiltins } from './core.js';
import { graphqlBuiltins } from './graphql-documents.js';
import { jsonSchemaBuiltins } from './json-schemas.js';
import { networkBuiltins } from './networks.js';
import { templateBuiltins } from './templates.js';
import { timeBuiltins } from './times.js';
import { tokenBuiltins } from './tokens.js';
import type { TypeDecl } from './type-decl.js';
import { yamlBuiltins } from './yaml-text.js';

export type { Builtin, BuiltinDocs, Capability, DocumentedType } from './builtin.js';
export {
  type BuiltinContext,
  type ContextOptions,
  createContext,
  type HttpClient,
  type RandomSource,
  seededRandom,
} from './context.js';
export type { CryptoProvider } from './crypto/crypto-provider.js';
export { portableCrypto } from './crypto/portable-crypto.js';
export { BuiltinError, type BuiltinErrorCode, HaltError } from './errors.js';
export type { FunctionDecl, StaticMember, TypeDecl } from './type-decl.js';

const rareBuiltins: readonly Builtin[] = [
  awsBuiltins,
  certificateBuiltins,
  graphqlBuiltins,
  jsonSchemaBuiltins,
  networkBuiltins,
  templateBuiltins,
  timeBuiltins,
  tokenBuiltins,
  yamlBuiltins,
].flat();

/** Every built-in function by name. */
export const builtins: ReadonlyMap<string, Builtin> = new Map(
  [...coreBuiltins, ...rareBuiltins].map((builtin) => [builtin.name, builtin] as const),
);

/** One entry of the capabilities document's `builtins`. */
export interface BuiltinCapability {
  readonly name: string;
  readonly decl: TypeDecl;
  readonly infix?: string;
  readonly relation?: boolean;
  readonly nondeterministic?: boolean;
  readonly deprecated?: boolean;
}

function toCapability(builtin: Builtin): BuiltinCapability {
  const { name, args, result, variadic, infix, relation, nondeterministic, deprecated } = builtin;
  return {
    name,
    decl: {
      type: 'function',
      ...(args.length > 0 ? { args } : {}),
      ...(result === undefined ? {} : { result }),
      ...(variadic === undefined ? {} : { variadic }),
    },
    ...(infix === undefined ? {} : { infix }),
    ...(relation ? { relation } : {}),
    ...(nondeterministic ? { nondeterministic } : {}),
    ...(deprecated ? { deprecated } : {}),
  };
}

/** What OPA 1.22 has, in the form of its capabilities document. */
export interface CapabilitiesDocument {
  /** Sorted by name. */
  readonly builtins: readonly BuiltinCapability[];
  readonly future_keywords: readonly string[];
  readonly features: readonly string[];
}

export function capabilities(): CapabilitiesDocument {
  const entries = [...builtins.values()].map(toCapability);
  return {
    builtins: entries.sort((a, b) => (a.name < b.name ? -1 : 1)),
    future_keywords: ['and', 'not', 'or'],
    features: ['keywords_in_refs', 'rego_v1', 'rego_v2', 'rego_v2_import', 'template_strings'],
  };
}
