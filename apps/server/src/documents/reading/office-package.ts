/** What DOCX, PPTX and XLSX share (ECMA-376 part 2): which part is the main one, and how parts name each other. */
import { posix } from 'node:path';
import type { DocumentBuilder } from './document-builder.js';
import { attributeOf, readXml, type XmlHandlers } from './xml-events.js';
import type { ZipArchive } from './zip-archive.js';

export type OfficeKind = 'docx' | 'pptx' | 'xlsx';

const mainTypes: readonly (readonly [RegExp, OfficeKind, string])[] = [
  [
    /wordprocessingml\.(?:document|template)\.main\+xml$/,
    'docx',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  ],
  [
    /ms-word\.(?:document|template)\.macroEnabled(?:Template)?\.main\+xml$/,
    'docx',
    'application/vnd.ms-word.document.macroenabled.12',
  ],
  [
    /presentationml\.(?:presentation|slideshow|template)\.main\+xml$/,
    'pptx',
    'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  ],
  [
    /ms-powerpoint\.(?:presentation|slideshow|template)\.macroEnabled\.main\+xml$/,
    'pptx',
    'application/vnd.ms-powerpoint.presentation.macroenabled.12',
  ],
  [
    /spreadsheetml\.(?:sheet|template)\.main\+xml$/,
    'xlsx',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  ],
  [/ms-excel\.(?:sheet|template)\.macroEnabled\.main\+xml$/, 'xlsx', 'application/vnd.ms-excel.sheet.macroenabled.12'],
];

export interface Relationship {
  /** The last word of its type: `styles`, `slide`, `worksheet`. */
  readonly type: string;
  /** A part's name in the package. */
  readonly target: string;
}

export class OfficePackage {
  readonly kind: OfficeKind;
  readonly mediaType: string;
  readonly mainPart: string;
  readonly #zip: ZipArchive;
  readonly #builder: DocumentBuilder;

  private constructor(zip: ZipArchive, builder: DocumentBuilder, main: readonly [OfficeKind, string, string]) {
    this.#zip = zip;
    this.#builder = builder;
    [this.kind, this.mediaType, this.mainPart] = main;
  }

  /** Undefined: a packed file of another kind. */
  static async open(zip: ZipArchive, builder: DocumentBuilder): Promise<OfficePackage | undefined> {
    let main: readonly [OfficeKind, string, string] | undefined;
    await readXml(zip.read('[Content_Types].xml'), builder, {
      open(name, attributes) {
        const type = attributeOf(attributes, 'ContentType') ?? '';
        const part = (attributeOf(attributes, 'PartName') ?? '').replace(/^\//, '');
        const known = name === 'Override' ? mainTypes.find(([pattern]) => pattern.test(type)) : undefined;
        if (known && !main && zip.has(part)) main = [known[1], known[2], part];
      },
    });
    if (!main) return undefined;
    const names = zip.names();
    if (names.some((name) => /vbaProject\.bin$/i.test(name))) builder.leftOut('macros');
    if (names.some((name) => /\/(?:embeddings|activeX)\//i.test(name))) builder.leftOut('embedded files and controls');
    return new OfficePackage(zip, builder, main);
  }

  has(part: string): boolean {
    return this.#zip.has(part);
  }

  /** Nothing happens when the part is not there. */
  read(part: string, handlers: XmlHandlers): Promise<void> {
    return readXml(this.#zip.read(part), this.#builder, handlers);
  }

  /** By id. What is outside of the package is left out: it is never fetched. */
  async relationshipsOf(part: string): Promise<ReadonlyMap<string, Relationship>> {
    const found = new Map<string, Relationship>();
    const folder = posix.dirname(part);
    await this.read(posix.join(folder, '_rels', `${posix.basename(part)}.rels`), {
      open(name, attributes) {
        if (name !== 'Relationship' || attributeOf(attributes, 'TargetMode') === 'External') return;
        const target = attributeOf(attributes, 'Target') ?? '';
        found.set(attributeOf(attributes, 'Id') ?? '', {
          type: (attributeOf(attributes, 'Type') ?? '').split('/').at(-1) as string,
          target: target.startsWith('/') ? target.slice(1) : posix.join(folder, target),
        });
      },
    });
    return found;
  }

  /** The title from the document's properties. */
  async readTitle(): Promise<void> {
    let title = '';
    await this.read('docProps/core.xml', {
      text(text, parent) {
        if (parent === 'title') title += text;
      },
    });
    // What writers put there when nobody has said anything.
    if (!/^(?:powerpoint presentation|presentation|slide 1|document\d*|untitled)$/i.test(title.trim()))
      this.#builder.setTitle(title);
  }
}
