/** `bailiwick rego fmt`: policies in the one layout. */
import { writeFileSync } from 'node:fs';
import { errorText, formatText, unifiedDiff } from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { CommandFailure } from '../../failure.js';
import { findModules, readText } from './load-files.js';
import { print, reporting, type VersionOptions, versionOf, withVersion } from './rego-options.js';

interface Options extends VersionOptions {
  readonly diff?: boolean;
  readonly list?: boolean;
  readonly write?: boolean;
  readonly fail?: boolean;
}

function formatFile(file: string, options: Options): void {
  const text = readText(file);
  let formatted: string;
  try {
    formatted = formatText(file === '-' ? 'stdin' : file, text, { version: versionOf(options) });
  } catch (error) {
    const report = errorText(error, { sourceOf: () => text });
    throw new CommandFailure(
      file === '-' ? report : `failed to format Rego source file: ${report}`,
      file === '-' ? 1 : 2,
    );
  }
  const isChanged = text !== formatted;
  const onlyFails = options.fail === true && options.list !== true && options.diff !== true;
  if (isChanged && options.list === true) print(`${file}\n`);
  else if (isChanged && options.diff === true) print(unifiedDiff(file, text, formatted));
  if (isChanged && options.fail === true) throw new CommandFailure('unexpected diff', 2);
  if (options.list === true || options.diff === true) return;
  if (options.write !== true) print(formatted);
  else if (isChanged && !onlyFails) writeFileSync(file, formatted);
}

export function fmtCommand(): Command {
  return withVersion(new Command('fmt'))
    .argument('[paths...]', 'none reads standard input')
    .option('-d, --diff', 'only show what would change')
    .option('-l, --list', 'only name the files that would change')
    .option('-w, --write', 'overwrite the files')
    .option('--fail', 'exit with 2 when a file would change')
    .description('format policies; doing it twice changes nothing')
    .action((paths: readonly string[], options: Options) => {
      return reporting({ exitCode: 1, asJson: false }, () => {
        const files = paths.length === 0 ? ['-'] : findModules(paths);
        for (const file of files) formatFile(file, options);
      });
    });
}
