/**
 * What must hold of configuration after a write, in every scope that the write can be seen in: references resolve without cycles, effective
 * values meet their schemas, dependencies are there, secrets are not read by what is not secret. Only what the write touches
 * is looked at: the changed keys, those that refer to them or depend on them, and what these refer to.
 */
import {
  type ConfigEntry,
  type ConfigSnapshot,
  compileConfig,
  type JsonValue,
  referencedKeys,
} from '@bailiwick/evaluation';
import type { ResourceScope } from '../ports/resource-store.port.js';
import type { ConfigContentStored, Item } from './config-content.js';
import { configInvalid, type ValueFault } from './config-errors.js';
import { countsIn, toEntry } from './environments.js';
import { schemaFaults } from './json-schemas.js';

/** An entry as it would be, with its value in the clear; `value` undefined: a secret that cannot be opened now. */
export interface ProposedEntry {
  readonly item: Item<ConfigContentStored>;
  readonly value: JsonValue | undefined;
}

interface Link {
  readonly references: ReadonlySet<string>;
  readonly dependsOn: readonly string[];
}

const links = new WeakMap<ConfigContentStored, Link>();

function linkOf({ item, value }: ProposedEntry): Link {
  const known = links.get(item.content);
  if (known) return known;
  const link = {
    references: value === undefined ? new Set<string>() : referencedKeys(value),
    dependsOn: item.content.dependsOn ?? [],
  };
  if (value !== undefined) links.set(item.content, link);
  return link;
}

const maxScopes = 2_000;
const maxFaults = 20;

/**
 * `after`: all entries as they would be; `before`: as they are; `changed`: the keys of the write.
 * Throws `config.invalid_value` with every fault (at most 20) that was not there before.
 */
export function assertValid(
  before: readonly ProposedEntry[],
  after: readonly ProposedEntry[],
  changed: ReadonlySet<string>,
): void {
  const keys = closure(after, closure(before, changed));
  const relevant = (entries: readonly ProposedEntry[]) => entries.filter(({ item }) => keys.has(item.key));
  const next = relevant(after);
  const old = relevant(before);
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

/** The keys that a change of `keys` can be seen in, and all that they need. */
function closure(entries: readonly ProposedEntry[], keys: ReadonlySet<string>): ReadonlySet<string> {
  const users = new Map<string, Set<string>>();
  const uses = new Map<string, Set<string>>();
  const add = (map: Map<string, Set<string>>, from: string, to: string): void => {
    const known = map.get(from);
    if (known) known.add(to);
    else map.set(from, new Set([to]));
  };
  for (const entry of entries) {
    const { references, dependsOn } = linkOf(entry);
    for (const name of [...references, ...dependsOn]) {
      // `a.b.c` may be a path into the key `a.b`.
      for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) {
        add(users, name.slice(0, end), entry.item.key);
        add(uses, entry.item.key, name.slice(0, end));
      }
    }
  }
  const reach = (start: ReadonlySet<string>, map: Map<string, Set<string>>): Set<string> => {
    const found = new Set(start);
    for (const key of found) for (const next of map.get(key) ?? []) found.add(next);
    return found;
  };
  return reach(reach(keys, users), uses);
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
