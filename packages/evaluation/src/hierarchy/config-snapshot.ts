/**
 * All configuration of one scope, compiled: entries are laid over each other, references resolved, values frozen.
 * Asking for a key is one look into a map; a key that takes part in a rollout asks the rollout first and keeps each
 * combination of old and new values it has met. A snapshot that follows another one takes over the keys that depend on nothing that
 * changed; the result is the same as without (`environment-steps.test.ts`).
 */
import type { Fault } from '../fault.js';
import type { EvaluationContext } from '../flags/flag-set.js';
import type { JsonValue } from '../json.js';
import type { FlagReader } from '../rollouts/exposure.js';
import { compileExposure } from '../rollouts/exposure.js';
import type { ConfigEntry, ConfigScope, EffectiveConfig } from './config-entry.js';
import { changedEntryKeys, collectStacks, layerStack, namesOf, type Stack, valueOfStack } from './entry-stacks.js';
import { layerValue, sourcesOf } from './layers.js';
import { ReferenceUsers } from './reference-users.js';
import {
  DEFAULT_REFERENCE_LIMITS,
  type ReferenceLimits,
  ReferenceResolver,
  type Resolved,
  referencedKeys,
} from './resolve-references.js';
import { SlotTable } from './slot-table.js';

export interface ConfigOptions {
  readonly limits?: Partial<ReferenceLimits>;
  /** Answers flag-gated rollouts; without it nobody is exposed to them. */
  readonly flags?: FlagReader;
  /** A snapshot that this one follows: what depends on no entry that is another object than before is taken over. */
  readonly previous?: ConfigSnapshot | undefined;
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
  /**
   * The keys that may have another value than in the snapshot that this one was compiled to follow; undefined for any other snapshot, and
   * when nothing was taken over. Keys whose value depends on who asks are always among them.
   */
  touchedSince(previous: ConfigSnapshot): ReadonlySet<string> | undefined;
  /** Whether the value of some key depends on who asks, or when. */
  readonly isVarying: boolean;
  /** Whether that of this key does. */
  varies(key: string): boolean;
  /**
   * Stands for all that is known of a key: the same object in two snapshots only when nothing of it is another, whatever snapshots were
   * between them. For who keeps what it made of a key. Undefined when the key is not set.
   */
  identityOf(key: string): object | undefined;
  /** Everything that is wrong; a key with a fault has no value, all others have theirs. Paths start with the key. */
  readonly faults: readonly Fault[];
}

/** Combinations of exposures kept at once. */
const MAX_VIEWS = 256;

interface Candidate {
  readonly entry: ConfigEntry;
  readonly isExposed: (context: EvaluationContext, nowMs: number) => boolean;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** One key; shared between snapshots, and never changed. */
interface Slot {
  readonly stack: Stack;
  /** The keys that its entries name, their candidates included. */
  readonly names: ReadonlySet<string>;
  /** Without any candidate. */
  readonly resolved: Resolved | undefined;
  readonly value: JsonValue | undefined;
  /** The rollouts that its value may depend on, through references too; undefined for nearly all keys. */
  readonly candidates: readonly Candidate[] | undefined;
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

/** What a snapshot hands on to the one that follows it. */
interface Held {
  readonly entries: readonly ConfigEntry[];
  readonly slots: SlotTable<Slot> | undefined;
  /** Key → the entries of it that are refused; such keys are looked at anew each time. */
  readonly refused: ReadonlyMap<string, readonly Fault[]>;
  readonly faults: ReadonlyMap<string, readonly Fault[]>;
  readonly users: ReferenceUsers | undefined;
  /** Keys with an entry that has a candidate. */
  readonly rollingOut: ReadonlySet<string>;
}

const NOTHING: Held = {
  ...{ entries: [], slots: undefined, refused: new Map(), faults: new Map(), users: undefined },
  rollingOut: new Set(),
};

const NO_FAULTS: readonly Fault[] = [];
const NO_CANDIDATES: ReadonlyMap<string, ReadonlySet<ConfigEntry>> = new Map();

class CompiledConfig implements ConfigSnapshot {
  readonly faults: readonly Fault[];
  readonly #scope: ConfigScope;
  readonly #limits: ReferenceLimits;
  readonly #slots: SlotTable<Slot>;
  readonly #refused: ReadonlyMap<string, readonly Fault[]>;
  /** This one and `#rollingOut` are copied when something in them changes, which is seldom. */
  #faults: ReadonlyMap<string, readonly Fault[]>;
  #ownFaults: Map<string, readonly Fault[]> | undefined;
  #ownRollingOut: Set<string> | undefined;
  readonly #users: ReferenceUsers;
  #rollingOut: ReadonlySet<string>;
  readonly #varying: ReadonlyMap<string, ReadonlySet<ConfigEntry>>;
  readonly #held: Held;
  readonly #touched: ReadonlySet<string>;
  /** Stands for this snapshot in the one that follows it, which so does not keep it. */
  readonly #mark = {};
  readonly #followed: object | undefined;
  #views: Map<string, ReferenceResolver> | undefined;
  #keys: readonly string[] | undefined;

  constructor(entries: readonly ConfigEntry[], scope: ConfigScope, options: ConfigOptions) {
    this.#scope = scope;
    this.#limits =
      options.limits === undefined ? DEFAULT_REFERENCE_LIMITS : { ...DEFAULT_REFERENCE_LIMITS, ...options.limits };
    const previous = this.#follows(options.previous);
    const before = previous === undefined ? NOTHING : previous.#held;
    const changed = changedEntryKeys(before.entries, entries);
    for (const key of before.refused.keys()) changed.add(key);
    const { stacks, refused } = collectStacks(entries, scope, previous === undefined ? undefined : changed);
    this.#refused = refused;
    this.#slots = new SlotTable(before.slots);
    this.#faults = before.faults;
    this.#rollingOut = before.rollingOut;
    this.#users = new ReferenceUsers(before.users);
    for (const key of changed) this.#place(key, stacks.get(key));
    this.#varying = this.#candidatesByKey();
    const touched = previous === undefined ? new Set(changed) : this.#users.reached(changed);
    for (const key of this.#varying.keys()) touched.add(key);
    this.#touched = touched;
    this.#followed = previous?.mark;
    const base = this.#resolver(NOBODY, (key) => (touched.has(key) ? undefined : this.#slots.get(key)?.resolved));
    for (const key of touched) this.#fill(key, base, options.flags);
    this.faults =
      this.#faults.size === 0
        ? NO_FAULTS
        : [...this.#faults.keys()].sort().flatMap((key) => this.#faults.get(key) ?? []);
    if (previous !== undefined && [...changed].every((key) => previous.has(key) === this.has(key)))
      this.#keys = previous.keys();
    this.#held = {
      entries,
      slots: this.#slots,
      refused,
      faults: this.#faults,
      users: this.#users,
      rollingOut: this.#rollingOut,
    };
  }

  get(key: string, context?: EvaluationContext, nowMs?: number): JsonValue | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    return slot.candidates === undefined ? slot.value : this.#pick(key, slot, slot.candidates, context, nowMs);
  }

  has(key: string): boolean {
    return this.#slots.get(key) !== undefined;
  }

  get isVarying(): boolean {
    return this.#varying.size > 0;
  }

  varies(key: string): boolean {
    return this.#varying.has(key);
  }

  identityOf(key: string): object | undefined {
    return this.#slots.get(key);
  }

  get mark(): object {
    return this.#mark;
  }

  touchedSince(previous: ConfigSnapshot): ReadonlySet<string> | undefined {
    return previous instanceof CompiledConfig && previous.#mark === this.#followed ? this.#touched : undefined;
  }

  keys(): readonly string[] {
    this.#keys ??= this.#slots.keys().sort();
    return this.#keys;
  }

  explain(key: string): EffectiveConfig | undefined {
    const slot = this.#slots.get(key);
    const layer = slot === undefined ? undefined : layerStack(slot.stack, NOBODY);
    if (layer === undefined || slot?.resolved === undefined) return undefined;
    const sources = sourcesOf(layer);
    const distinct = new Set(sources.values());
    const { value, fault } = slot.resolved;
    return {
      key,
      value,
      source: layer.source,
      ...(distinct.size > 1 ? { sources } : {}),
      references: [...referencedKeys(layerValue(layer))].sort(),
      ...(fault === undefined ? {} : { fault }),
    };
  }

  effective(): readonly EffectiveConfig[] {
    return this.keys().flatMap((key) => this.explain(key) ?? []);
  }

  /** The snapshot to take over from: one of the same scope and bounds. */
  #follows(previous: ConfigSnapshot | undefined): CompiledConfig | undefined {
    if (!(previous instanceof CompiledConfig)) return undefined;
    const isSameScope =
      (previous.#scope.appId ?? null) === (this.#scope.appId ?? null) &&
      (previous.#scope.environment ?? null) === (this.#scope.environment ?? null);
    const { maxDepth, maxSize } = previous.#limits;
    return isSameScope && maxDepth === this.#limits.maxDepth && maxSize === this.#limits.maxSize ? previous : undefined;
  }

  /** The entries of a key as they are now; what comes of them is not known yet. */
  #place(key: string, stack: Stack | undefined): void {
    const names = stack === undefined ? NO_NAMES : namesOf(stack);
    this.#users.move(key, this.#slots.get(key)?.names ?? NO_NAMES, names);
    const isRollingOut = stack?.some(({ entry }) => entry.candidate !== undefined) === true;
    if (isRollingOut !== this.#rollingOut.has(key)) {
      this.#ownRollingOut ??= new Set(this.#rollingOut);
      if (isRollingOut) this.#ownRollingOut.add(key);
      else this.#ownRollingOut.delete(key);
      this.#rollingOut = this.#ownRollingOut;
    }
    if (stack === undefined) this.#slots.delete(key);
    else this.#slots.set(key, { stack, names, resolved: undefined, value: undefined, candidates: undefined });
  }

  /** Key → the entries with a candidate that its value may depend on, through references too. */
  #candidatesByKey(): ReadonlyMap<string, ReadonlySet<ConfigEntry>> {
    if (this.#rollingOut.size === 0) return NO_CANDIDATES;
    const own = new Map<string, Set<ConfigEntry>>();
    for (const key of this.#rollingOut) {
      const entries = this.#slots.get(key)?.stack.map(({ entry }) => entry) ?? [];
      own.set(key, new Set(entries.filter(({ candidate }) => candidate !== undefined)));
    }
    // Candidates flow from a key to those who name it until nothing changes; each pass hands on at least one candidate.
    const queue = [...own.keys()];
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
      for (const user of this.#users.of(key)) {
        const known = own.get(user) ?? new Set();
        const before = known.size;
        for (const entry of own.get(key) ?? []) known.add(entry);
        own.set(user, known);
        if (known.size > before) queue.push(user);
      }
    }
    return own;
  }

  #fill(key: string, base: ReferenceResolver, flags: FlagReader | undefined): void {
    const faults = [...(this.#refused.get(key) ?? [])];
    const slot = this.#slots.get(key);
    if (slot !== undefined) {
      const resolved = base.resolve(key);
      if (resolved?.fault !== undefined) faults.push(resolved.fault);
      const entries = this.#varying.get(key);
      let candidates: readonly Candidate[] | undefined;
      if (entries !== undefined) {
        const exposed = this.#view(entries).resolve(key);
        if (exposed?.fault !== undefined && resolved?.fault === undefined) faults.push(exposed.fault);
        candidates = [...entries].flatMap((entry) =>
          entry.candidate === undefined ? [] : [{ entry, isExposed: compileExposure(entry.candidate.rollout, flags) }],
        );
      }
      this.#slots.set(key, { ...slot, resolved, value: resolved?.value, candidates });
    }
    if (faults.length > 0) this.#setFaults(key, faults);
    else if (this.#faults.has(key)) this.#setFaults(key, undefined);
  }

  #setFaults(key: string, faults: readonly Fault[] | undefined): void {
    this.#ownFaults ??= new Map(this.#faults);
    if (faults === undefined) this.#ownFaults.delete(key);
    else this.#ownFaults.set(key, faults);
    this.#faults = this.#ownFaults;
  }

  #pick(
    key: string,
    slot: Slot,
    candidates: readonly Candidate[],
    context: EvaluationContext | undefined,
    nowMs: number | undefined,
  ): JsonValue | undefined {
    if (context === undefined || nowMs === undefined) return slot.value;
    let mark = '';
    const exposed = new Set<ConfigEntry>();
    for (const { entry, isExposed } of candidates) {
      const isNew = isExposed(context, nowMs);
      if (isNew) exposed.add(entry);
      mark += isNew ? '1' : '0';
    }
    if (exposed.size === 0) return slot.value;
    const name = `${mark}${key}`;
    this.#views ??= new Map();
    let view = this.#views.get(name);
    if (view === undefined) {
      if (this.#views.size >= MAX_VIEWS) this.#views.clear();
      view = this.#view(exposed);
      this.#views.set(name, view);
    }
    return view.resolve(key)?.value;
  }

  /** As those see it for whom the candidates of these entries count. */
  #view(exposed: ReadonlySet<ConfigEntry>): ReferenceResolver {
    return this.#resolver(exposed, (key) => (this.#varying.has(key) ? undefined : this.#slots.get(key)?.resolved));
  }

  #resolver(exposed: ReadonlySet<ConfigEntry>, known: (key: string) => Resolved | undefined): ReferenceResolver {
    const read = (key: string): JsonValue | undefined => {
      const stack = this.#slots.get(key)?.stack;
      return stack === undefined ? undefined : valueOfStack(stack, exposed);
    };
    return new ReferenceResolver(read, { limits: this.#limits, known });
  }
}

const NOBODY: ReadonlySet<ConfigEntry> = new Set();
