/**
 * PDF by PDF.js (unpdf's build, one file and without a canvas). Nothing is rendered, no script of the file runs, images are not decoded, no
 * font or table is fetched. A file that opens without a password is read, whatever its owner forbids to others' programs.
 */
import './pdf-runtime.js';
import { getDocument, type PDFDocumentProxy, type PDFPageProxy } from 'unpdf/pdfjs';
import type { DocumentBuilder } from './document-builder.js';
import { documentError } from './document-errors.js';
import { headingLevels, type PdfParagraph, pageParagraphs, repeatedEdges } from './pdf-layout.js';
import { type PageFont, type PageOperators, PageText } from './pdf-page-text.js';

async function open(bytes: Uint8Array): Promise<PDFDocumentProxy> {
  const task = getDocument({
    data: bytes,
    isEvalSupported: false,
    disableFontFace: true,
    useSystemFonts: false,
    enableXfa: false,
    // 0: none is decoded.
    maxImageSize: 0,
    verbosity: 0,
  });
  try {
    return await task.promise;
  } catch (error) {
    const isLocked = (error as Error).name === 'PasswordException';
    throw documentError(isLocked ? 'document.encrypted' : 'document.malformed', undefined, error);
  }
}

function fontReader(page: PDFPageProxy): (name: string) => PageFont {
  const known = new Map<string, PageFont>();
  return (name) => {
    let font = known.get(name);
    if (!font) {
      const found = page.commonObjs.has(name)
        ? (page.commonObjs.get(name) as {
            fontMatrix?: readonly number[];
            vertical?: boolean;
            bold?: boolean;
            black?: boolean;
            name?: string;
          } | null)
        : null;
      const isBold = found?.bold === true || found?.black === true || /bold|black|heavy/i.test(found?.name ?? '');
      font = { unit: found?.fontMatrix?.[0] ?? 0.001, isVertical: found?.vertical === true, isBold };
      known.set(name, font);
    }
    return font;
  };
}

interface Layers {
  isVisible(group: unknown): boolean;
}

async function readPage(document: PDFDocumentProxy, number: number, layers: Layers): Promise<PageText> {
  const page = await document.getPage(number);
  const { transform, width, height } = page.getViewport({ scale: 1 });
  const text = new PageText({
    transform: transform as unknown as readonly [number, number, number, number, number, number],
    width,
    height,
    fontOf: fontReader(page),
    isLayerShown: (group) => group === null || group === undefined || layers.isVisible(group),
  });
  text.run((await page.getOperatorList()) as PageOperators);
  page.cleanup();
  return text;
}

async function readTitle(document: PDFDocumentProxy, builder: DocumentBuilder): Promise<void> {
  const { info } = await document.getMetadata().catch(() => ({ info: {} }));
  const title = String((info as Record<string, unknown>)['Title'] ?? '');
  // What printing to PDF leaves behind is no title.
  if (!/^(?:microsoft word - |untitled|.*\.(?:docx?|pptx?|xlsx?|tex|dvi|indd|pdf)$)/i.test(title.trim()))
    builder.setTitle(title);
}

function addBlocks(pages: readonly (readonly PdfParagraph[])[], builder: DocumentBuilder): void {
  const repeated = repeatedEdges(pages);
  if (repeated.size > 0) builder.leftOut('running headers and footers', repeated.size);
  const paragraphs = pages.flat().filter((paragraph) => !repeated.has(paragraph));
  const levelOf = headingLevels(paragraphs);
  for (const paragraph of paragraphs) {
    const level = levelOf(paragraph);
    if (level === undefined) builder.add('paragraph', paragraph.text, { page: paragraph.page });
    else builder.addHeading(paragraph.text, level, paragraph.page);
  }
}

/** Adds the pages' blocks; returns how many pages there are. Errors: `document.encrypted`, `malformed`, `too_many_pages`, `no_text` and the builder's. */
export async function readPdf(bytes: Uint8Array, builder: DocumentBuilder): Promise<number> {
  const document = await open(bytes);
  builder.checkPages(document.numPages);
  await readTitle(document, builder);
  if (await document.hasJSActions().catch(() => false)) builder.leftOut('scripts');
  const layers = (await document.getOptionalContentConfig()) as unknown as Layers;
  const pages: PdfParagraph[][] = [];
  let damaged = 0;
  for (let number = 1; number <= document.numPages; number++) {
    let text: PageText;
    try {
      text = await readPage(document, number, layers);
    } catch (error) {
      // One page that cannot be read is left out; a document of such pages is refused.
      if (++damaged === document.numPages) throw documentError('document.malformed', undefined, error);
      continue;
    }
    if (text.hiddenPieces > 0) builder.leftOut('hidden pieces of text', text.hiddenPieces);
    const paragraphs = pageParagraphs(text.pieces, number);
    for (const paragraph of paragraphs) builder.countCharacters(paragraph.text.length);
    pages.push(paragraphs);
  }
  if (damaged > 0) builder.leftOut('pages that cannot be read', damaged);
  addBlocks(pages, builder);
  if (builder.isEmpty) throw documentError('document.no_text');
  return document.numPages;
}
