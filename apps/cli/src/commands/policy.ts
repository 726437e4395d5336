/** `bailiwick policy …`: read, write, check and roll back policies. */
import { readFileSync } from 'node:fs';
import type { CheckReport } from '@bailiwick/contract';
import { Command } from 'commander';
import { type ConnectionOptions, call, withConnection } from '../client.js';
import { CommandFailure } from '../failure.js';

const readText = (path: string): string => {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new CommandFailure(`Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, 2);
  }
};

const print = (value: unknown): boolean => process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

export function policyCommand(): Command {
  const policy = new Command('policy').description('Read and write policies. NAME is a project, or `platform`.');
  const add = (command: Command): Command => withConnection(policy.command(command.name()));

  add(new Command('get'))
    .argument('<name>')
    .description('the policy in force')
    .action(async (name: string, options: ConnectionOptions) => {
      process.stdout.write(`${await (await call(options, `/policies/${name}`)).text()}\n`);
    });

  add(new Command('put'))
    .argument('<name>')
    .argument('<rego-file>', '`-` reads standard input')
    .option('--data <file>', 'JSON data file')
    .option('--no-wait', 'do not wait until every instance enforces it')
    .description('create or replace; takes the current ETag itself, so nobody else’s change between is lost')
    .action(async (name: string, file: string, options: ConnectionOptions & { data?: string; wait: boolean }) => {
      const body = {
        rego: readText(file),
        ...(options.data === undefined ? {} : { data: JSON.parse(readText(options.data)) as unknown }),
      };
      const etag = await currentEtag(options, name);
      const headers: Record<string, string> = etag === undefined ? { 'if-none-match': '*' } : { 'if-match': etag };
      print(
        await (
          await call(options, `/policies/${name}${options.wait ? '?wait=applied' : ''}`, {
            method: 'PUT',
            headers,
            body,
          })
        ).json(),
      );
    });

  add(new Command('check'))
    .argument('<name>')
    .argument('<rego-file>')
    .option('--data <file>', 'JSON data file; default: the data in force')
    .option('--replay <count>', 'logged decisions to replay', Number)
    .description('what a draft would do: errors, tests, decisions that flip; exit 1 when it is not clean')
    .action(async (name: string, file: string, options: ConnectionOptions & { data?: string; replay?: number }) => {
      const body = {
        rego: readText(file),
        ...(options.data === undefined ? {} : { data: JSON.parse(readText(options.data)) as unknown }),
        ...(options.replay === undefined ? {} : { replay: options.replay }),
      };
      const report = (await (
        await call(options, `/policies/${name}/check`, { method: 'POST', body })
      ).json()) as CheckReport;
      print(report);
      if (!report.ok) throw new CommandFailure('The check is not clean.');
    });

  add(new Command('versions'))
    .argument('<name>')
    .description('the kept versions, newest first')
    .action(async (name: string, options: ConnectionOptions) => {
      print(await (await call(options, `/policies/${name}/versions`)).json());
    });

  add(new Command('rollback'))
    .argument('<name>')
    .argument('<version>', 'whose content comes back', Number)
    .description('bring an earlier version’s content back as a new version')
    .action(async (name: string, version: number, options: ConnectionOptions) => {
      const etag = await currentEtag(options, name);
      print(
        await (
          await call(options, `/policies/${name}/rollback?wait=applied`, {
            method: 'POST',
            headers: etag === undefined ? {} : { 'if-match': etag },
            body: { version },
          })
        ).json(),
      );
    });
  return policy;
}

async function currentEtag(options: ConnectionOptions, name: string): Promise<string | undefined> {
  try {
    return (await call(options, `/policies/${name}`)).headers.get('etag') ?? undefined;
  } catch (error) {
    if (error instanceof CommandFailure && error.message.startsWith('404')) return undefined;
    throw error;
  }
}
