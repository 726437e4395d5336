/** `bailiwick secret …`: secrets of this installation. Values are read from standard input, so that they are in no shell's history. */
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { type ConnectionOptions, call, withConnection } from '../client.js';

export function secretCommand(): Command {
  const secret = new Command('secret').description(
    'Secrets that the gateway’s file names as $secret://local/PATH/FIELD.',
  );
  withConnection(secret.command('list'))
    .description('paths and field names; never values')
    .action(async (options: ConnectionOptions) => {
      const { items } = (await (await call(options, '/api/v1/secrets')).json()) as {
        readonly items: readonly { readonly path: string; readonly fields: readonly string[] }[];
      };
      for (const { path, fields } of items) process.stdout.write(`${path}\t${fields.join(',')}\n`);
    });
  withConnection(secret.command('set'))
    .argument('<path>', 'such as llm/openai')
    .argument('<field>', 'such as key')
    .description('set a secret’s one field to what stands on standard input (without its last line end)')
    .action(async (path: string, field: string, options: ConnectionOptions) => {
      const value = (await text(process.stdin)).replace(/\r?\n$/, '');
      await call(options, `/api/v1/secrets/${path}`, { method: 'PUT', body: { [field]: value } });
    });
  withConnection(secret.command('delete'))
    .argument('<path>')
    .description('delete a secret')
    .action(async (path: string, options: ConnectionOptions) => {
      await call(options, `/api/v1/secrets/${path}`, { method: 'DELETE' });
    });
  return secret;
}
