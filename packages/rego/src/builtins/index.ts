/** All built-in functions by name, and the capabilities document that lists them. */
import { aggregateBuiltins } from './aggregates.js';
import { arithmeticBuiltins } from './arithmetic.js';
import { arrayBuiltins } from './arrays.js';
import { awsBuiltins } from './aws.js';
import { bitBuiltins } from './bits.js';
import type { Builtin } from './builtin.js';
import { certificateBuiltins } from './certificates.js';
import { comparisonBuiltins } from './comparison.js';
import { encodingBuiltins } from './encoding.js';
import { graphqlBuiltins } from './graphql-documents.js';
import { graphBuiltins } from './graphs.js';
import { hashBuiltins } from './hashes.js';
import { httpBuiltins } from './http.js';
import { jsonPathBuiltins } from './json-paths.js';
import { jsonSchemaBuiltins } from './json-schemas.js';
import { networkBuiltins } from './networks.js';
import { numberBuiltins } from './numbers.js';
import { objectBuiltins } from './objects.js';
import { regoBuiltins } from './rego.js';
import { regexBuiltins } from './regular-expressions.js';
import { semverBuiltins } from './semver.js';
import { setBuiltins } from './sets.js';
import { stringBuiltins } from './strings.js';
import { templateBuiltins } from './templates.js';
import { timeBuiltins } from './times.js';
import { tokenBuiltins } from './tokens.js';
import { tracingBuiltins } from './tracing.js';
import type { TypeDecl } from './type-decl.js';
import { typeBuiltins } from './types.js';
import { unitBuiltins } from './units.js';
import { uriBuiltins } from './uris.js';
import { uuidBuiltins } from './uuids.js';
import { walkBuiltins } from './walk.js';
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

const families: readonly (readonly Builtin[])[] = [
  aggregateBuiltins,
  arithmeticBuiltins,
  arrayBuiltins,
  awsBuiltins,
  bitBuiltins,
  certificateBuiltins,
  comparisonBuiltins,
  encodingBuiltins,
  graphqlBuiltins,
  graphBuiltins,
  hashBuiltins,
  httpBuiltins,
  jsonPathBuiltins,
  jsonSchemaBuiltins,
  networkBuiltins,
  numberBuiltins,
  objectBuiltins,
  regexBuiltins,
  regoBuiltins,
  semverBuiltins,
  setBuiltins,
  stringBuiltins,
  templateBuiltins,
  timeBuiltins,
  tokenBuiltins,
  tracingBuiltins,
  typeBuiltins,
  unitBuiltins,
  uriBuiltins,
  uuidBuiltins,
  walkBuiltins,
  yamlBuiltins,
];

/** Every built-in function by name. */
export const builtins: ReadonlyMap<string, Builtin> = new Map(
  families.flat().map((builtin) => [builtin.name, builtin] as const),
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

/** The built-ins as OPA's capabilities document lists them, sorted by name. */
export function capabilities(): { readonly builtins: readonly BuiltinCapability[] } {
  const entries = [...builtins.values()].map(toCapability);
  return { builtins: entries.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}
