/**
 * Servers that come as Python packages, in an environment of their own: Chroma, and PostgreSQL 16 with pgvector (`pgserver` brings
 * the programs). `.ci/run` makes it; elsewhere the hint does.
 */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bailiwick', 'python-servers');

export const pythonServersInstallHint =
  'python3 -m venv ~/.cache/bailiwick/python-servers && ~/.cache/bailiwick/python-servers/bin/pip install chromadb==1.5.9 pgserver==0.1.4';

export const chromaProgram = join(folder, 'bin', 'chroma');
export const isChromaInstalled = (): boolean => existsSync(chromaProgram);

/** The folder of PostgreSQL's programs, with a slash; undefined when it is not there. */
export function pgvectorPrograms(): string | undefined {
  const libraries = join(folder, 'lib');
  if (!existsSync(libraries)) return undefined;
  const found = readdirSync(libraries).map((version) =>
    join(libraries, version, 'site-packages/pgserver/pginstall/bin/'),
  );
  return found.find((each) => existsSync(join(each, 'initdb')));
}

export const isPgvectorInstalled = (): boolean => pgvectorPrograms() !== undefined;
