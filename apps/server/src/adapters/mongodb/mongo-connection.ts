/**
 * One MongoDB client for the history's collections. It connects when it is first used and reconnects by itself; every
 * operation ends within a bound, as `store.unavailable` when MongoDB is away. No transactions and no change streams:
 * each record is one insert under a unique key, so an append that is repeated after an unknown outcome changes nothing.
 */
import {
  type Collection,
  type Document,
  MongoBulkWriteError,
  MongoClient,
  type MongoClientOptions,
  MongoServerError,
  type WriteError,
} from 'mongodb';
import { storeUnavailable } from '../store-errors.js';

export interface MongoOptions {
  /** `mongodb://…` or `mongodb+srv://…`, with credentials and TLS settings as MongoDB writes them. */
  readonly url: string;
  /** Default: the one the URL names, else `bailiwick`. */
  readonly database?: string;
  /** The bound of every operation. */
  readonly timeoutMs?: number;
  /** PEM file of the authority that signed the server's certificate. */
  readonly tlsCaFile?: string;
}

export interface Index {
  readonly keys: Readonly<Record<string, 1 | -1>>;
  readonly isUnique?: boolean;
}

const duplicateKey = 11_000;

/** Nothing failed but keys that are taken. */
export function isDuplicate(error: unknown): error is MongoServerError {
  if (error instanceof MongoBulkWriteError) return toWriteErrors(error).every(({ code }) => code === duplicateKey);
  return error instanceof MongoServerError && error.code === duplicateKey;
}

function toWriteErrors({ writeErrors }: MongoBulkWriteError): readonly WriteError[] {
  return Array.isArray(writeErrors) ? writeErrors : [writeErrors as WriteError];
}

/** How many of an ordered insert came before the first whose key is taken. */
export function countBeforeDuplicate(error: MongoServerError): number {
  return error instanceof MongoBulkWriteError ? Math.min(...toWriteErrors(error).map(({ index }) => index)) : 0;
}

function toClientOptions({ timeoutMs = 2500, tlsCaFile }: MongoOptions): MongoClientOptions {
  return {
    appName: 'bailiwick',
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    socketTimeoutMS: timeoutMs,
    waitQueueTimeoutMS: timeoutMs,
    heartbeatFrequencyMS: 2000,
    // The callers repeat; a repetition here would double the bound.
    retryReads: false,
    retryWrites: false,
    readConcern: { level: 'majority' },
    writeConcern: { w: 'majority', wtimeoutMS: timeoutMs },
    ignoreUndefined: true,
    ...(tlsCaFile === undefined ? {} : { tlsCAFile: tlsCaFile }),
  };
}

/** Rejects after the bound also when the driver still waits: its own time limits may add up. */
function withBound<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([work, bound]).finally(() => clearTimeout(timer));
}

export class MongoConnection {
  readonly #client: MongoClient;
  readonly #database: string | undefined;
  readonly #timeoutMs: number;
  readonly #indexed = new Map<string, Promise<void>>();
  #isClosed = false;

  constructor(options: MongoOptions) {
    this.#client = new MongoClient(options.url, toClientOptions(options));
    const isNamedByUrl = /^mongodb(\+srv)?:\/\/[^/]+\/[^?]/.test(options.url);
    this.#database = options.database ?? (isNamedByUrl ? undefined : 'bailiwick');
    this.#timeoutMs = (options.timeoutMs ?? 2500) + 250;
  }

  /** Runs `work` on the collection after its indexes are there. Errors: `store.unavailable`; duplicates pass through. */
  async use<T extends Document, R>(
    name: string,
    indexes: readonly Index[],
    work: (collection: Collection<T>) => Promise<R>,
  ): Promise<R> {
    if (this.#isClosed) throw storeUnavailable('MongoDB', new Error('the store is closed'));
    const run = async (): Promise<R> => {
      await this.#ensureIndexes(name, indexes);
      return await work(this.#client.db(this.#database).collection<T>(name));
    };
    try {
      return await withBound(run(), this.#timeoutMs);
    } catch (error) {
      if (isDuplicate(error)) throw error;
      throw storeUnavailable('MongoDB', error);
    }
  }

  async isHealthy(): Promise<boolean> {
    if (this.#isClosed) return false;
    const ping = this.#client.db(this.#database).command({ ping: 1 });
    return await withBound(ping, this.#timeoutMs).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client.close();
  }

  #ensureIndexes(name: string, indexes: readonly Index[]): Promise<void> {
    const known = this.#indexed.get(name);
    if (known) return known;
    const made = this.#makeIndexes(name, indexes);
    this.#indexed.set(name, made);
    // A failure is not remembered: the next operation tries again.
    made.catch(() => this.#indexed.delete(name));
    return made;
  }

  async #makeIndexes(name: string, indexes: readonly Index[]): Promise<void> {
    const collection = this.#client.db(this.#database).collection(name);
    for (const { keys, isUnique = false } of indexes) await collection.createIndex({ ...keys }, { unique: isUnique });
  }
}
