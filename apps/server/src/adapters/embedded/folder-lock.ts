/**
 * One process a data folder. The lock is SQLite's own exclusive file lock on a small database of its own: the operating
 * system drops it with the process however it ends, so there is no stale lock to guess about. The pid file beside it only
 * serves the message.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BailiwickError } from '@bailiwick/contract';
import Database from 'better-sqlite3';

export interface FolderLock {
  release(): void;
}

function readOwner(pidFile: string): string {
  try {
    return readFileSync(pidFile, 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}

/** Makes the folder when it is missing (mode 0700). Errors: `store.locked` when another holds it, with its pid. */
export function lockFolder(directory: string): FolderLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const pidFile = join(directory, 'bailiwick.pid');
  const lock = new Database(join(directory, 'bailiwick.lock'), { timeout: 0 });
  try {
    lock.pragma('journal_mode = MEMORY');
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    const owner = readOwner(pidFile);
    throw new BailiwickError('unavailable', {
      reason: 'store.locked',
      message: `The data folder ${directory} is in use by the process ${owner}. Stop that process, or choose another folder with BAILIWICK_DATA_DIR.`,
      cause,
    });
  }
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    release() {
      rmSync(pidFile, { force: true });
      lock.close();
    },
  };
}
