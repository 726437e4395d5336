/** Why a document is not read. Every refusal of this folder, once: reason, kind, and what a person is told. */
import { BailiwickError, type ErrorKind } from '@bailiwick/contract';

const refusals = {
  'document.empty': ['unprocessable', 'The file is empty, or has nothing in it that a person would see.'],
  'document.no_text': [
    'unprocessable',
    'The PDF has no text that people see: it is probably a scan. Put it through text recognition that makes a new PDF with visible text.',
  ],
  'document.unknown_type': [
    'unprocessable',
    'The content is none of PDF, DOCX, PPTX, XLSX, CSV, HTML, Markdown, JSON or plain text.',
  ],
  'document.malformed': ['unprocessable', 'The file is damaged or does not keep to its format.'],
  'document.encrypted': ['unprocessable', 'The file is protected by a password. Save it without one.'],
  'document.nested_too_deeply': ['unprocessable', 'The content is nested too deeply.'],
  'document.too_large': ['too-large', 'The file is too large.'],
  'document.too_many_pages': ['too-large', 'The document has too many pages.'],
  'document.too_much_text': ['too-large', 'The document has too much text.'],
  'document.too_many_cells': ['too-large', 'The tables of the document have too many cells.'],
  'document.expands_too_much': ['too-large', 'The file unpacks to far more than it says or may.'],
  'document.takes_too_long': ['unprocessable', 'Reading the document takes too long.'],
  'document.takes_too_much_memory': ['unprocessable', 'Reading the document takes too much memory.'],
  'document.reader_failed': ['unprocessable', 'The document could not be read.'],
} as const satisfies Record<string, readonly [ErrorKind, string]>;

export type DocumentRefusal = keyof typeof refusals;

/** `detail` is a sentence more for people, about this very file; never its content. */
export function documentError(reason: DocumentRefusal, detail?: string, cause?: unknown): BailiwickError {
  const [kind, message] = refusals[reason];
  return new BailiwickError(kind, {
    reason,
    message: detail === undefined ? message : `${message} ${detail}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
