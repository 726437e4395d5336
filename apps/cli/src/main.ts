/** The `bailiwick` command. One file a subcommand; exit codes: 0 done, 1 refused or failed, 2 bad usage or a broken check. */
import { Command } from 'commander';
import { auditCommand } from './commands/audit.js';
import { gatewayCommand } from './commands/gateway.js';
import { policyCommand } from './commands/policy.js';
import { ragCommand } from './commands/rag.js';
import { regoCommand } from './commands/rego.js';
import { secretCommand } from './commands/secret.js';
import { tokenCommand } from './commands/token.js';
import { typesCommand } from './commands/types.js';
import { CommandFailure } from './failure.js';

const program = new Command('bailiwick')
  .description('Policies, configuration and their history, from the command line.')
  .showHelpAfterError('(--help shows the options)')
  .addCommand(policyCommand())
  .addCommand(auditCommand())
  .addCommand(gatewayCommand())
  .addCommand(secretCommand())
  .addCommand(tokenCommand())
  .addCommand(typesCommand())
  .addCommand(ragCommand())
  .addCommand(regoCommand());

/** Bad usage is 2, of every command: those that are added do not inherit it. */
function exitWithTwo(command: Command): void {
  command.exitOverride((error) => {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    throw error;
  });
  for (const below of command.commands) exitWithTwo(below);
}
exitWithTwo(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommandFailure) {
    if (error.message !== '') process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  } else if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('commander.'))) {
    throw error;
  }
}
