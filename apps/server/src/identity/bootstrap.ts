/** The bootstrap administrator's token: `<data dir>/admin.token`, mode 0600; made again when it is missing or about to expire. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { type LocalKeys, signLocalToken } from './local-keys.js';

const validDays = 365;
const renewBeforeDays = 30;

/** Returns the path of the file. */
export async function ensureAdminToken(
  directory: string,
  keys: LocalKeys,
  audience: string,
  nowMs = Date.now(),
): Promise<string> {
  const path = join(directory, 'admin.token');
  if (existsSync(path) && isStillGood(readFileSync(path, 'utf8').trim(), nowMs)) return path;
  const token = await signLocalToken(keys, {
    subject: 'bootstrap-admin',
    roles: ['platform-admin'],
    audience,
    days: validDays,
  });
  writeFileSync(`${path}.new`, `${token}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}

function isStillGood(token: string, nowMs: number): boolean {
  try {
    return (decodeJwt(token).exp ?? 0) * 1000 - nowMs > renewBeforeDays * 86_400_000;
  } catch {
    return false;
  }
}
