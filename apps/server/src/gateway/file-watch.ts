/** Follows the gateway's file: a good change takes force at once, a wrong one is reported with its line and changes nothing. */
import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Logger } from '../telemetry/logger.js';
import { parseApisixFile } from './apisix-file.js';
import { plugins } from './plugins/index.js';
import type { GatewayFile } from './resource-schemas.js';

/** The file is looked at so often, in milliseconds. */
const pollMs = 1_000;
/** A file that was written so shortly before it was read may have been written again within its time stamp's resolution. */
const settledAfterMs = 2_000;

type Variables = Readonly<Record<string, string | undefined>>;

export function readGatewayFile(path: string, variables: Variables): GatewayFile {
  return parseApisixFile(readFileSync(path, 'utf8'), path, variables, plugins);
}

/**
 * What counts is the text, from the first reading on: a change between that and the first look, or two changes within one time stamp,
 * are not missed, and a file that was read while it was being written is read again.
 */
export class WatchedGatewayFile {
  /** As it was when it was opened. */
  readonly first: GatewayFile;
  readonly #path: string;
  readonly #variables: Variables;
  readonly #logger: Logger;
  #text: string;
  /** Of the last reading whose text will not change any more without it. */
  #settled: string | undefined;
  #isMissing = false;

  /** Throws with the lines of a file that is wrong. */
  constructor(path: string, variables: Variables, logger: Logger) {
    this.#path = path;
    this.#variables = variables;
    this.#logger = logger;
    this.#text = readFileSync(path, 'utf8');
    this.first = parseApisixFile(this.#text, path, variables, plugins);
  }

  /** `apply` throws for a file that cannot be used. Returns the function that stops following. */
  follow(apply: (file: GatewayFile) => void): () => void {
    let isStopped = false;
    let timer: NodeJS.Timeout | undefined;
    const look = async (): Promise<void> => {
      const text = await this.#changed();
      if (isStopped) return;
      if (text !== undefined) this.#use(text, apply);
      timer = setTimeout(() => void look(), pollMs).unref();
    };
    void look();
    return () => {
      isStopped = true;
      clearTimeout(timer);
    };
  }

  /** The file's text where it is another one than before. An empty file is one that is being written. */
  async #changed(): Promise<string | undefined> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const signature = `${mtimeMs} ${size} ${ino}`;
      this.#isMissing = false;
      if (size === 0 || signature === this.#settled) return undefined;
      const text = await readFile(this.#path, 'utf8');
      this.#settled = Date.now() - mtimeMs > settledAfterMs ? signature : undefined;
      return text === this.#text || text === '' ? undefined : text;
    } catch (error) {
      if (!this.#isMissing)
        this.#logger.error({ file: this.#path, error }, 'the gateway keeps its routes: no file to read');
      this.#isMissing = true;
      return undefined;
    }
  }

  #use(text: string, apply: (file: GatewayFile) => void): void {
    this.#text = text;
    try {
      apply(parseApisixFile(text, this.#path, this.#variables, plugins));
      this.#logger.info({ file: this.#path }, 'gateway routes reloaded');
    } catch (error) {
      this.#logger.error({ file: this.#path, error }, 'the gateway keeps its old routes: the new file is wrong');
    }
  }
}
