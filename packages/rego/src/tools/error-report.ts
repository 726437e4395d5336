/**
 * Errors as OPA's command line shows them: the text of one or many, and the JSON document with code,
 * message, place and, for syntax errors, the line they stand in.
 */
import {
  ERROR_LIMIT_REACHED,
  formatRegoError,
  isRegoErrors,
  isRegoEvaluationError,
  type RegoError,
  type RegoEvaluationError,
} from '../errors.js';
import { type OrderedJson, orderedJson } from './ordered-json.js';

/** The text of a module by its name; the query's name is empty. */
export type SourceOf = (file: string) => string | undefined;

interface Details {
  readonly line: string;
  readonly idx: number;
}

const isNewline = (text: string | undefined): boolean => text === '\n' || text === '\r';

/** Where a row and column (from 1) begin in a text. */
function offsetOf(source: string, row: number, col: number): number {
  let offset = 0;
  for (let current = 1; current < row; current++) {
    const next = source.indexOf('\n', offset);
    if (next < 0) return source.length;
    offset = next + 1;
  }
  return offset + Math.max(col - 1, 0);
}

/** The line of a syntax error, as OPA picks it: white space before the place is skipped. */
function detailsOf(error: RegoError, sourceOf: SourceOf): Details | undefined {
  if (error.code !== 'rego_parse_error' || error.location.row === 0) return undefined;
  // What is checked of a whole rule, once it is read, has no line in OPA's reports.
  if (/^`\w+` keyword is required|^package expected|^unexpected package/.test(error.message)) return undefined;
  if (/^(?!\w+ keyword).* cannot be used for rule (?:name|head)/.test(error.message)) return undefined;
  const source = sourceOf(error.location.file);
  if (source === undefined || source === '') return undefined;
  let offset = Math.min(offsetOf(source, error.location.row, error.location.col), source.length - 1);
  while (offset > 0 && /\s/.test(source[offset] ?? '')) offset -= 1;
  let begin = offset;
  while (begin > 0 && !isNewline(source[begin])) begin -= 1;
  if (isNewline(source[begin])) begin += 1;
  let end = offset;
  while (end < source.length && !isNewline(source[end])) end += 1;
  begin = Math.min(begin, end);
  return { line: source.slice(begin, end), idx: offset - begin };
}

function detailLines(details: Details): string {
  const line = details.line.replace(/^\t+/, '');
  const indent = Math.max(details.idx - (details.line.length - line.length), 0);
  return `\n\t${line}\n\t${' '.repeat(indent)}^`;
}

/** At most `limit` errors, then OPA's note that there are more. */
export function limitErrors(errors: readonly RegoError[], limit: number): readonly RegoError[] {
  if (limit <= 0 || errors.length <= limit) return errors;
  return [...errors.slice(0, limit), ERROR_LIMIT_REACHED];
}

export interface ErrorReportOptions {
  readonly sourceOf?: SourceOf;
  /** OPA says `during loading` for errors found while reading files. */
  readonly duringLoading?: boolean;
  readonly maxErrors?: number;
}

function errorsOf(error: unknown, options: ErrorReportOptions): readonly RegoError[] | undefined {
  return isRegoErrors(error) ? limitErrors(error.errors, options.maxErrors ?? 10) : undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The text of any error a tool can throw, without a newline at its end. */
export function errorText(error: unknown, options: ErrorReportOptions = {}): string {
  const { sourceOf = () => undefined } = options;
  const errors = errorsOf(error, options);
  const lines = errors?.map((each) => {
    const details = detailsOf(each, sourceOf);
    const { file, row, col } = each.location;
    // What has no file is the query; OPA then names row and column.
    const text = file === '' && row > 0 ? `${row}:${col}: ${each.code}: ${each.message}` : formatRegoError(each);
    return text + (details === undefined ? '' : detailLines(details));
  }) ?? [messageOf(error)];
  const occurred = options.duringLoading === true ? 'occurred during loading' : 'occurred';
  return lines.length === 1
    ? `1 error ${occurred}: ${lines[0]}`
    : `${lines.length} errors ${occurred}:\n${lines.join('\n')}`;
}

function errorJson(error: RegoError, sourceOf: SourceOf): OrderedJson {
  const { code, location } = error;
  const details = detailsOf(error, sourceOf);
  // What is in the details need not be said in lines, too.
  const message = error.details === undefined ? error.message : (error.message.split('\n\t')[0] ?? '');
  return {
    message,
    code,
    location: location.row === 0 ? undefined : { file: location.file, row: location.row, col: location.col },
    details: details === undefined ? error.details : { line: details.line, idx: details.idx },
  };
}

/** An error of an evaluation as a document. */
export const evaluationErrorJson = ({ reason, code, location }: RegoEvaluationError): OrderedJson => ({
  message: reason,
  code,
  location: location && { file: location.file, row: location.row, col: location.col },
});

/** What built-ins reported, one to a line, without a newline at its end. */
export function builtinErrorsText(errors: readonly RegoEvaluationError[]): string {
  const lines = errors.map(messageOf);
  return lines.length === 1 ? `1 error occurred: ${lines[0]}` : `${lines.length} errors occurred:\n${lines.join('\n')}`;
}

/** `{"errors": […]}` for any error a tool can throw. */
export function errorDocument(error: unknown, options: ErrorReportOptions = {}): { readonly errors: OrderedJson } {
  const { sourceOf = () => undefined } = options;
  const errors = errorsOf(error, options);
  if (errors !== undefined) return { errors: errors.map((each) => errorJson(each, sourceOf)) };
  if (!isRegoEvaluationError(error)) return { errors: [{ message: messageOf(error) }] };
  return { errors: [evaluationErrorJson(error)] };
}

export function errorJsonText(error: unknown, options: ErrorReportOptions = {}): string {
  return orderedJson(errorDocument(error, options));
}
