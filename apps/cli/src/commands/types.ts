/** `bailiwick types`: a TypeScript file in which an app's configuration keys and flags have their types. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Config, ConfigFetched, EnvironmentSnapshot } from '@bailiwick/contract';
import { Command } from 'commander';
import { type ConnectionOptions, call, withConnection } from '../client.js';
import { CommandFailure } from '../failure.js';
import { typeOfSchema, typeOfValue, typesFile } from '../typescript-types.js';

interface TypesOptions extends ConnectionOptions {
  readonly app: string;
  readonly environment?: string;
  readonly out?: string;
  readonly check: boolean;
}

export function typesCommand(): Command {
  return withConnection(new Command('types'))
    .requiredOption('--app <app>', 'the app whose keys are wanted')
    .option('--environment <environment>', 'an environment of it; what only others have is left out')
    .option('--out <file>', 'where to write; default: standard output')
    .option('--check', 'write nothing; exit 1 when the file is not what it would be', false)
    .description('write a TypeScript file with the types of configuration and flags, and a typed client')
    .action(async (options: TypesOptions) => {
      const text = await typesOf(options);
      const { out, check } = options;
      if (out === undefined) {
        if (check) throw new CommandFailure('--check needs --out: the file to look at.', 2);
        process.stdout.write(text);
      } else if (!check) writeFileSync(out, text);
      else if (!existsSync(out) || readFileSync(out, 'utf8') !== text)
        throw new CommandFailure(`${out} is not what the server says: run it again without --check.`);
    });
}

async function typesOf(options: TypesOptions): Promise<string> {
  const { app, environment } = options;
  const query = new URLSearchParams({ app_id: app, ...(environment === undefined ? {} : { environment }) });
  const body = { app_id: app, environment: environment ?? null };
  const fetched = (await (
    await call(options, '/api/v1/configs/fetch', { method: 'POST', body })
  ).json()) as ConfigFetched;
  const snapshot = (await (await call(options, `/api/v1/environment?${query}`)).json()) as EnvironmentSnapshot;
  const schemas = await schemasOf(options, fetched);
  const configs = new Map<string, string>();
  for (const [key, value] of Object.entries(fetched.values)) {
    const schema = schemas.get(key);
    configs.set(key, schema === undefined ? typeOfValue(value) : typeOfSchema(schema));
  }
  const flags = new Map<string, string>();
  const definitions = (snapshot.document.flags as { readonly flags: Record<string, { variants: object }> }).flags;
  for (const [key, { variants }] of Object.entries(definitions))
    flags.set(key, typeOfValue(Object.values(variants)[0] as unknown));
  return typesFile({ app, environment, configs, flags });
}

/** Of the entries that the effective values came from. A key that may not read entries gets the types of the values. */
async function schemasOf(options: TypesOptions, { sources }: ConfigFetched): Promise<ReadonlyMap<string, unknown>> {
  const schemas = new Map<string, unknown>();
  const ids = new Map(Object.entries(sources).map(([key, { id }]) => [id, key]));
  let cursor: string | undefined;
  do {
    const page = `limit=200${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
    const answer = await call(options, `/api/v1/configs?${page}`).catch((error: unknown) => {
      if (error instanceof CommandFailure && error.message.startsWith('403')) return undefined;
      throw error;
    });
    if (answer === undefined) return schemas;
    const { items, next } = (await answer.json()) as { readonly items: readonly Config[]; readonly next?: string };
    for (const { id, schema } of items) {
      const key = ids.get(id);
      if (key !== undefined && typeof schema === 'object') schemas.set(key, schema);
    }
    cursor = next;
  } while (cursor !== undefined);
  return schemas;
}
