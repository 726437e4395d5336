/** `bailiwick rego bench`: how long a query takes. */

import { benchmark, benchmarkJson, goBenchmark, prettyBenchmark } from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { loadFiles, readInput } from './load-files.js';
import {
  type DataOptions,
  parseNumber,
  print,
  reporting,
  versionOf,
  withData,
  withFormat,
  withInput,
} from './rego-options.js';

const PRINTERS = { pretty: prettyBenchmark, json: benchmarkJson, gobench: goBenchmark } as const;

interface Options extends DataOptions {
  readonly format: keyof typeof PRINTERS;
  readonly count: number;
  readonly seconds: number;
}

export function benchCommand(): Command {
  return withFormat(withInput(withData(new Command('bench'))), ['pretty', 'json', 'gobench'])
    .argument('<query>')
    .option('--count <times>', 'repeat the benchmark', parseNumber, 1)
    .option('--seconds <seconds>', 'how long one takes', parseNumber, 1)
    .description('evaluate a query again and again and print the times')
    .action((query: string, options: Options) => {
      const asJson = options.format === 'json';
      const report = { exitCode: 1, asJson, jsonTo: 'stdout', sources: new Map([['', query]]) } as const;
      return reporting({ ...report, parsesSilently: true }, async () => {
        const { modules, data } = await loadFiles(options.data, {
          version: versionOf(options),
          ignore: options.ignore,
        });
        for (let i = 0; i < options.count; i++) {
          const result = benchmark(query, {
            modules,
            data,
            input: options.input === undefined ? undefined : readInput(options.input),
            durationMs: options.seconds * 1000,
            now: () => performance.now(),
          });
          print(PRINTERS[options.format](result));
        }
      });
    });
}
