import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeKeyValueStore } from '../../ports/key-value-store.contract.js';
import { openEmbedded } from './open-embedded.js';

describeKeyValueStore('embedded SQLite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-kv-'));
  let embedded = await openEmbedded({ directory });
  return {
    store: embedded.keyValueStore,
    async reopen() {
      await embedded.close();
      embedded = await openEmbedded({ directory });
      return embedded.keyValueStore;
    },
    compact: (revision) => embedded.keyValueStore.compact(revision),
    async dispose() {
      await embedded.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
