/** Line charts over time as SVG, without a library: all lines on one scale from zero. */
export interface Line {
  readonly name: string;
  readonly color: string;
  /** `x` rising. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

const [width, height, left, top, bottom] = [860, 320, 60, 52, 36];

export function drawLines(
  title: string,
  axes: { readonly x: string; readonly y: string },
  lines: readonly Line[],
): string {
  const all = lines.flatMap(({ points }) => points);
  const maxX = Math.max(...all.map(([x]) => x));
  const step = niceStep(Math.max(...all.map(([, y]) => y)) / 5);
  const maxY = Math.ceil(Math.max(...all.map(([, y]) => y)) / step) * step;
  const toX = (x: number): number => left + (x / maxX) * (width - left - 20);
  const toY = (y: number): number => height - bottom - (y / maxY) * (height - top - bottom);
  const grid: string[] = [];
  for (let y = 0; y <= maxY; y += step)
    grid.push(
      `<line x1="${left}" x2="${width - 20}" y1="${toY(y)}" y2="${toY(y)}" stroke="#e3e6ea"/><text x="${left - 8}" y="${toY(y) + 4}" text-anchor="end" font-size="11">${y}</text>`,
    );
  const stepX = niceStep(maxX / 8);
  for (let x = 0; x <= maxX; x += stepX)
    grid.push(`<text x="${toX(x)}" y="${height - bottom + 16}" text-anchor="middle" font-size="11">${x}</text>`);
  const drawn = lines.map(
    ({ name, color, points }, index) =>
      `<polyline fill="none" stroke="${color}" stroke-width="1.5" points="${points.map(([x, y]) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(' ')}"/><rect x="${left + index * 260}" y="30" width="12" height="12" fill="${color}"/><text x="${left + 17 + index * 260}" y="41">${name}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="13" fill="#1b1f24"><rect width="100%" height="100%" fill="#fff"/><text x="12" y="22" font-size="15" font-weight="600">${title} (${axes.y} over ${axes.x})</text>${grid.join('')}${drawn.join('')}</svg>\n`;
}

/** 1, 2 or 5 times a power of ten, at least so much. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((one) => one * power >= least) ?? 10) * power;
}
