/**
 * The families that not every module uses and that weigh much, each loaded by an import of its own. Which
 * ones a module needs is told by the names in its text, before it is compiled.
 */
import type { Builtin } from './builtin.js';

export interface RareFamily {
  /** Its functions' names start with one of these, and no other family's do. */
  readonly prefixes: readonly string[];
  load(): Promise<readonly Builtin[]>;
}

export const rareFamilies: readonly RareFamily[] = [
  { prefixes: ['graphql.'], load: async () => (await import('./graphql-documents.js')).graphqlBuiltins },
  { prefixes: ['io.jwt.'], load: async () => (await import('./tokens.js')).tokenBuiltins },
  {
    prefixes: ['crypto.x509.', 'crypto.parse_private_keys'],
    load: async () => (await import('./certificates.js')).certificateBuiltins,
  },
  { prefixes: ['yaml.'], load: async () => (await import('./yaml-text.js')).yamlBuiltins },
  {
    prefixes: ['json.match_schema', 'json.verify_schema'],
    load: async () => (await import('./json-schemas.js')).jsonSchemaBuiltins,
  },
  { prefixes: ['strings.render_template'], load: async () => (await import('./templates.js')).templateBuiltins },
  { prefixes: ['providers.aws.'], load: async () => (await import('./aws.js')).awsBuiltins },
  { prefixes: ['net.'], load: async () => (await import('./networks.js')).networkBuiltins },
  { prefixes: ['time.'], load: async () => (await import('./times.js')).timeBuiltins },
];
