import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { describeDeliveryStore } from '../../ports/delivery-store.contract.js';
import { describeResourceStore } from '../../ports/resource-store.contract.js';
import { openEmbedded } from '../embedded/open-embedded.js';
import { RelationalDeliveryStore } from './relational-delivery-store.js';
import { RelationalResourceStore } from './relational-resource-store.js';
import type { ResourceTables } from './resource-tables.js';

describeResourceStore('embedded SQLite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-resources-'));
  const embedded = await openEmbedded({ directory });
  const database = embedded.database as unknown as Kysely<ResourceTables>;
  return {
    store: await RelationalResourceStore.open({ database }),
    another: () => RelationalResourceStore.open({ database }),
    async dispose() {
      await embedded.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});

describeDeliveryStore('embedded SQLite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-deliveries-'));
  const embedded = await openEmbedded({ directory });
  const database = embedded.database as unknown as Kysely<ResourceTables>;
  return {
    store: await RelationalDeliveryStore.open({ database }),
    async dispose() {
      await embedded.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
