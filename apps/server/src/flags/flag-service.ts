/** Flags and segments: versioned resources whose definitions must hold together in every scope that a change can be seen in. */
import { BailiwickError, type FlagBody, type SegmentBody } from '@bailiwick/contract';
import { type Fault, type FlagDefinition, type JsonValue, validateFlagSet } from '@bailiwick/evaluation';
import type { FlagContent, Item, SegmentContent } from '../configs/config-content.js';
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { ConfigurationState } from '../configs/configuration-state.js';
import type { ConfigurationWriter, PlannedChange, WriteRule } from '../configs/configuration-writer.js';
import { countsIn, mostSpecific } from '../configs/environment-document.js';
import { plainJson } from '../configs/plain-json.js';
import { VersionedResources } from '../configs/versioned-resources.js';
import type { ResourceScope, ResourceStore } from '../ports/resource-store.port.js';

export interface FlagServiceParts {
  readonly store: ResourceStore;
  readonly feed: ConfigurationFeed;
  readonly writer: ConfigurationWriter;
  readonly rules: readonly WriteRule[];
}

export class FlagService {
  readonly flags: VersionedResources<FlagContent>;
  readonly segments: VersionedResources<SegmentContent>;

  constructor(parts: FlagServiceParts) {
    const rules = [flagValidity, ...parts.rules];
    const { store, feed, writer } = parts;
    this.flags = new VersionedResources({ kind: 'flag', store, feed, writer, rules, shown: shownFlag });
    this.segments = new VersionedResources({ kind: 'segment', store, feed, writer, rules, shown: shownSegment });
  }

  flagContent({ description, ...definition }: FlagBody): FlagContent {
    plainJson(definition, '');
    return { definition: definition as FlagDefinition, ...(description === undefined ? {} : { description }) };
  }

  segmentContent({ description, rule }: SegmentBody): SegmentContent {
    return { rule: plainJson(rule, '/rule'), ...(description === undefined ? {} : { description }) };
  }
}

const shownFlag = ({ definition, description, unleash }: FlagContent): JsonValue =>
  ({
    ...definition,
    ...(unleash === undefined ? {} : { unleash }),
    ...(description === undefined ? {} : { description }),
  }) as unknown as JsonValue;

const shownSegment = (content: SegmentContent): JsonValue => ({ ...content });

interface Definitions {
  readonly flags: readonly Item<FlagContent>[];
  readonly segments: readonly Item<SegmentContent>[];
}

const maxFaults = 20;

/** Refuses a plan after which a flag that it touches, or that leans on what it touches, would not hold. */
export const flagValidity: WriteRule = {
  check: (changes, state) => {
    const touched = changes.filter((change) => kindOf(change) === 'flag' || kindOf(change) === 'segment');
    if (touched.length === 0) return [];
    const before: Definitions = {
      flags: [...state.all<FlagContent>('flag')],
      segments: [...state.all<SegmentContent>('segment')],
    };
    const after = applied(before, touched);
    const scopes = scopesOf(touched, state);
    const faults: (Fault & ResourceScope)[] = [];
    for (const scope of scopes) {
      const known = new Set(faultsIn(before, scope, touched).map((fault) => JSON.stringify(fault)));
      for (const fault of faultsIn(after, scope, touched))
        if (!known.has(JSON.stringify(fault)) && faults.length < maxFaults) faults.push({ ...fault, ...scope });
    }
    if (faults.length > 0) throw invalid(faults);
    return [];
  },
};

const kindOf = (change: PlannedChange): string => (change.op === 'create' ? change.kind : change.item.kind);
const keyOf = (change: PlannedChange): string => (change.op === 'create' ? change.key : change.item.key);
const placeOf = (change: PlannedChange): ResourceScope => (change.op === 'create' ? change.scope : change.item);

function applied(before: Definitions, changes: readonly PlannedChange[]): Definitions {
  const flags = new Map(before.flags.map((item) => [item.id, item]));
  const segments = new Map(before.segments.map((item) => [item.id, item]));
  for (const [place, change] of changes.entries()) {
    const all = (kindOf(change) === 'flag' ? flags : segments) as Map<string, Item<unknown>>;
    if (change.op === 'delete') all.delete(change.item.id);
    else if (change.op === 'replace') all.set(change.item.id, { ...change.item, content: change.content });
    else {
      const id = `new-${place}`;
      all.set(id, { id, key: change.key, ...change.scope, content: change.content } as Item<unknown>);
    }
  }
  return { flags: [...flags.values()], segments: [...segments.values()] };
}

/** The scopes with definitions of their own in which one of the changes counts. */
function scopesOf(changes: readonly PlannedChange[], state: ConfigurationState): readonly ResourceScope[] {
  const scopes = new Map<string, ResourceScope>();
  const add = ({ appId, environment }: ResourceScope): void => {
    scopes.set(`${appId ?? ''}\n${environment ?? ''}`, { appId, environment });
  };
  for (const change of changes) add(placeOf(change));
  for (const kind of ['flag', 'segment'] as const) for (const item of state.all<unknown>(kind)) add(item);
  return [...scopes.values()].filter((scope) => changes.some((change) => countsIn(placeOf(change), scope)));
}

function faultsIn({ flags, segments }: Definitions, scope: ResourceScope, changes: readonly PlannedChange[]): Fault[] {
  const definitions = new Map([...mostSpecific(flags, scope)].map((item) => [item.key, item.content.definition]));
  const rules = new Map([...mostSpecific(segments, scope)].map((item) => [item.key, item.content.rule]));
  const changedFlags = new Set(changes.filter((change) => kindOf(change) === 'flag').map(keyOf));
  const changedSegments = usersOf(new Set(changes.filter((change) => kindOf(change) === 'segment').map(keyOf)), rules);
  const relevant = new Set<string>();
  for (const [key, definition] of definitions) {
    const leansOn = definition.prerequisites?.some(({ flag }) => changedFlags.has(flag)) === true;
    const names = changedSegments.size === 0 ? none : namedSegments(definition.targeting);
    if (changedFlags.has(key) || leansOn || [...names].some((name) => changedSegments.has(name))) relevant.add(key);
  }
  for (const key of relevant) for (const { flag } of definitions.get(key)?.prerequisites ?? []) relevant.add(flag);
  const needed = new Set(changedSegments);
  for (const key of relevant) for (const name of namedSegments(definitions.get(key)?.targeting)) needed.add(name);
  for (const name of needed) for (const inner of namedSegments(rules.get(name))) needed.add(inner);
  return validateFlagSet({
    flags: Object.fromEntries([...definitions].filter(([key]) => relevant.has(key))),
    $evaluators: Object.fromEntries([...rules].filter(([key]) => needed.has(key))),
  });
}

/** The segments, and those whose rules lean on one of them. */
function usersOf(keys: ReadonlySet<string>, rules: ReadonlyMap<string, JsonValue>): ReadonlySet<string> {
  const found = new Set(keys);
  for (let size = 0; found.size > 0 && size !== found.size; ) {
    size = found.size;
    for (const [key, rule] of rules) if ([...namedSegments(rule)].some((name) => found.has(name))) found.add(key);
  }
  return found;
}

const none: ReadonlySet<string> = new Set();
/** By the rule itself, which nobody changes. */
const named = new WeakMap<object, ReadonlySet<string>>();

/** The segments that a rule names itself. */
function namedSegments(rule: JsonValue | undefined): ReadonlySet<string> {
  if (typeof rule !== 'object' || rule === null) return none;
  let names = named.get(rule);
  if (names === undefined) {
    const found = new Set<string>();
    collectNames(rule, found);
    names = found;
    named.set(rule, names);
  }
  return names;
}

function collectNames(rule: JsonValue, into: Set<string>): void {
  if (typeof rule !== 'object' || rule === null) return;
  for (const [name, inner] of Object.entries(rule)) {
    if (name === '$ref' && typeof inner === 'string') into.add(inner);
    collectNames(inner as JsonValue, into);
  }
}

function invalid(faults: readonly (Fault & ResourceScope)[]): BailiwickError {
  const [first] = faults;
  return new BailiwickError('invalid', {
    reason: 'flag.invalid',
    message: `The write was refused: ${first?.path}: ${first?.message}.`,
    extra: {
      faults: faults.map(({ path, code, message, appId, environment }) => ({
        path,
        code,
        message,
        app_id: appId,
        environment,
      })),
    },
  });
}
