/**
 * Keeps every policy compiled and in force: lists `/policies/` once, then follows the store's watch. Answers decisions from memory, so the
 * store may go away and decisions go on from the last revision. A policy that does not compile (written past our API) denies: on every
 * instance alike, and also after a restart.
 */
import { parseJson, type Value } from '@bailiwick/rego';
import { type PolicyDocument, parsePolicyKey, policyPrefix } from '../policies/policy-model.js';
import type { ChangeBatch, KeyValue, KeyValueStore, RangeResult, Watch } from '../ports/key-value-store.port.js';
import type { PolicyName } from '../ports/policy-archive.port.js';
import { conditionOf, type DocumentCondition } from './condition.js';
import { type DecisionQuery, judge, type Verdict, type WorldState } from './decision.js';
import { type WorldCompiler, withPlatformData } from './world.js';

export interface AppliedChange {
  readonly revision: number;
  /** The policies whose content changed; empty when only the revision moved on. */
  readonly policies: readonly PolicyName[];
}

interface Entry {
  readonly document: PolicyDocument;
  readonly state: WorldState;
  /** Epoch milliseconds from which this content has been enforced here. */
  readonly sinceMs: number;
}

/** A version of a policy that some requests are decided by already. */
export interface PolicyCandidate {
  readonly project: PolicyName;
  /** `current` decides as it is, `next` with this version. Never throws. */
  decide(query: DecisionQuery, current: () => Verdict, next: (state: WorldState) => Verdict): Verdict;
}

interface Parts {
  rego?: KeyValue;
  data?: KeyValue;
}

export class Enforcer {
  readonly #store: KeyValueStore;
  readonly #compiler: WorldCompiler;
  readonly #nowMs: () => number;
  readonly #parts = new Map<PolicyName, Parts>();
  readonly #entries = new Map<PolicyName, Entry>();
  readonly #listeners = new Set<(change: AppliedChange) => void>();
  #candidates: ReadonlyMap<PolicyName, PolicyCandidate> = new Map();
  #platformData: Value = {};
  #revision = 0;
  #isConnected = false;
  #lastContactMs = 0;
  #watch: Watch | undefined;
  /** The last change that waits until a large one before it, or itself, is compiled; undefined when none waits. */
  #waiting: Promise<void> | undefined;

  constructor(store: KeyValueStore, compiler: WorldCompiler, nowMs: () => number = Date.now) {
    this.#store = store;
    this.#compiler = compiler;
    this.#nowMs = nowMs;
  }

  /** Loads everything and begins to follow. Rejects with `store.unavailable` when the store cannot be read even once. */
  async start(): Promise<void> {
    const range = await this.#store.range(policyPrefix);
    this.#replaceAll(range);
    this.#isConnected = true;
    this.#lastContactMs = this.#nowMs();
    this.#watch = this.#store.watch({
      prefix: policyPrefix,
      afterRevision: range.revision,
      onBatch: (batch) =>
        this.#receive(
          batch.events.flatMap((event) => (event.kind === 'put' ? [event.item] : [])),
          () => this.#applyBatch(batch),
        ),
      onResync: (fresh) => this.#receive(fresh.items, () => this.#replaceAll(fresh)),
      onHealth: (isConnected) => {
        this.#isConnected = isConnected;
        this.#lastContactMs = this.#nowMs();
      },
    });
  }

  async stop(): Promise<void> {
    await this.#watch?.close();
    await this.#waiting;
  }

  /** The store's revision up to which everything is enforced here. */
  get revision(): number {
    return this.#revision;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Seconds since the store was last known to be connected; 0 while it is. */
  ageSeconds(): number {
    return this.#isConnected ? 0 : (this.#nowMs() - this.#lastContactMs) / 1000;
  }

  names(): readonly PolicyName[] {
    return [...this.#entries.keys()].sort();
  }

  entry(name: PolicyName): Entry | undefined {
    return this.#entries.get(name);
  }

  state(name: PolicyName): WorldState | undefined {
    return this.#entries.get(name)?.state;
  }

  get platformData(): Value {
    return this.#platformData;
  }

  /** Never throws; a failure is a denial. */
  decide(query: DecisionQuery): Verdict {
    const project = query.project === undefined ? undefined : this.#entries.get(query.project)?.state;
    const platform = this.#entries.get('platform')?.state;
    if (this.#candidates.size === 0) return judge(platform, project, query);
    const candidate =
      (query.project === undefined ? undefined : this.#candidates.get(query.project)) ??
      this.#candidates.get('platform');
    if (candidate === undefined) return judge(platform, project, query);
    const isPlatforms = candidate.project === 'platform';
    return candidate.decide(
      query,
      () => judge(platform, project, query),
      (state) => (isPlatforms ? judge(state, project, query) : judge(platform, state, query)),
    );
  }

  /**
   * The condition on `input.document` under which `decide` would allow; while a version is being rolled out, under which either would.
   * Never throws.
   */
  condition(query: DecisionQuery): readonly DocumentCondition[] {
    const project = query.project === undefined ? undefined : this.#entries.get(query.project)?.state;
    const platform = this.#entries.get('platform')?.state;
    const candidates = [query.project ?? '', 'platform'].flatMap((name) => this.#candidates.get(name) ?? []);
    const conditions = [conditionOf(platform, project, query)];
    for (const candidate of candidates)
      candidate.decide(
        query,
        () => judge(platform, project, query),
        (state) => {
          const isPlatforms = candidate.project === 'platform';
          conditions.push(isPlatforms ? conditionOf(state, project, query) : conditionOf(platform, state, query));
          return judge(platform, project, query);
        },
      );
    return conditions;
  }

  /** Versions of policies that a rollout has under way, by the policy's name; they replace the ones before. */
  useCandidates(candidates: ReadonlyMap<PolicyName, PolicyCandidate>): void {
    this.#candidates = candidates;
  }

  /** Called after each change is enforced. Returns the function that stops it. */
  onApplied(listener: (change: AppliedChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves true when `revision` is enforced here, false when `timeoutMs` passes first. */
  async whenApplied(revision: number, timeoutMs: number): Promise<boolean> {
    if (this.#revision >= revision) return true;
    return await new Promise<boolean>((resolve) => {
      const finish = (isApplied: boolean): void => {
        clearTimeout(timer);
        stop();
        resolve(isApplied);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      const stop = this.onApplied((change) => {
        if (change.revision >= revision) finish(true);
      });
    });
  }

  /** Changes come into force in their order, at once unless something large has to be compiled first, which is done while decisions go on. */
  #receive(items: readonly KeyValue[], apply: () => void): void {
    const large = items.flatMap((item) => this.#largeDraft(item));
    if (this.#waiting === undefined && large.length === 0) {
      apply();
      return;
    }
    const turn = (this.#waiting ?? Promise.resolve()).then(async () => {
      for (const { name, draft } of large) await this.#compiler.prepare(name, draft);
      if (this.#waiting === turn) this.#waiting = undefined;
      apply();
    });
    this.#waiting = turn;
  }

  #largeDraft({ key, value }: KeyValue): { name: PolicyName; draft: { rego?: string; dataText?: string } }[] {
    const parsed = parsePolicyKey(key);
    if (!parsed) return [];
    const draft = parsed.part === 'rego' ? { rego: value } : { dataText: value };
    return this.#compiler.isLarge(parsed.name, draft) ? [{ name: parsed.name, draft }] : [];
  }

  #replaceAll(range: RangeResult): void {
    const before = new Set(this.#parts.keys());
    this.#parts.clear();
    for (const item of range.items) this.#note(item);
    const touched = new Set([...before, ...this.#parts.keys()]);
    this.#rebuild(touched);
    this.#finish(range.revision, [...touched]);
  }

  #applyBatch(batch: ChangeBatch): void {
    const touched = new Set<PolicyName>();
    for (const event of batch.events) {
      const key = event.kind === 'put' ? event.item.key : event.key;
      const parsed = parsePolicyKey(key);
      if (!parsed) continue;
      touched.add(parsed.name);
      if (event.kind === 'put') this.#note(event.item);
      else delete this.#parts.get(parsed.name)?.[parsed.part];
    }
    this.#rebuild(touched);
    this.#finish(batch.revision, [...touched]);
  }

  #finish(revision: number, policies: readonly PolicyName[]): void {
    this.#revision = Math.max(this.#revision, revision);
    this.#lastContactMs = this.#nowMs();
    for (const listener of this.#listeners) listener({ revision: this.#revision, policies });
  }

  #note(item: KeyValue): void {
    const parsed = parsePolicyKey(item.key);
    if (!parsed) return;
    const parts = this.#parts.get(parsed.name) ?? {};
    parts[parsed.part] = item;
    this.#parts.set(parsed.name, parts);
  }

  #rebuild(touched: ReadonlySet<PolicyName>): void {
    const platformBefore = this.#entries.get('platform')?.document.dataText;
    if (touched.has('platform')) this.#build('platform');
    const platformNow = this.#entries.get('platform')?.document.dataText;
    const hasNewPlatformData = platformBefore !== platformNow;
    if (hasNewPlatformData) this.#platformData = parseOr(platformNow, {});
    for (const name of touched) if (name !== 'platform') this.#build(name);
    if (hasNewPlatformData) this.#showPlatformData(touched);
  }

  /** Projects whose own content did not change see the new platform data without being compiled again. */
  #showPlatformData(touched: ReadonlySet<PolicyName>): void {
    for (const [name, entry] of this.#entries) {
      if (name === 'platform' || touched.has(name) || entry.state.kind === 'broken') continue;
      const world = withPlatformData(entry.state.world, this.#platformData);
      this.#entries.set(name, { ...entry, state: { kind: 'ready', world } });
    }
  }

  #build(name: PolicyName): void {
    const document = documentOf(this.#parts.get(name));
    if (!document) {
      this.#entries.delete(name);
      if (!this.#parts.get(name)?.data) this.#parts.delete(name);
      return;
    }
    this.#entries.set(name, { document, state: this.#compile(name, document), sinceMs: this.#nowMs() });
  }

  #compile(name: PolicyName, document: PolicyDocument): WorldState {
    try {
      return {
        kind: 'ready',
        world: this.#compiler.build(name, document, name === 'platform' ? undefined : this.#platformData),
      };
    } catch (error) {
      return {
        kind: 'broken',
        revision: document.revision,
        error: error instanceof Error ? error.message : String(error),
      };
    }
  }
}

/** A policy exists when its Rego does; data written alone (past our API) waits for it. */
function documentOf(parts: Parts | undefined): PolicyDocument | undefined {
  if (!parts?.rego) return undefined;
  return {
    rego: parts.rego.value,
    dataText: parts.data?.value ?? '{}',
    revision: Math.max(parts.rego.modRevision, parts.data?.modRevision ?? 0),
  };
}

function parseOr(text: string | undefined, otherwise: Value): Value {
  try {
    return text === undefined ? otherwise : parseJson(text);
  } catch {
    return otherwise;
  }
}
