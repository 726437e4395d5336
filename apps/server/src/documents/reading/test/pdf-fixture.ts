/** The smallest PDF that shows what a content stream draws. Helvetica and Helvetica-Bold are fonts every reader has. */
import { deflateSync } from 'node:zlib';

export interface PdfOptions {
  readonly title?: string;
  /** Lower left and upper right corner. */
  readonly box?: readonly [number, number, number, number];
  /** Entries of the page's resources besides its fonts. */
  readonly resources?: string;
  /** Entries of the catalog. */
  readonly catalog?: string;
  /** Entries of the trailer. */
  readonly trailer?: string;
  /** What the page tree says instead of the truth. */
  readonly declaredPages?: number;
  /** Further objects, numbered from 100. */
  readonly objects?: readonly string[];
}

const escapeText = (text: string): string => text.replace(/[\\()]/g, '\\$&');

/** Lines from the top of the page, each its text, size and whatever else is set before it. */
export const lines = (
  given: readonly {
    readonly text: string;
    readonly size?: number;
    readonly font?: 'F1' | 'F2';
    readonly before?: string;
    readonly gap?: number;
  }[],
): string => {
  let y = 800;
  return given
    .map(({ text, size = 11, font = 'F1', before = '', gap = 1.2 }) => {
      y -= size * gap;
      return `q ${before} BT /${font} ${size} Tf 1 0 0 1 50 ${y.toFixed(1)} Tm (${escapeText(text)}) Tj ET Q`;
    })
    .join('\n');
};

export function pdf(contents: readonly string[], options: PdfOptions = {}): Uint8Array {
  const { title = '', box = [0, 0, 595, 842], resources = '', catalog = '', trailer = '', objects = [] } = options;
  const bodies = new Map<number, Buffer>();
  const pageNumbers = contents.map((_, index) => 10 + index * 2);
  const set = (number: number, body: string): void => void bodies.set(number, Buffer.from(body, 'latin1'));
  set(1, `<< /Type /Catalog /Pages 2 0 R ${catalog} >>`);
  set(
    2,
    `<< /Type /Pages /Count ${options.declaredPages ?? contents.length} /Kids [${pageNumbers.map((n) => `${n} 0 R`).join(' ')}] >>`,
  );
  set(3, '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>');
  set(4, '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>');
  set(5, `<< /Title (${escapeText(title)}) >>`);
  for (const [index, content] of contents.entries()) {
    const number = pageNumbers[index] as number;
    set(
      number,
      `<< /Type /Page /Parent 2 0 R /MediaBox [${box.join(' ')}] /Resources << /Font << /F1 3 0 R /F2 4 0 R >> ${resources} >> /Contents ${number + 1} 0 R >>`,
    );
    const packed = deflateSync(Buffer.from(content, 'latin1'));
    bodies.set(
      number + 1,
      Buffer.concat([
        Buffer.from(`<< /Length ${packed.length} /Filter /FlateDecode >>\nstream\n`),
        packed,
        Buffer.from('\nendstream'),
      ]),
    );
  }
  for (const [index, body] of objects.entries()) set(100 + index, body);
  return write(bodies, trailer);
}

function write(bodies: ReadonlyMap<number, Buffer>, trailer: string): Uint8Array {
  const parts = [Buffer.from('%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n', 'latin1')];
  let at = (parts[0] as Buffer).length;
  const places = new Map<number, number>();
  for (const [number, body] of bodies) {
    places.set(number, at);
    const object = Buffer.concat([Buffer.from(`${number} 0 obj\n`), body, Buffer.from('\nendobj\n')]);
    parts.push(object);
    at += object.length;
  }
  const table = [...places]
    .map(([number, place]) => `${number} 1\n${String(place).padStart(10, '0')} 00000 n \n`)
    .join('');
  parts.push(
    Buffer.from(
      `xref\n0 1\n0000000000 65535 f \n${table}trailer\n<< /Size 1000 /Root 1 0 R /Info 5 0 R ${trailer} >>\nstartxref\n${at}\n%%EOF\n`,
    ),
  );
  return new Uint8Array(Buffer.concat(parts));
}
