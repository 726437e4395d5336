/** A set of migrations that is brought up to date once a process, before the first statement that needs its tables. */
import { isBailiwickError } from '@bailiwick/contract';
import type { Kysely } from 'kysely';
import { type Migration, migrate } from '../migrations.js';

interface SchemaOptions<Tables> {
  readonly database: Kysely<Tables>;
  readonly exclusively?: ((work: (database: Kysely<Tables>) => Promise<unknown>) => Promise<void>) | undefined;
  readonly toError?: ((error: unknown) => unknown) | undefined;
}

export class Schema<Tables> {
  readonly #migrate: () => Promise<unknown>;
  #done: Promise<unknown> | undefined;

  constructor(options: SchemaOptions<Tables>, set: string, migrations: readonly Migration[]) {
    const { database, toError = (error) => error } = options;
    const exclusively = options.exclusively ?? (async (work) => void (await work(database)));
    this.#migrate = () =>
      exclusively((one) => migrate(one, set, migrations)).catch((error: unknown) => {
        throw toError(error);
      });
  }

  /** Errors: `store.unavailable`; then the next call tries again. */
  async ensure(): Promise<void> {
    this.#done ??= this.#migrate().catch((error: unknown) => {
      this.#done = undefined;
      throw error;
    });
    await this.#done;
  }
}

export function ignoreUnavailable(error: unknown): void {
  if (!isBailiwickError(error) || error.kind !== 'unavailable') throw error;
}
