/**
 * Records what clients of a `KeyValueStore` ask and are told, as histories of registers. A client reads (GET), and writes on
 * the condition of the revision it read (PUT with If-Match) or, on purpose, of an older one.
 */
import { isBailiwickError } from '@bailiwick/contract';
import type { Compare, KeyValueStore } from '../../apps/server/src/ports/key-value-store.port.js';
import type { RegisterOperation, Value } from './register.js';

interface Seen {
  readonly value: Value;
  readonly modRevision: number;
}

export interface Recording {
  /** One history a key. */
  readonly histories: ReadonlyMap<string, readonly RegisterOperation[]>;
  readonly operations: number;
  readonly unknown: number;
  readonly refused: number;
}

/** What is asked of a store: a `KeyValueStore`, or something that stands for one. */
export type Register = Pick<KeyValueStore, 'get' | 'transact'>;

export interface RecorderOptions {
  readonly stores: readonly Register[];
  readonly keys: readonly string[];
  /** Resolves when the clients shall stop. */
  readonly until: Promise<unknown>;
  readonly random: () => number;
}

export async function recordHistories({ stores, keys, until, random }: RecorderOptions): Promise<Recording> {
  const histories = new Map<string, RegisterOperation[]>(keys.map((key) => [key, []]));
  const counts = { unknown: 0, refused: 0 };
  let isOver = false;
  void until.then(() => {
    isOver = true;
  });
  const note = (key: string, operation: RegisterOperation): void => void histories.get(key)?.push(operation);

  const read = async (client: number, store: Register, key: string): Promise<Seen> => {
    const start = performance.now();
    const item = await store.get(key);
    const end = performance.now();
    const seen: Seen = { value: item?.value ?? null, modRevision: item?.modRevision ?? 0 };
    note(key, { client, start, end, kind: 'read', value: seen.value });
    return seen;
  };

  const write = async (client: number, store: Register, key: string, seen: Seen, value: string): Promise<void> => {
    const conditions: Compare[] = [{ key, modRevision: seen.modRevision }];
    const base = { client, start: performance.now(), kind: 'compare-and-set', expected: seen.value, value } as const;
    try {
      const { succeeded } = await store.transact(conditions, [{ kind: 'put', key, value }]);
      note(key, { ...base, end: performance.now(), isDone: succeeded });
      if (!succeeded) counts.refused += 1;
    } catch (error) {
      if (!isBailiwickError(error)) throw error;
      counts.unknown += 1;
      note(key, { ...base, end: Number.POSITIVE_INFINITY, isDone: undefined });
    }
  };

  const work = async (client: number, store: Register): Promise<void> => {
    const earlier = new Map<string, Seen>();
    for (let count = 0; !isOver; count += 1) {
      const key = keys[Math.floor(random() * keys.length)] as string;
      const seen = await readOrNothing(() => read(client, store, key));
      if (!seen) continue;
      const base = random() < 0.15 ? (earlier.get(key) ?? seen) : seen;
      earlier.set(key, seen);
      if (random() < 0.6) await write(client, store, key, base, `${client}-${count}`);
    }
  };

  await Promise.all(stores.map((store, client) => work(client, store)));
  const operations = [...histories.values()].reduce((sum, history) => sum + history.length, 0);
  return { histories, operations, ...counts };
}

/** A read without an answer says nothing about the store. */
async function readOrNothing(run: () => Promise<Seen>): Promise<Seen | undefined> {
  try {
    return await run();
  } catch (error) {
    if (!isBailiwickError(error)) throw error;
    return undefined;
  }
}
