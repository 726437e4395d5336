import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { expect, it } from 'vitest';
import { describeDocumentCatalog } from '../../ports/document-catalog.contract.js';
import { makeDocument } from '../../ports/document-catalog-under-test.contract.js';
import { openEmbedded } from '../embedded/open-embedded.js';
import type { DocumentTables } from './document-tables.js';
import { RelationalDocumentCatalog } from './relational-document-catalog.js';

async function startEmbedded(now: () => number = Date.now) {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-documents-'));
  const embedded = await openEmbedded({ directory });
  const database = embedded.database as unknown as Kysely<DocumentTables>;
  const open = () => RelationalDocumentCatalog.open({ database, dialect: 'sqlite', now });
  return {
    catalog: await open(),
    another: open,
    async dispose() {
      await embedded.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

describeDocumentCatalog('embedded SQLite', () => startEmbedded(), { filters: 1500 });

it('feeds a deletion for seven days at least, and forgets it some day', async () => {
  const day = 24 * 3_600_000;
  let nowMs = Date.UTC(2026, 0, 1);
  const { catalog, dispose } = await startEmbedded(() => nowMs);
  const removed = async () => (await catalog.changesAfter(undefined, 10)).changes.map(({ id }) => id);
  const removeAnother = async (id: string): Promise<void> => {
    await catalog.insert(makeDocument('p', { id }));
    await catalog.remove('p', id, 1);
  };
  await removeAnother('one');
  nowMs += 7.5 * day;
  await removeAnother('two');
  expect(await removed()).toEqual(['one', 'two']);
  nowMs += 2 * day;
  await removeAnother('three');
  expect(await removed()).toEqual(['two', 'three']);
  await dispose();
});
