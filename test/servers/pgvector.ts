/** A real PostgreSQL 16 with the extension `vector`, otherwise as `postgres.ts` starts Debian's. */
import { cpSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres } from './postgres.js';
import { makeTemporaryFolder } from './processes.js';
import { pgvectorPrograms } from './python-servers.js';

let readable: Promise<string> | undefined;

/** root's own folders are closed to the user that PostgreSQL runs as: once a run, a copy that is not. */
async function copyForPostgres(programs: string): Promise<string> {
  const folder = await makeTemporaryFolder('pgvector');
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const packages = join(programs, '../../..');
  for (const each of ['pgserver.libs', 'pgserver/pginstall/bin', 'pgserver/pginstall/lib', 'pgserver/pginstall/share'])
    cpSync(join(packages, each), join(folder, each), { recursive: true });
  await chmod(folder, 0o755);
  return join(folder, 'pgserver/pginstall/bin/');
}

export async function startPgvector(): ReturnType<typeof startPostgres> {
  const programs = pgvectorPrograms() ?? '';
  if (process.getuid?.() !== 0) return await startPostgres({ programs });
  readable ??= copyForPostgres(programs);
  return await startPostgres({ programs: await readable });
}
