/** Secrets at an instance that did not write them: of entries, and of what a rollout is about to put in their place. */
import { randomUUID } from 'node:crypto';
import { applyCommand, createRollout, type Rollout } from '@bailiwick/evaluation';
import { describe, expect, it } from 'vitest';
import type { ResourceKind, ResourceVersion } from '../ports/resource-store.port.js';
import { candidatesOf } from '../rollouts/candidates.js';
import { ConfigurationState } from './configuration-state.js';
import { type DataKeys, ValueCipher } from './value-cipher.js';

const hourMs = 3_600_000;

/** A secret store that may be away. */
class Keys implements DataKeys {
  isAway = false;
  readonly #keys = new Map<string, Uint8Array>();

  wrapDataKey(key: Uint8Array): Promise<string> {
    const name = randomUUID();
    this.#keys.set(name, key);
    return Promise.resolve(name);
  }

  unwrapDataKey(wrapped: string): Promise<Buffer> {
    const key = this.#keys.get(wrapped);
    return this.isAway || key === undefined ? Promise.reject(new Error('away')) : Promise.resolve(Buffer.from(key));
  }
}

function running(): Rollout {
  const created = createRollout({ id: 'r', strategy: { kind: 'targeting', audience: { users: ['ann'] } } }, 0);
  if ('error' in created) throw new Error(created.error.message);
  const started = applyCommand(created.rollout, { kind: 'start' }, 0);
  if ('error' in started) throw new Error(started.error.message);
  return started.rollout;
}

/** A secret and a rollout of it, written more than an hour apart: under two data keys. */
async function written(keys: Keys): Promise<ConfigurationState> {
  let nowMs = 0;
  const writer = new ValueCipher(keys, () => nowMs);
  const entry = { type: 'string', sensitive: true, encrypted: await writer.encrypt('old') };
  nowMs = 2 * hourMs;
  const target = { kind: 'config', id: 'c', encrypted: await writer.encrypt('new') };
  const state = new ConfigurationState({ revision: 0, resources: [], deletions: [] });
  const contents: readonly (readonly [ResourceKind, string, unknown])[] = [
    ['config', 'c', entry],
    ['rollout', 'r', { target, rollout: running() }],
  ];
  for (const [at, [kind, id, content]] of contents.entries()) {
    const place = { appId: 'shop', environment: 'prod', key: id };
    const made = { updatedAt: '', updatedBy: '', action: '', rolledBackTo: null, place: 0 };
    const version: ResourceVersion = {
      ...{ kind, id, ...place, version: 1, revision: at + 1, content: JSON.stringify(content), ...made },
    };
    state.apply([version], at + 1);
  }
  return state;
}

const read = (state: ConfigurationState, cipher: ValueCipher) => {
  const item = state.get<never>('config', 'c');
  if (item === undefined) throw new Error('the entry is not there');
  const candidates = candidatesOf(state, cipher);
  return {
    ...{ value: cipher.plain(item), candidate: candidates.configCandidate(item)?.value },
    ...{ isSealed: candidates.isSealed(item), isOpen: cipher.isOpen(state) },
  };
};

describe('a secret under a rollout', () => {
  it('is opened with the value that it is to have, at an instance that wrote neither', async () => {
    const keys = new Keys();
    const state = await written(keys);
    const cipher = new ValueCipher(keys);
    expect(read(state, cipher)).toEqual({ value: undefined, candidate: undefined, isSealed: true, isOpen: false });
    await cipher.open(state);
    expect(read(state, cipher)).toEqual({ value: 'old', candidate: 'new', isSealed: false, isOpen: true });
  });

  it('stays shut while the secret store is away, and says that nothing new can be read', async () => {
    const keys = new Keys();
    const state = await written(keys);
    const cipher = new ValueCipher(keys);
    keys.isAway = true;
    await expect(cipher.open(state)).rejects.toThrow('away');
    expect([cipher.unwrapped, cipher.isOpen(state)]).toEqual([0, false]);
    keys.isAway = false;
    await cipher.open(state);
    expect([cipher.unwrapped, cipher.isOpen(state)]).toEqual([2, true]);
  });
});
