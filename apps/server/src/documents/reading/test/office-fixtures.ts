/** The smallest DOCX, PPTX and XLSX that say something; tests add to them. */
import { type ZipEntry, zip } from './zip-fixture.js';

const declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>';
const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';

const contentTypes = (overrides: Readonly<Record<string, string>>): ZipEntry => ({
  name: '[Content_Types].xml',
  content: `${declaration}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>${Object.entries(
    overrides,
  )
    .map(
      ([part, type]) =>
        `<Override PartName="/${part}" ContentType="application/vnd.openxmlformats-officedocument.${type}"/>`,
    )
    .join('')}</Types>`,
});

/** Id → type and target. */
const relationships = (name: string, targets: Readonly<Record<string, readonly [string, string]>>): ZipEntry => ({
  name,
  content: `${declaration}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${Object.entries(
    targets,
  )
    .map(([id, [type, target]]) => `<Relationship Id="${id}" Type="${office}/${type}" Target="${target}"/>`)
    .join('')}</Relationships>`,
});

const coreTitle = (title: string): ZipEntry => ({
  name: 'docProps/core.xml',
  content: `${declaration}<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:title>${title}</dc:title></cp:coreProperties>`,
});

/** A paragraph; `style` is a style's id, `run` goes into the run's properties. */
export const paragraph = (text: string, { style = '', run = '', properties = '' } = {}): string =>
  `<w:p><w:pPr>${style ? `<w:pStyle w:val="${style}"/>` : ''}${properties}</w:pPr><w:r>${run ? `<w:rPr>${run}</w:rPr>` : ''}<w:t xml:space="preserve">${text}</w:t></w:r></w:p>`;

export interface DocxParts {
  readonly title?: string;
  readonly before?: string;
  readonly footnotes?: string;
  readonly more?: readonly ZipEntry[];
}

export function docx(
  body: string,
  { title = '', before = declaration, footnotes = '', more = [] }: DocxParts = {},
): Uint8Array {
  const styles = `${declaration}<w:styles xmlns:w="w"><w:style w:styleId="Heading1"><w:name w:val="heading 1"/></w:style><w:style w:styleId="Kap2"><w:name w:val="Kapitel"/><w:basedOn w:val="Heading2"/></w:style><w:style w:styleId="Heading2"><w:name w:val="heading 2"/></w:style><w:style w:styleId="Title"><w:name w:val="Title"/></w:style><w:style w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style><w:style w:styleId="Bullets"><w:name w:val="List Bullet"/><w:pPr><w:numPr/></w:pPr></w:style></w:styles>`;
  return zip([
    contentTypes({ 'word/document.xml': 'wordprocessingml.document.main+xml' }),
    { name: 'word/document.xml', content: `${before}<w:document xmlns:w="w"><w:body>${body}</w:body></w:document>` },
    { name: 'word/styles.xml', content: styles },
    ...(footnotes
      ? [{ name: 'word/footnotes.xml', content: `${declaration}<w:footnotes xmlns:w="w">${footnotes}</w:footnotes>` }]
      : []),
    relationships('word/_rels/document.xml.rels', {
      r1: ['styles', 'styles.xml'],
      ...(footnotes ? { r2: ['footnotes', 'footnotes.xml'] as const } : {}),
    }),
    ...(title ? [coreTitle(title)] : []),
    ...more,
  ]);
}

/** A shape of a slide. `properties` goes into its `cNvPr`, `place` into its `spPr`. */
export const shape = (lines: readonly string[], { type = '', properties = '', place = '', run = '' } = {}): string =>
  `<p:sp><p:nvSpPr><p:cNvPr id="2" name="x" ${properties}/><p:nvPr>${type ? `<p:ph type="${type}"/>` : ''}</p:nvPr></p:nvSpPr><p:spPr>${place}</p:spPr><p:txBody>${lines
    .map((line) => `<a:p><a:r><a:rPr ${run}/><a:t>${line}</a:t></a:r></a:p>`)
    .join('')}</p:txBody></p:sp>`;

export function pptx(slides: readonly { readonly shapes: string; readonly isHidden?: boolean }[]): Uint8Array {
  const numbers = slides.map((_, index) => index + 1);
  return zip([
    contentTypes({ 'ppt/presentation.xml': 'presentationml.presentation.main+xml' }),
    {
      name: 'ppt/presentation.xml',
      content: `${declaration}<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>${numbers.map((n) => `<p:sldId id="${255 + n}" r:id="s${n}"/>`).join('')}</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/></p:presentation>`,
    },
    relationships(
      'ppt/_rels/presentation.xml.rels',
      Object.fromEntries(numbers.map((n) => [`s${n}`, ['slide', `slides/slide${n}.xml`] as const])),
    ),
    ...slides.map(({ shapes, isHidden }, index) => ({
      name: `ppt/slides/slide${index + 1}.xml`,
      content: `${declaration}<p:sld xmlns:p="p" xmlns:a="a"${isHidden ? ' show="0"' : ''}><p:cSld><p:spTree>${shapes}</p:spTree></p:cSld></p:sld>`,
    })),
  ]);
}

export interface SheetFixture {
  readonly name: string;
  /** Inside `sheetData`. */
  readonly rows: string;
  readonly state?: string;
  readonly columns?: string;
}

export function xlsx(
  sheets: readonly SheetFixture[],
  strings: readonly string[] = [],
  more: readonly ZipEntry[] = [],
): Uint8Array {
  const targets = Object.fromEntries(
    sheets.map((_, index) => [`s${index}`, ['worksheet', `worksheets/sheet${index}.xml`] as const]),
  );
  return zip([
    contentTypes({ 'xl/workbook.xml': 'spreadsheetml.sheet.main+xml' }),
    {
      name: 'xl/workbook.xml',
      content: `${declaration}<workbook xmlns="m" xmlns:r="r"><sheets>${sheets
        .map(
          ({ name, state }, index) =>
            `<sheet name="${name}" sheetId="${index + 1}" r:id="s${index}"${state ? ` state="${state}"` : ''}/>`,
        )
        .join('')}</sheets></workbook>`,
    },
    relationships('xl/_rels/workbook.xml.rels', {
      ...targets,
      x1: ['sharedStrings', 'sharedStrings.xml'],
      x2: ['styles', 'styles.xml'],
    }),
    {
      name: 'xl/styles.xml',
      content: `${declaration}<styleSheet xmlns="m"><numFmts><numFmt numFmtId="164" formatCode=";;;"/><numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd hh:mm"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>`,
    },
    {
      name: 'xl/sharedStrings.xml',
      content: `${declaration}<sst xmlns="m">${strings.map((text) => `<si><t>${text}</t></si>`).join('')}</sst>`,
    },
    ...sheets.map(({ rows, columns = '' }, index) => ({
      name: `xl/worksheets/sheet${index}.xml`,
      content: `${declaration}<worksheet xmlns="m">${columns}<sheetData>${rows}</sheetData></worksheet>`,
    })),
    ...more,
  ]);
}

/** A row of texts from column A on. */
export const row = (number: number, cells: readonly string[], attributes = ''): string =>
  `<row r="${number}" ${attributes}>${cells
    .map(
      (text, index) => `<c r="${String.fromCharCode(65 + index)}${number}" t="inlineStr"><is><t>${text}</t></is></c>`,
    )
    .join('')}</row>`;
