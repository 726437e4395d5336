/** `bailiwick rego explain`: why a query has its answer. */

import { explainQuery, explanationJson, prettyExplanation } from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { loadFiles, readInput } from './load-files.js';
import { type DataOptions, print, reporting, versionOf, withData, withFormat, withInput } from './rego-options.js';

export function explainCommand(): Command {
  return withFormat(withInput(withData(new Command('explain'))), ['pretty', 'json'])
    .argument('<query>', 'mostly a path, such as data.app.allow')
    .description('print the rules that were tried, which held, and the expressions that decided')
    .action((query: string, options: DataOptions & { readonly format: string }) => {
      const asJson = options.format === 'json';
      return reporting({ exitCode: 2, asJson, jsonTo: 'stdout', sources: new Map([['', query]]) }, async () => {
        const { modules, data } = await loadFiles(options.data, {
          version: versionOf(options),
          ignore: options.ignore,
        });
        const explained = explainQuery(query, {
          modules,
          data,
          input: options.input === undefined ? undefined : readInput(options.input),
        });
        print(asJson ? explanationJson(explained) : prettyExplanation(query, explained));
      });
    });
}
