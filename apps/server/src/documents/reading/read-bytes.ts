/**
 * What kind of document some bytes are, and the reader for it. The content decides; the name only tells Markdown and CSV from plain text, which
 * look alike. Runs in a reading process (`reading-process.ts`): nothing here is safe to run where others wait.
 */
import { decodeText } from './decode-text.js';
import { DocumentBuilder, nameWithoutEnding } from './document-builder.js';
import { documentError } from './document-errors.js';
import { readDocx } from './docx-reader.js';
import { readHtml } from './html-reader.js';
import { OfficePackage } from './office-package.js';
import { readPdf } from './pdf-reader.js';
import { readPptx } from './pptx-reader.js';
import type { ReadDocument } from './read-document.js';
import type { ReadingLimits } from './reading-limits.js';
import { readCsv, readJson, readJsonLines, readMarkdown, readPlainText } from './text-readers.js';
import { readXlsx } from './xlsx-reader.js';
import { ZipArchive } from './zip-archive.js';

interface Source {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly limits: ReadingLimits;
}

const hasMagic = (bytes: Uint8Array, magic: string, offset = 0): boolean =>
  Buffer.from(
    bytes.buffer,
    bytes.byteOffset + offset,
    Math.min(magic.length, Math.max(0, bytes.length - offset)),
  ).toString('latin1') === magic;

/** Blanks and a byte order mark may stand before the header; more would make one file two things at once. */
function isPdf(bytes: Uint8Array): boolean {
  let offset = hasMagic(bytes, '\u00ef\u00bb\u00bf') ? 3 : 0;
  while (offset < 16 && [9, 10, 13, 32].includes(bytes[offset] ?? 0)) offset++;
  return hasMagic(bytes, '%PDF-', offset);
}

async function readOffice({ bytes, name, limits }: Source): Promise<ReadDocument> {
  const builder = new DocumentBuilder(limits);
  const pack = await OfficePackage.open(await ZipArchive.open(bytes, limits), builder);
  if (!pack) throw documentError('document.unknown_type', 'It is a packed file of another kind.');
  const { kind, mediaType } = pack;
  if (kind === 'pptx') return builder.finish({ name, mediaType, pages: await readPptx(pack, builder) });
  if (kind === 'xlsx') await readXlsx(pack, builder);
  else await readDocx(pack, builder);
  // A sheet's name says less than the file's.
  if (kind === 'xlsx') builder.setTitle(nameWithoutEnding(name));
  return builder.finish({ name, mediaType });
}

/** The old office formats, which are also the cover of encrypted new ones. */
function refuseCompoundFile(bytes: Uint8Array): never {
  const directory = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (directory.includes(Buffer.from('EncryptedPackage', 'utf16le'))) throw documentError('document.encrypted');
  throw documentError('document.unknown_type', 'DOC, XLS and PPT are older formats: save it as DOCX, XLSX or PPTX.');
}

const htmlStart =
  /^\s*(?:<!--[\s\S]{0,5000}?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|script|style|table|div|p|h1|iframe|a|b|br|font)[\s>/]/i;
const htmlPage = /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]{0,5000}?-->\s*)*<(?:!doctype\s+html|html)[\s>]/i;
const otherMarkup = /^\s*(?:<\?xml\s|<!doctype\s|<svg[\s>]|<!\[CDATA\[|%!PS|\{\\rtf)/i;

function readTextKinds(text: string, { name, limits }: Source): ReadDocument {
  const builder = new DocumentBuilder(limits);
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  if (htmlPage.test(text)) {
    readHtml(text, builder);
    return builder.finish({ name, mediaType: 'text/html' });
  }
  if (otherMarkup.test(text)) throw documentError('document.unknown_type', 'It is markup of another kind.');
  if (/^(?:md|markdown|mdx|mkd)$/.test(ending)) {
    readMarkdown(text, builder);
    return builder.finish({ name, mediaType: 'text/markdown' });
  }
  if (/^(?:csv|tsv)$/.test(ending)) {
    readCsv(text, builder);
    builder.setTitle(nameWithoutEnding(name));
    return builder.finish({ name, mediaType: ending === 'tsv' ? 'text/tab-separated-values' : 'text/csv' });
  }
  if (htmlStart.test(text)) {
    readHtml(text, builder);
    return builder.finish({ name, mediaType: 'text/html' });
  }
  if (readJson(text, builder)) return builder.finish({ name, mediaType: 'application/json' });
  if (readJsonLines(text, builder)) return builder.finish({ name, mediaType: 'application/jsonl' });
  readPlainText(text, builder);
  return builder.finish({ name, mediaType: 'text/plain' });
}

/** Errors: those of `document-errors.ts`; others are faults of a reader. */
export async function readBytes(source: Source): Promise<ReadDocument> {
  const { bytes, name, limits } = source;
  if (bytes.length === 0) throw documentError('document.empty');
  if (bytes.length > limits.maxBytes)
    throw documentError('document.too_large', `At most ${limits.maxBytes} bytes are taken.`);
  if (isPdf(bytes)) {
    const builder = new DocumentBuilder(limits);
    return builder.finish({ name, mediaType: 'application/pdf', pages: await readPdf(bytes, builder) });
  }
  if (hasMagic(bytes, 'PK\u0003\u0004')) return readOffice(source);
  if (hasMagic(bytes, '\u00d0\u00cf\u0011\u00e0\u00a1\u00b1\u001a\u00e1')) refuseCompoundFile(bytes);
  const text = decodeText(bytes);
  if (text === undefined) throw documentError('document.unknown_type');
  if (text.length > limits.maxCharacters * 4) throw documentError('document.too_much_text');
  return readTextKinds(text, source);
}
