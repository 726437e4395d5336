/** `bailiwick rego …`: evaluate, check, test and format policies on this machine, without a server. */
import { Command } from 'commander';
import { benchCommand } from './rego/bench.js';
import { checkCommand } from './rego/check.js';
import { depsCommand } from './rego/deps.js';
import { evalCommand } from './rego/eval.js';
import { explainCommand } from './rego/explain.js';
import { fmtCommand } from './rego/fmt.js';
import { lintCommand } from './rego/lint.js';
import { parseCommand } from './rego/parse.js';
import { testCommand } from './rego/test.js';

export function regoCommand(): Command {
  const rego = new Command('rego').description('Tools for Rego policies, with the options and outputs of OPA’s own.');
  for (const command of [
    evalCommand(),
    checkCommand(),
    testCommand(),
    fmtCommand(),
    parseCommand(),
    benchCommand(),
    depsCommand(),
    explainCommand(),
    lintCommand(),
  ]) {
    rego.addCommand(command);
  }
  return rego;
}
