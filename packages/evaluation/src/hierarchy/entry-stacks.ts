/** The entries of each key, from the least specific to the most, and what they come to when they are laid over each other. */
import type { Fault } from '../fault.js';
import { isDeeperThan, type JsonValue, MAX_NESTING, pointer } from '../json.js';
import { appliesTo, type ConfigEntry, type ConfigScope, type ConfigSource, levelOf } from './config-entry.js';
import { type Layer, layerOf, layerValue, overlay } from './layers.js';
import { mayRefer, referencedKeys } from './resolve-references.js';

const LEVELS = ['global', 'app', 'environment'] as const;

/** Of one key: at most one entry a level, the least specific first. */
export type Stack = readonly ConfigSource[];

export interface Stacks {
  readonly stacks: ReadonlyMap<string, Stack>;
  /** Key → why entries of it do not count. */
  readonly refused: ReadonlyMap<string, readonly Fault[]>;
}

/** The entries by key; only those of `keys` when they are given. */
export function collectStacks(entries: readonly ConfigEntry[], scope: ConfigScope, keys?: ReadonlySet<string>): Stacks {
  const stacks = new Map<string, ConfigSource[]>();
  const refused = new Map<string, Fault[]>();
  const refuse = (key: string, code: string, message: string): void => {
    const faults = refused.get(key) ?? [];
    faults.push({ path: pointer('', key), code, message });
    refused.set(key, faults);
  };
  for (const entry of entries) {
    if (keys !== undefined && !keys.has(entry.key)) continue;
    if (entry.environment != null && entry.appId == null) {
      const message = 'an entry of an environment needs its app; name the app, or leave the environment out';
      refuse(entry.key, 'config.environment_without_app', message);
      continue;
    }
    if (!appliesTo(entry, scope)) continue;
    if (isDeeperThan(entry.value, MAX_NESTING) || isDeeperThan(entry.candidate?.value, MAX_NESTING)) {
      refuse(entry.key, 'config.too_deep', `a value is nested at most ${MAX_NESTING} deep; flatten it`);
      continue;
    }
    const stack = stacks.get(entry.key) ?? [];
    const level = levelOf(entry);
    if (stack.some((source) => source.level === level)) {
      refuse(entry.key, 'config.duplicate', `the ${level} level sets this key twice; keep one of the entries`);
      continue;
    }
    stack.push({ level, entry });
    stacks.set(entry.key, stack);
  }
  for (const stack of stacks.values()) stack.sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
  return { stacks, refused };
}

/** The entries of a key laid over each other; `exposed` holds the entries whose candidate counts. */
export function layerStack(stack: Stack, exposed: ReadonlySet<ConfigEntry>): Layer<ConfigSource> | undefined {
  let layer: Layer<ConfigSource> | undefined;
  for (const source of stack) {
    const { entry } = source;
    const value = entry.candidate !== undefined && exposed.has(entry) ? entry.candidate.value : entry.value;
    layer = overlay(layer, layerOf(value, source, entry.merge ?? 'replace'));
  }
  return layer;
}

/** What `layerStack` comes to; an entry that takes the place of all below is not laid over anything. */
export function valueOfStack(stack: Stack, exposed: ReadonlySet<ConfigEntry>): JsonValue | undefined {
  const top = stack.at(-1)?.entry;
  if (top !== undefined && (top.merge ?? 'replace') === 'replace')
    return top.candidate !== undefined && exposed.has(top) ? top.candidate.value : top.value;
  const layer = layerStack(stack, exposed);
  return layer === undefined ? undefined : layerValue(layer);
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** The keys that the entries and their candidates name. */
export function namesOf(stack: Stack): ReadonlySet<string> {
  let names: Set<string> | undefined;
  for (const { entry } of stack)
    for (const value of [entry.value, entry.candidate?.value])
      if (value !== undefined && mayRefer(value)) names = referencedKeys(value, names);
  return names ?? NO_NAMES;
}

/**
 * The keys of entries that are in one list and not in the other; the very same object is the same entry. What both begin and end with is only
 * passed by, so that one change in ten thousand costs little.
 */
export function changedEntryKeys(before: readonly ConfigEntry[], after: readonly ConfigEntry[]): Set<string> {
  let start = 0;
  const shorter = Math.min(before.length, after.length);
  while (start < shorter && before[start] === after[start]) start += 1;
  let tail = 0;
  while (tail < shorter - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const old = before.slice(start, before.length - tail);
  const next = after.slice(start, after.length - tail);
  const keys = new Set<string>();
  const known = new Set(old);
  for (const entry of next) if (!known.delete(entry)) keys.add(entry.key);
  for (const entry of known) keys.add(entry.key);
  return keys;
}
