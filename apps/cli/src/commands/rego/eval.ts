/** `bailiwick rego eval`: the answers of a query. */

import { EVALUATION_FORMATS, type EvaluationFormat, evaluateQuery } from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { CommandFailure } from '../../failure.js';
import { loadFiles, readInput } from './load-files.js';
import {
  collect,
  type DataOptions,
  print,
  reporting,
  versionOf,
  withData,
  withFormat,
  withInput,
} from './rego-options.js';

interface Options extends DataOptions {
  readonly format: EvaluationFormat;
  readonly fail?: boolean;
  readonly failDefined?: boolean;
  readonly strict?: boolean;
  readonly strictBuiltinErrors?: boolean;
  readonly package?: string;
  readonly import: readonly string[];
  readonly bundle: readonly string[];
}

export function evalCommand(): Command {
  const command = withFormat(withInput(withData(new Command('eval'))), [
    'json',
    'values',
    'bindings',
    'pretty',
    'raw',
    'discard',
  ]);
  return command
    .argument('<query>')
    .option(
      '-b, --bundle <path>',
      'a bundle: a folder or a .tar.gz file; may be repeated',
      collect,
      [] as readonly string[],
    )
    .option('--package <name>', 'the package whose rules the query may name')
    .option('--import <import>', 'what the query may name; may be repeated', collect, [] as readonly string[])
    .option('--fail', 'exit with 1 when there is no answer')
    .option('--fail-defined', 'exit with 1 when there is an answer')
    .option('-S, --strict', 'the compiler’s strict mode')
    .option('--strict-builtin-errors', 'the first error of a built-in ends the evaluation')
    .description('evaluate a query; exit 2 when it cannot be')
    .action((query: string, options: Options) => {
      const asJson = options.format === 'json' || options.format === 'discard';
      const sources = new Map([['', query]]);
      return reporting({ exitCode: 2, asJson, jsonTo: 'stdout', sources }, async () => {
        const { modules, data } = await loadFiles(options.data, {
          version: versionOf(options),
          bundles: options.bundle,
        });
        const results = evaluateQuery(query, {
          modules,
          data,
          version: versionOf(options),
          input: options.input === undefined ? undefined : readInput(options.input),
          packageName: options.package,
          imports: options.import,
          strict: options.strict === true,
          strictBuiltinErrors: options.strictBuiltinErrors === true,
          context: { print: (line) => process.stderr.write(`${line}\n`) },
        });
        print(EVALUATION_FORMATS[options.format](results));
        const isDefined = results.length > 0;
        if ((options.fail === true && !isDefined) || (options.failDefined === true && isDefined)) {
          throw new CommandFailure('', 1);
        }
      });
    });
}
