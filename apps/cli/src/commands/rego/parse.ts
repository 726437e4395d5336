/** `bailiwick rego parse`: a module's syntax tree. */

import { parseModule } from '@bailiwick/rego';
import { prettySyntaxTree, syntaxTreeJson } from '@bailiwick/rego/tools';
import { Command, InvalidArgumentError } from 'commander';
import { readText } from './load-files.js';
import { print, reporting, type VersionOptions, versionOf, withFormat, withVersion } from './rego-options.js';

interface Options extends VersionOptions {
  readonly format: string;
  readonly jsonInclude: boolean;
}

/** Whether comments are wanted. Locations of every node are not to be had. */
function parseInclude(text: string): boolean {
  let comments = true;
  for (const part of text.split(',')) {
    if (part === 'comments' || part === '-comments') comments = part === 'comments';
    else if (part !== '-locations') throw new InvalidArgumentError('comments, -comments or -locations');
  }
  return comments;
}

export function parseCommand(): Command {
  return withFormat(withVersion(new Command('parse')), ['pretty', 'json'])
    .argument('<file>')
    .option('--json-include <parts>', 'comments (the default) or -comments', parseInclude, true)
    .description('print a module’s syntax tree; exit 1 when it does not parse')
    .action((file: string, options: Options) => {
      const text = readText(file);
      return reporting({ exitCode: 1, asJson: true, sources: new Map([[file, text]]) }, () => {
        const module = parseModule(file, text, { version: versionOf(options) });
        print(
          options.format === 'json'
            ? syntaxTreeJson(module, { comments: options.jsonInclude })
            : prettySyntaxTree(module),
        );
      });
    });
}
