/** `bailiwick rego check`: whether policies compile. */

import { checkModules } from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { loadFiles, loadSchemas } from './load-files.js';
import {
  type CompileOptions,
  type LoadingOptions,
  parseNumber,
  reporting,
  versionOf,
  withCompilation,
  withFormat,
  withIgnore,
} from './rego-options.js';

interface Options extends LoadingOptions, CompileOptions {
  readonly format: string;
  readonly bundle?: boolean;
  readonly strict?: boolean;
  readonly maxErrors: number;
}

export function checkCommand(): Command {
  return withFormat(withCompilation(withIgnore(new Command('check'))), ['pretty', 'json'])
    .argument('<paths...>')
    .option('-b, --bundle', 'the paths are bundles: folders or .tar.gz files')
    .option('-S, --strict', 'unused variables and imports are errors')
    .option('-m, --max-errors <count>', 'how many errors to show', parseNumber, 10)
    .description('parse and compile; exit 1 when there are errors')
    .action((paths: readonly string[], options: Options) => {
      const { maxErrors, capabilities } = options;
      return reporting({ exitCode: 1, asJson: options.format === 'json', maxErrors, words: 'check' }, async () => {
        const schemas = loadSchemas(options.schema);
        const { modules } = await loadFiles(options.bundle === true ? [] : paths, {
          version: versionOf(options),
          ignore: options.ignore,
          capabilities,
          regoOnly: true,
          bundles: options.bundle === true ? paths : [],
        });
        checkModules(modules, { strict: options.strict === true, maxErrors, capabilities, schemas });
      });
    });
}
