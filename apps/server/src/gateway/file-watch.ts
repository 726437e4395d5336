/** Follows the gateway's file: a good change takes force at once, a wrong one is reported with its line and changes nothing. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Logger } from '../telemetry/logger.js';
import { parseApisixFile } from './apisix-file.js';
import { plugins } from './plugins/index.js';
import type { GatewayFile } from './resource-schemas.js';

const pollMs = 1_000;

export function readGatewayFile(path: string, variables: Readonly<Record<string, string | undefined>>): GatewayFile {
  return parseApisixFile(readFileSync(path, 'utf8'), path, variables, plugins);
}

/** Returns the function that stops following. */
export function followGatewayFile(
  path: string,
  variables: Readonly<Record<string, string | undefined>>,
  apply: (file: GatewayFile) => void,
  logger: Logger,
): () => void {
  const look = (): void => {
    try {
      apply(readGatewayFile(path, variables));
      logger.info({ file: path }, 'gateway routes reloaded');
    } catch (error) {
      logger.error({ file: path, error }, 'the gateway keeps its old routes: the new file is wrong');
    }
  };
  watchFile(path, { interval: pollMs, persistent: false }, (now, before) => {
    if (now.mtimeMs !== before.mtimeMs && now.size > 0) look();
  });
  return () => unwatchFile(path);
}
