import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeAuditLog } from '../../ports/audit-log.contract.js';
import { describePolicyArchive } from '../../ports/policy-archive.contract.js';
import { openEmbedded } from './open-embedded.js';

async function openFolder() {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-history-'));
  let embedded = await openEmbedded({ directory });
  return {
    now: () => embedded,
    async reopen() {
      await embedded.close();
      embedded = await openEmbedded({ directory });
      return embedded;
    },
    async dispose() {
      await embedded.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

describePolicyArchive('embedded SQLite', async () => {
  const folder = await openFolder();
  return {
    archive: folder.now().policyArchive,
    reopen: async () => (await folder.reopen()).policyArchive,
    dispose: folder.dispose,
  };
});

describeAuditLog('embedded SQLite', async () => {
  const folder = await openFolder();
  return {
    log: folder.now().auditLog,
    reopen: async () => (await folder.reopen()).auditLog,
    dispose: folder.dispose,
  };
});
