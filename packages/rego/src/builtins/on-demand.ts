/**
 * The table that grows: core built-ins at first, rare families when a module asks for one. The
 * browser's bundle puts it in the place of `index.ts` (see `scripts/rego-browser.mjs`), so it exports
 * what the engine takes from there. In another bundle the engine has the whole table already, and
 * what is loaded here changes nothing.
 */
import { type Body, type Module, operatorName, type Term } from '../syntax/ast.js';
import type { Builtin } from './builtin.js';
import { coreBuiltins } from './core.js';
import { type RareFamily, rareFamilies } from './rare-families.js';

export { seededRandom } from './context.js';
export { portableCrypto } from './crypto/portable-crypto.js';
export { BuiltinError } from './errors.js';

const table = new Map(coreBuiltins.map((builtin) => [builtin.name, builtin] as const));

/** Every built-in function that is loaded, by name. */
export const builtins: ReadonlyMap<string, Builtin> = table;

const loaded = new Set<RareFamily>();

/** Words without which a text names no function of a rare family; the first word of a name cannot be escaped. */
const HINT = /\b(?:graphql|io|crypto|yaml|json|strings|providers|net|time)\s*[.[]|METADATA/;

function addNames(node: unknown, names: Set<string>): void {
  if (Array.isArray(node)) {
    for (const element of node) addNames(element, names);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  const { kind } = node as { readonly kind?: unknown };
  if (kind === 'scalar' || kind === 'var') return;
  if (kind === 'ref') {
    const name = operatorName(node as Term);
    if (name !== undefined) names.add(name);
  }
  for (const [key, value] of Object.entries(node)) {
    if (key !== 'location' && typeof value === 'object') addNames(value, names);
  }
}

/** Names of functions that a tree may call; `rego.metadata…` reads comments, which takes YAML. */
function namesIn(tree: Module | Body): ReadonlySet<string> {
  const names = new Set<string>();
  addNames('rules' in tree ? tree.rules : tree, names);
  if ([...names].some((name) => name.startsWith('rego.metadata.'))) names.add('yaml.unmarshal');
  return names;
}

/**
 * Loads the families whose functions the texts name. `parse` reads a text; what it cannot read needs
 * nothing, since compiling it fails. Errors: those of `import()`, when a chunk cannot be fetched.
 */
export async function loadBuiltinsFor(
  texts: readonly string[],
  parse: (text: string, index: number) => Module | Body | undefined,
): Promise<void> {
  const missing = new Set(rareFamilies.filter((family) => !loaded.has(family)));
  const wanted = new Set<RareFamily>();
  for (const [index, text] of texts.entries()) {
    if (missing.size === 0) break;
    if (!HINT.test(text)) continue;
    const tree = parse(text, index);
    if (tree === undefined) continue;
    const names = [...namesIn(tree)];
    for (const family of missing) {
      if (names.some((name) => family.prefixes.some((prefix) => name.startsWith(prefix)))) wanted.add(family);
    }
    for (const family of wanted) missing.delete(family);
  }
  await Promise.all([...wanted].map(loadFamily));
}

async function loadFamily(family: RareFamily): Promise<void> {
  for (const builtin of await family.load()) table.set(builtin.name, builtin);
  loaded.add(family);
}
