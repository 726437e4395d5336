/**
 * All configuration of one scope, compiled: entries are laid over each other, references resolved, values frozen.
 * Asking for a key is one look into a map; a key that takes part in a rollout asks the rollout first and keeps each
 * combination of old and new values it has met.
 */
import type { Fault } from '../fault.js';
import type { EvaluationContext } from '../flags/flag-set.js';
import type { JsonValue } from '../json.js';
import { isDeeperThan, MAX_NESTING, pointer } from '../json.js';
import type { FlagReader } from '../rollouts/exposure.js';
import { compileExposure } from '../rollouts/exposure.js';
import {
  appliesTo,
  type ConfigEntry,
  type ConfigScope,
  type ConfigSource,
  type EffectiveConfig,
  levelOf,
} from './config-entry.js';
import { type Layer, layerOf, layerValue, overlay, sourcesOf } from './layers.js';
import {
  DEFAULT_REFERENCE_LIMITS,
  type ReferenceLimits,
  ReferenceResolver,
  type Resolved,
  referencedKeys,
} from './resolve-references.js';

export interface ConfigOptions {
  readonly limits?: Partial<ReferenceLimits>;
  /** Answers flag-gated rollouts; without it nobody is exposed to them. */
  readonly flags?: FlagReader;
}

/** Configuration as of one moment; immutable. */
export interface ConfigSnapshot {
  /**
   * The effective value, deeply frozen; undefined when the key is not set or has a fault. Without a context nobody is
   * exposed to a rollout's candidate. `nowMs`: milliseconds since 1970, needed for rollouts under way.
   * Cost: one look into a map (under 100 ns) for a key without a rollout.
   */
  get(key: string, context?: EvaluationContext, nowMs?: number): JsonValue | undefined;
  has(key: string): boolean;
  /** Keys in order of code units. */
  keys(): readonly string[];
  /** Value and source of one key. */
  explain(key: string): EffectiveConfig | undefined;
  /** Value and source of every key, in order of keys. */
  effective(): readonly EffectiveConfig[];
  /** Everything that is wrong; a key with a fault has no value, all others have theirs. Paths start with the key. */
  readonly faults: readonly Fault[];
}

const LEVELS = ['global', 'app', 'environment'] as const;
/** Combinations of exposures kept at once. */
const MAX_VIEWS = 256;

type Stack = readonly ConfigSource[];

interface Candidate {
  readonly entry: ConfigEntry;
  readonly isExposed: (context: EvaluationContext, nowMs: number) => boolean;
}

/** A key whose value depends on who asks. */
class Varying {
  readonly candidates: readonly Candidate[];
  constructor(candidates: readonly Candidate[]) {
    this.candidates = candidates;
  }
}

function collect(entries: readonly ConfigEntry[], scope: ConfigScope, faults: Fault[]): Map<string, ConfigSource[]> {
  const stacks = new Map<string, ConfigSource[]>();
  for (const entry of entries) {
    if (entry.environment != null && entry.appId == null) {
      const path = pointer('', entry.key);
      const message = 'an entry of an environment needs its app; name the app, or leave the environment out';
      faults.push({ path, code: 'config.environment_without_app', message });
      continue;
    }
    if (!appliesTo(entry, scope)) continue;
    if (isDeeperThan(entry.value, MAX_NESTING) || isDeeperThan(entry.candidate?.value, MAX_NESTING)) {
      const path = pointer('', entry.key);
      const message = `a value is nested at most ${MAX_NESTING} deep; flatten it`;
      faults.push({ path, code: 'config.too_deep', message });
      continue;
    }
    const stack = stacks.get(entry.key) ?? [];
    const level = levelOf(entry);
    if (stack.some((source) => source.level === level)) {
      const path = pointer('', entry.key);
      const message = `the ${level} level sets this key twice; keep one of the entries`;
      faults.push({ path, code: 'config.duplicate', message });
      continue;
    }
    stack.push({ level, entry });
    stacks.set(entry.key, stack);
  }
  for (const stack of stacks.values()) stack.sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
  return stacks;
}

/** The entries of a key laid over each other; `exposed` holds the entries whose candidate counts. */
function layerStack(stack: Stack, exposed: ReadonlySet<ConfigEntry>): Layer<ConfigSource> | undefined {
  let layer: Layer<ConfigSource> | undefined;
  for (const source of stack) {
    const { entry } = source;
    const value = entry.candidate !== undefined && exposed.has(entry) ? entry.candidate.value : entry.value;
    layer = overlay(layer, layerOf(value, source, entry.merge ?? 'replace'));
  }
  return layer;
}

/** Key → the entries with a candidate that its value may depend on, through references too. */
function candidatesByKey(stacks: ReadonlyMap<string, Stack>): Map<string, Set<ConfigEntry>> {
  const own = new Map<string, Set<ConfigEntry>>();
  for (const [key, stack] of stacks) {
    const entries = stack.map(({ entry }) => entry).filter(({ candidate }) => candidate !== undefined);
    if (entries.length > 0) own.set(key, new Set(entries));
  }
  if (own.size === 0) return own;
  const users = usersByKey(stacks);
  // Candidates flow from a key to those who name it until nothing changes; each pass hands on at least one candidate.
  const queue = [...own.keys()];
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    for (const user of users.get(key) ?? []) {
      const known = own.get(user) ?? new Set();
      const before = known.size;
      for (const entry of own.get(key) ?? []) known.add(entry);
      own.set(user, known);
      if (known.size > before) queue.push(user);
    }
  }
  return own;
}

function usersByKey(stacks: ReadonlyMap<string, Stack>): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>();
  for (const [key, stack] of stacks) {
    const names = new Set<string>();
    for (const { entry } of stack) {
      referencedKeys(entry.value, names);
      if (entry.candidate !== undefined) referencedKeys(entry.candidate.value, names);
    }
    for (const name of names) {
      // A dotted name may be a path into a shorter key.
      for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) {
        const used = name.slice(0, end);
        users.set(used, (users.get(used) ?? new Set()).add(key));
      }
    }
  }
  return users;
}

/**
 * Compiles the entries that count in a scope; the others are left out, so all entries of a tenant may be given.
 * Never throws for a bad entry: see `faults`.
 */
export function compileConfig(
  entries: readonly ConfigEntry[],
  scope: ConfigScope = {},
  options: ConfigOptions = {},
): ConfigSnapshot {
  return new CompiledConfig(entries, scope, options);
}

class CompiledConfig implements ConfigSnapshot {
  readonly faults: readonly Fault[];
  readonly #stacks: ReadonlyMap<string, Stack>;
  readonly #limits: ReferenceLimits;
  readonly #base: ReferenceResolver;
  readonly #slots = new Map<string, JsonValue | Varying>();
  readonly #views = new Map<string, ReferenceResolver>();

  constructor(entries: readonly ConfigEntry[], scope: ConfigScope, options: ConfigOptions) {
    const faults: Fault[] = [];
    this.#stacks = collect(entries, scope, faults);
    this.#limits = { ...DEFAULT_REFERENCE_LIMITS, ...options.limits };
    this.#base = this.#view(new Set());
    const varying = candidatesByKey(this.#stacks);
    for (const key of this.#stacks.keys()) this.#fill(key, varying.get(key), options.flags, faults);
    this.faults = faults;
  }

  get(key: string, context?: EvaluationContext, nowMs?: number): JsonValue | undefined {
    const slot = this.#slots.get(key);
    return slot instanceof Varying ? this.#pick(key, slot, context, nowMs) : slot;
  }

  has(key: string): boolean {
    return this.#stacks.has(key);
  }

  keys(): readonly string[] {
    return [...this.#stacks.keys()].sort();
  }

  explain(key: string): EffectiveConfig | undefined {
    const stack = this.#stacks.get(key);
    const layer = stack === undefined ? undefined : layerStack(stack, new Set());
    const resolved = this.#base.resolve(key);
    if (layer === undefined || resolved === undefined) return undefined;
    const sources = sourcesOf(layer);
    const distinct = new Set(sources.values());
    return {
      key,
      value: resolved.value,
      source: layer.source,
      ...(distinct.size > 1 ? { sources } : {}),
      references: [...referencedKeys(layerValue(layer))].sort(),
      ...(resolved.fault === undefined ? {} : { fault: resolved.fault }),
    };
  }

  effective(): readonly EffectiveConfig[] {
    return this.keys().flatMap((key) => this.explain(key) ?? []);
  }

  #fill(
    key: string,
    entries: ReadonlySet<ConfigEntry> | undefined,
    flags: FlagReader | undefined,
    faults: Fault[],
  ): void {
    const resolved = this.#base.resolve(key);
    if (resolved?.fault !== undefined) faults.push(resolved.fault);
    if (entries === undefined) {
      if (resolved?.value !== undefined) this.#slots.set(key, resolved.value);
      return;
    }
    const exposed = this.#view(entries).resolve(key);
    if (exposed?.fault !== undefined && resolved?.fault === undefined) faults.push(exposed.fault);
    const candidates = [...entries].flatMap((entry) =>
      entry.candidate === undefined ? [] : [{ entry, isExposed: compileExposure(entry.candidate.rollout, flags) }],
    );
    this.#slots.set(key, new Varying(candidates));
  }

  #pick(
    key: string,
    varying: Varying,
    context: EvaluationContext | undefined,
    nowMs: number | undefined,
  ): JsonValue | undefined {
    if (context === undefined || nowMs === undefined) return this.#base.resolve(key)?.value;
    let mark = '';
    const exposed = new Set<ConfigEntry>();
    for (const { entry, isExposed } of varying.candidates) {
      const isNew = isExposed(context, nowMs);
      if (isNew) exposed.add(entry);
      mark += isNew ? '1' : '0';
    }
    if (exposed.size === 0) return this.#base.resolve(key)?.value;
    const name = `${mark}${key}`;
    let view = this.#views.get(name);
    if (view === undefined) {
      if (this.#views.size >= MAX_VIEWS) this.#views.clear();
      view = this.#view(exposed);
      this.#views.set(name, view);
    }
    return (view.resolve(key) as Resolved).value;
  }

  #view(exposed: ReadonlySet<ConfigEntry>): ReferenceResolver {
    const read = (key: string): JsonValue | undefined => {
      const stack = this.#stacks.get(key);
      const top = stack?.at(-1)?.entry;
      // It takes the place of all below: nothing to lay over each other.
      if (top !== undefined && (top.merge ?? 'replace') === 'replace')
        return top.candidate !== undefined && exposed.has(top) ? top.candidate.value : top.value;
      const layer = stack === undefined ? undefined : layerStack(stack, exposed);
      return layer === undefined ? undefined : layerValue(layer);
    };
    return new ReferenceResolver(read, this.#limits);
  }
}
