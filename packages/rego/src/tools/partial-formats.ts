/** How the result of partial evaluation is shown: OPA's output formats for it. */
import { type Body, type Module, NOWHERE, type Rule } from '../syntax/ast.js';
import { printModule } from '../syntax/printer.js';
import { formatText } from './format-text.js';
import { type OrderedJson, orderedJson } from './ordered-json.js';
import type { PartialResult } from './partial-query.js';
import { type Metrics, prettyMetrics } from './profile.js';
import { bodyDocument, moduleDocument } from './syntax-tree.js';
import { drawTable } from './table.js';

export interface PartialReport extends PartialResult {
  readonly metrics?: Metrics | undefined;
}

/** Formatted as `fmt` does it. */
const moduleText = (module: Module): string => formatText('', printModule(module));

/** One expression a line. */
function bodyText(body: Body): string {
  if (body.length === 0) return '';
  const name = { kind: 'var', name: 'residual_query', location: NOWHERE } as const;
  const rule: Rule = {
    kind: 'rule',
    default: false,
    head: {
      ref: [name],
      args: undefined,
      key: undefined,
      value: { kind: 'scalar', value: true, location: NOWHERE },
      assign: false,
      generatedValue: true,
      keywords: ['if'],
      location: NOWHERE,
    },
    body,
    generatedBody: false,
    otherwise: [],
    location: NOWHERE,
  };
  const module: Module = {
    file: '',
    source: '',
    version: 'v1',
    strictV1: true,
    package: { kind: 'package', path: ['partial'], location: NOWHERE },
    imports: [],
    rules: [rule],
    comments: [],
  };
  const text = moduleText(module).slice('package partial\n\nresidual_query if '.length).trimEnd();
  if (!text.startsWith('{\n')) return text;
  return text
    .slice('{\n'.length, -'\n}'.length)
    .split('\n')
    .map((line) => line.replace(/^\t/, ''))
    .join('\n');
}

const listed = (items: readonly OrderedJson[]): OrderedJson | undefined => (items.length === 0 ? undefined : items);

const asSpaces = (text: string): string => text.trimEnd().replaceAll('\t', '  ');

function prettyPartial({ queries, support }: PartialReport): string {
  if (queries.length === 0) return 'undefined\n';
  const rows = [
    ...queries.map((query, index) => [`Query ${index + 1}`, asSpaces(bodyText(query))]),
    ...support.map((module, index) => [`Support ${index + 1}`, asSpaces(moduleText(module))]),
  ];
  return drawTable(rows, { isRuled: true });
}

/** By name; each gives the whole output. */
export const PARTIAL_FORMATS = {
  json: ({ queries, support, metrics }: PartialReport): string =>
    orderedJson({
      partial: { queries: listed(queries.map(bodyDocument)), modules: listed(support.map(moduleDocument)) },
      metrics,
    }),
  pretty: (report: PartialReport): string => prettyPartial(report) + prettyMetrics(report.metrics ?? {}),
  source: ({ queries, support }: PartialReport): string =>
    [
      ...queries.map((query, index) => `# Query ${index + 1}\n${bodyText(query)}${query.length > 0 ? '\n' : ''}\n`),
      ...support.map((module, index) => `# Module ${index + 1}\n${moduleText(module)}`),
    ].join(''),
} as const;

export type PartialFormat = keyof typeof PARTIAL_FORMATS;
