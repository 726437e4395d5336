/** `bailiwick token …`: a token for a script. */
import type { CreatedApiKey } from '@bailiwick/contract';
import { Command } from 'commander';
import { type ConnectionOptions, call, withConnection } from '../client.js';

interface CreateOptions extends ConnectionOptions {
  readonly role: readonly string[];
  readonly project?: string;
  readonly days: number;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function tokenCommand(): Command {
  const token = new Command('token').description('Tokens and API keys.');
  withConnection(token.command('create'))
    .argument('<name>', 'what it is for')
    .option('--role <role>', 'a role it has; may be given several times', collect, [] as readonly string[])
    .option('--project <project>', 'the project it is for')
    .option('--days <days>', 'how long it is good', Number, 90)
    .description('make an API key and print it; it is shown once and can be used wherever a token can')
    .action(async (name: string, options: CreateOptions) => {
      const body = {
        name,
        roles: options.role,
        ...(options.project === undefined ? {} : { project: options.project }),
        expires_in_days: options.days,
      };
      const created = (await (
        await call(options, '/api/v1/api-keys', { method: 'POST', body })
      ).json()) as CreatedApiKey;
      process.stdout.write(`${created.key}\n`);
    });
  withConnection(token.command('revoke'))
    .argument('<id>', 'the part of the key between the underscores')
    .description('revoke an API key, at once and everywhere')
    .action(async (id: string, options: ConnectionOptions) => {
      await call(options, `/api/v1/api-keys/${id}`, { method: 'DELETE' });
    });
  return token;
}
