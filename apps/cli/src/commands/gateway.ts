/** `bailiwick gateway …`: the gateway's file and managed resources, as one `apisix.yaml`. */
import { Command } from 'commander';
import { type ConnectionOptions, call, withConnection } from '../client.js';

export function gatewayCommand(): Command {
  const gateway = new Command('gateway').description('The gateway’s routes and plugins.');
  withConnection(gateway.command('export'))
    .description('print apisix.yaml with the file’s and the managed resources, for a real APISIX in standalone mode')
    .action(async (options: ConnectionOptions) => {
      const response = await call(options, '/api/v1/gateway/export');
      process.stdout.write(await response.text());
    });
  return gateway;
}
