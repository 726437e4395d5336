/** Tables drawn with box characters, as OPA's command line draws them. */

export interface TableOptions {
  readonly header?: readonly string[];
  /** A line between any two rows. */
  readonly isRuled?: boolean;
  /** By column; the default is left. */
  readonly align?: readonly ('left' | 'right')[];
}

const widthOf = (text: string): number => [...text].length;

function centred(text: string, width: number): string {
  const left = Math.floor((width - widthOf(text)) / 2);
  return `${' '.repeat(left)}${text}${' '.repeat(width - widthOf(text) - left)}`;
}

/** A row whose cells have several lines, as several rows. */
function physicalRows(row: readonly string[]): readonly (readonly string[])[] {
  const cells = row.map((cell) => cell.split('\n'));
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, at) => cells.map((lines) => lines[at] ?? ''));
}

/** The table's text, with a newline at its end. */
export function drawTable(logical: readonly (readonly string[])[], options: TableOptions = {}): string {
  const { header, align = [], isRuled = false } = options;
  const groups = logical.map(physicalRows);
  const rows = groups.flat();
  const all = header === undefined ? rows : [header, ...rows];
  const columns = Math.max(0, ...all.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...all.map((row) => widthOf(row[i] ?? ''))));
  const rule = (left: string, middle: string, right: string): string =>
    `${left}${widths.map((width) => '─'.repeat(width + 2)).join(middle)}${right}\n`;
  const line = (row: readonly string[], pad: (text: string, column: number) => string): string =>
    `│${widths.map((_, i) => ` ${pad(row[i] ?? '', i)} `).join('│')}│\n`;
  const cell = (text: string, column: number): string => {
    const space = ' '.repeat((widths[column] ?? 0) - widthOf(text));
    return align[column] === 'right' ? space + text : text + space;
  };
  let out = rule('┌', '┬', '┐');
  if (header !== undefined) {
    out += line(header, (text, column) => centred(text, widths[column] ?? 0));
    out += rule('├', '┼', '┤');
  }
  for (const [index, group] of groups.entries()) {
    if (isRuled && index > 0) out += rule('├', '┼', '┤');
    for (const row of group) out += line(row, cell);
  }
  return out + rule('└', '┴', '┘');
}
