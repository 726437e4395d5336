/** `bailiwick rego lint`: what is wrong, slow or unclear in policies. */
import { LINT_RULES, lintModules, lintReportJson, prettyLintReport } from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { CommandFailure } from '../../failure.js';
import { loadFiles } from './load-files.js';
import { type LoadingOptions, print, reporting, versionOf, withFormat, withIgnore } from './rego-options.js';

interface Options extends LoadingOptions {
  readonly format: string;
  readonly disable: readonly string[];
  readonly enable: readonly string[];
  readonly rules?: boolean;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, ...value.split(',')];

function listRules(): void {
  for (const { category, name, text } of LINT_RULES) print(`${category}/${name}: ${text}\n`);
}

export function lintCommand(): Command {
  return withFormat(withIgnore(new Command('lint')), ['pretty', 'json'])
    .argument('[paths...]')
    .option('--disable <names>', 'rules or categories to leave out', collect, [] as readonly string[])
    .option('--enable <names>', 'only these rules or categories', collect, [] as readonly string[])
    .option('--rules', 'list the rules')
    .description('look for bugs, slow and unclear places; exit 1 when some are found')
    .action((paths: readonly string[], options: Options) => {
      if (options.rules === true) return listRules();
      if (paths.length === 0) throw new CommandFailure('Name the files or folders to lint.', 2);
      const asJson = options.format === 'json';
      return reporting({ exitCode: 2, asJson, jsonTo: 'stdout' }, async () => {
        const { modules } = await loadFiles(paths, {
          version: versionOf(options),
          ignore: options.ignore,
          regoOnly: true,
        });
        const { disable: disabled, enable } = options;
        const violations = lintModules(modules, { disabled, ...(enable.length === 0 ? {} : { enabled: enable }) });
        print(asJson ? lintReportJson(violations, modules.length) : prettyLintReport(violations, modules.length));
        if (violations.length > 0) throw new CommandFailure('', 1);
      });
    });
}
