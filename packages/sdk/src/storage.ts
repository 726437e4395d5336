/** Where a client keeps what it last knew, for its next start. What is kept may hold sensitive values: see the file's mode. */

import { isObject } from './json.js';
import { RemoteWorld, toRemoteAnswers } from './remote-source.js';
import { toSnapshot } from './snapshot.js';
import { LocalWorld, type World } from './world.js';

/** One text; the last one written counts. Failures reject, and the client goes on without. */
export interface ClientStorage {
  read(): Promise<string | undefined>;
  write(text: string): Promise<void>;
}

/** The part of a browser's `localStorage` that is used. */
export interface TextItems {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** In a browser: `browserStorage('bailiwick')`. Only for remote evaluation, whose answers hold no rules and no secrets. */
export function browserStorage(key: string, items?: TextItems): ClientStorage {
  const found = items ?? (globalThis as { localStorage?: TextItems }).localStorage;
  if (found === undefined) throw new TypeError('there is no localStorage here: give another storage');
  return {
    read: async () => found.getItem(key) ?? undefined,
    write: async (text) => found.setItem(key, text),
  };
}

const version = 1;

/** Undefined for worlds that were not received. */
export function storedText(world: World, nowMs: number, url: string): string | undefined {
  const about = { version, savedAtMs: nowMs, url };
  if (world instanceof LocalWorld) return JSON.stringify({ ...about, snapshot: world.snapshot });
  if (world instanceof RemoteWorld) return JSON.stringify({ ...about, answers: world.answers });
  return undefined;
}

export interface StoredFor {
  readonly url: string;
  readonly appId: string | undefined;
  readonly environment: string | undefined;
  readonly maxAgeMs: number;
  readonly nowMs: number;
}

/** Undefined when it is too old, or of another server, app or environment. Throws for what cannot be read. */
export function worldOf(text: string, wanted: StoredFor): World | undefined {
  const stored: unknown = JSON.parse(text);
  if (!isObject(stored) || stored['version'] !== version || stored['url'] !== wanted.url) return undefined;
  const { savedAtMs } = stored;
  if (typeof savedAtMs !== 'number' || wanted.nowMs - savedAtMs > wanted.maxAgeMs) return undefined;
  if (stored['answers'] !== undefined) return new RemoteWorld(toRemoteAnswers(stored['answers']), 'storage');
  const snapshot = toSnapshot(stored['snapshot']);
  const { appId, environment } = snapshot.document;
  const isOther =
    (wanted.appId !== undefined && wanted.appId !== appId) ||
    (wanted.environment !== undefined && wanted.environment !== environment);
  return isOther ? undefined : new LocalWorld(snapshot, 'storage');
}
