/** `bailiwick rego deps`: the documents a query depends on. */

import { dependenciesJson, findDependencies, prettyDependencies } from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { loadFiles } from './load-files.js';
import { type DataOptions, print, reporting, versionOf, withData, withFormat } from './rego-options.js';

export function depsCommand(): Command {
  return withFormat(withData(new Command('deps')), ['pretty', 'json'])
    .argument('<query>')
    .description('print the base and virtual documents a query depends on')
    .action((query: string, options: DataOptions & { readonly format: string }) => {
      return reporting({ exitCode: 1, asJson: false, sources: new Map([['', query]]) }, async () => {
        const { modules } = await loadFiles(options.data, { version: versionOf(options), ignore: options.ignore });
        const found = findDependencies(query, modules);
        print(options.format === 'json' ? dependenciesJson(found) : prettyDependencies(found));
      });
    });
}
