/**
 * What must hold of configuration after a write, in every scope that the write can be seen in: references resolve without cycles, effective
 * values meet their schemas, dependencies are there, secrets are not read by what is not secret. Only what the write touches
 * is looked at: the changed keys, those that refer to them or depend on them, and what these refer to.
 */
import { type ConfigEntry, type ConfigSnapshot, compileConfig } from '@bailiwick/evaluation';
import type { ResourceScope } from '../ports/resource-store.port.js';
import { configInvalid, type ValueFault } from './config-errors.js';
import { linkOf, type ProposedEntry } from './entry-index.js';
import { countsIn, toEntry } from './environment-document.js';
import { schemaFaults } from './json-schemas.js';

const maxScopes = 2_000;
const maxFaults = 20;

/**
 * `old`: the entries that the write can be seen in, and what they need, as they are; `next`: as they would be (`EntryIndex.closure`).
 * Throws `config.invalid_value` with every fault (at most 20) that was not there before.
 */
export function assertValid(old: readonly ProposedEntry[], next: readonly ProposedEntry[]): void {
  assertSecretsStayInside(next);
  const known = new Set<string>();
  const faults: ValueFault[] = [];
  for (const scope of scopesOf([...old, ...next])) {
    for (const fault of faultsIn(old, scope)) known.add(JSON.stringify(fault));
    for (const fault of faultsIn(next, scope)) {
      if (known.has(JSON.stringify(fault))) continue;
      faults.push(fault);
      if (faults.length >= maxFaults) break;
    }
    if (faults.length >= maxFaults) break;
  }
  if (faults.length === 0) return;
  const [first] = faults;
  throw configInvalid(
    'invalid_value',
    `The write was refused: ${first?.key}${first?.path}: ${first?.message}.`,
    faults,
  );
}

function scopesOf(entries: readonly ProposedEntry[]): readonly ResourceScope[] {
  const scopes = new Map<string, ResourceScope>([['\n', { appId: null, environment: null }]]);
  for (const { item } of entries) {
    const scope = { appId: item.appId, environment: item.environment };
    scopes.set(`${scope.appId ?? ''}\n${scope.environment ?? ''}`, scope);
    if (scopes.size > maxScopes)
      throw configInvalid(
        'too_many_scopes',
        `The change reaches more than ${maxScopes} apps and environments. Split it.`,
      );
  }
  return [...scopes.values()];
}

function* faultsIn(entries: readonly ProposedEntry[], scope: ResourceScope): Generator<ValueFault> {
  const counting = entries.filter(({ item }) => countsIn(item, scope));
  const shown: ConfigEntry[] = counting.flatMap(({ item, value }) =>
    value === undefined ? [] : [toEntry(item, value)],
  );
  const config = compileConfig(shown, scope);
  const where = { app_id: scope.appId, environment: scope.environment };
  for (const fault of config.faults) {
    const [, key = ''] = fault.path.split('/');
    yield { key: unescaped(key), path: fault.path.slice(key.length + 1), message: fault.message, ...where };
  }
  for (const entry of counting) {
    yield* schemaFaultsIn(entry, config, where);
    for (const needed of linkOf(entry).dependsOn)
      if (!config.has(needed))
        yield { key: entry.item.key, path: '/depends_on', message: `needs '${needed}', which is not set`, ...where };
  }
}

const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

function* schemaFaultsIn(
  { item }: ProposedEntry,
  config: ConfigSnapshot,
  where: { app_id: string | null; environment: string | null },
): Generator<ValueFault> {
  const { schema, sensitive = false } = item.content;
  const value = schema === undefined ? undefined : config.get(item.key);
  if (schema === undefined || value === undefined) return;
  for (const fault of schemaFaults(schema, value, sensitive)) yield { key: item.key, ...fault, ...where };
}

/** What refers to a secret would show it. */
function assertSecretsStayInside(entries: readonly ProposedEntry[]): void {
  const secret = new Set(entries.filter(({ item }) => item.content.sensitive).map(({ item }) => item.key));
  for (const entry of entries) {
    if (entry.item.content.sensitive) continue;
    for (const name of linkOf(entry).references) {
      for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) {
        if (!secret.has(name.slice(0, end))) continue;
        throw configInvalid(
          'secret_reference',
          `'${entry.item.key}' refers to the sensitive '${name.slice(0, end)}' and would show it. Make it sensitive too, or leave the reference out.`,
        );
      }
    }
  }
}
