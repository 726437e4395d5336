/** An environment as the server sends it, and the steps between two of them; checked here, because they come from outside. */
import type {
  ConfigEntry,
  EnvironmentDocument,
  FlagCandidate,
  FlagDefinition,
  UnleashState,
} from '@bailiwick/evaluation';
import { isObject, type JsonObject, type JsonValue } from './json.js';

/** An environment of one revision. What is in the document is for the evaluation. */
export interface EnvironmentSnapshot {
  /** Names the history that the revision counts. */
  readonly epoch: string;
  readonly revision: number;
  readonly document: {
    readonly appId?: string | null;
    readonly environment?: string | null;
    readonly entries: readonly unknown[];
    readonly flags: { readonly flags: Readonly<Record<string, unknown>> };
    readonly flagCandidates?: readonly unknown[];
  };
}

export interface EnvironmentPatch {
  readonly epoch: string;
  /** Applies to a snapshot of exactly this revision. */
  readonly base: number;
  readonly revision: number;
  readonly entries: readonly ConfigEntry[];
  readonly removedEntries: readonly string[];
  readonly flags: Readonly<Record<string, FlagDefinition>>;
  readonly removedFlags: readonly string[];
  readonly evaluators: Readonly<Record<string, JsonValue>>;
  readonly removedEvaluators: readonly string[];
  readonly flagCandidates?: readonly FlagCandidate[];
  /** Null: there is none any more; absent: as before. */
  readonly unleash?: UnleashState | null;
}

const isRevision = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === 'string');
const isObjects = (value: unknown): boolean => Array.isArray(value) && value.every(isObject);
const isEntries = (value: unknown): boolean =>
  isObjects(value) && (value as { key?: unknown }[]).every(({ key }) => typeof key === 'string');
const isObjectsByName = (value: unknown): boolean => isObject(value) && Object.values(value).every(isObject);

export class MalformedData extends Error {}

/** Throws `MalformedData` saying which part is not what it should be. */
export function toSnapshot(value: unknown): EnvironmentSnapshot {
  const document = isObject(value) && isObject(value['document']) ? value['document'] : undefined;
  const checks: readonly (readonly [string, boolean])[] = [
    ['epoch', isObject(value) && typeof value['epoch'] === 'string'],
    ['revision', isObject(value) && isRevision(value['revision'])],
    ['document', document !== undefined],
    ['document.entries', isEntries(document?.['entries'])],
    ['document.flags', isObject(document?.['flags']) && isObjectsByName(document['flags']['flags'])],
    ['document.flagCandidates', document?.['flagCandidates'] === undefined || isObjects(document['flagCandidates'])],
  ];
  const wrong = checks.find(([, isRight]) => !isRight);
  if (wrong) throw new MalformedData(`an environment was refused: its ${wrong[0]} is not of the expected form`);
  return value as EnvironmentSnapshot;
}

/** Throws `MalformedData`. */
export function toPatch(value: unknown): EnvironmentPatch {
  const patch = isObject(value) ? value : {};
  const checks: readonly (readonly [string, boolean])[] = [
    ['epoch', typeof patch['epoch'] === 'string'],
    ['base', isRevision(patch['base'])],
    ['revision', isRevision(patch['revision'])],
    ['entries', isEntries(patch['entries'])],
    ['removedEntries', isTexts(patch['removedEntries'])],
    ['flags', isObjectsByName(patch['flags'])],
    ['removedFlags', isTexts(patch['removedFlags'])],
    ['evaluators', isObject(patch['evaluators'])],
    ['removedEvaluators', isTexts(patch['removedEvaluators'])],
    ['flagCandidates', patch['flagCandidates'] === undefined || isObjects(patch['flagCandidates'])],
    ['unleash', patch['unleash'] === undefined || patch['unleash'] === null || isObject(patch['unleash'])],
  ];
  const wrong = checks.find(([, isRight]) => !isRight);
  if (wrong) throw new MalformedData(`a patch was refused: its ${wrong[0]} is not of the expected form`);
  return value as EnvironmentPatch;
}

export const documentOf = (snapshot: EnvironmentSnapshot): EnvironmentDocument =>
  snapshot.document as unknown as EnvironmentDocument;

/**
 * The snapshot that the patch leads to. The caller has made sure that it applies. What the patch does not name is the same object in both, so that
 * it is not compiled again.
 */
export function applyPatch(snapshot: EnvironmentSnapshot, patch: EnvironmentPatch): EnvironmentSnapshot {
  const before = documentOf(snapshot);
  const candidates = patch.flagCandidates ?? before.flagCandidates ?? [];
  const unleash = patch.unleash === undefined ? before.unleash : (patch.unleash ?? undefined);
  const document: EnvironmentDocument = {
    appId: before.appId ?? null,
    environment: before.environment ?? null,
    entries: changedEntries(before.entries, patch),
    flags: {
      ...before.flags,
      flags: changed(before.flags.flags, patch.flags, patch.removedFlags),
      $evaluators: changed(before.flags.$evaluators ?? {}, patch.evaluators, patch.removedEvaluators),
    },
    ...(candidates.length === 0 ? {} : { flagCandidates: candidates }),
    ...(unleash === undefined ? {} : { unleash }),
  };
  return {
    epoch: patch.epoch,
    revision: patch.revision,
    document: document as unknown as JsonObject & typeof document,
  };
}

/** Each in the place where it was; new ones at the end. */
function changedEntries(
  before: readonly ConfigEntry[],
  { entries: put, removedEntries }: EnvironmentPatch,
): readonly ConfigEntry[] {
  if (put.length === 0 && removedEntries.length === 0) return before;
  const next = new Map<string | undefined, ConfigEntry | undefined>(removedEntries.map((id) => [id, undefined]));
  for (const entry of put) next.set(entry.id, entry);
  const entries: ConfigEntry[] = [];
  for (const entry of before) {
    const isNamed = next.has(entry.id);
    const changed = isNamed ? next.get(entry.id) : entry;
    if (isNamed) next.delete(entry.id);
    if (changed !== undefined) entries.push(changed);
  }
  for (const entry of next.values()) if (entry !== undefined) entries.push(entry);
  return entries;
}

function changed<T>(
  before: Readonly<Record<string, T>>,
  put: Readonly<Record<string, T>>,
  removed: readonly string[],
): Readonly<Record<string, T>> {
  if (removed.length === 0 && Object.keys(put).length === 0) return before;
  const entries = new Map(Object.entries(before));
  for (const name of removed) entries.delete(name);
  for (const [name, value] of Object.entries(put)) entries.set(name, value);
  return Object.fromEntries(entries);
}
