/** Bar charts as SVG, without a library: one group a row, one bar a series, on a logarithmic scale where values differ by decades. */

export interface Series {
  readonly name: string;
  readonly color: string;
  readonly values: readonly number[];
}

export interface Plot {
  readonly title: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly series: readonly Series[];
}

const width = 860;
const labelWidth = 300;
const barHeight = 13;
const gap = 12;

const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

export function drawBars(plot: Plot): string {
  const all = plot.series.flatMap((series) => series.values).filter((value) => value > 0);
  const max = Math.max(...all);
  const min = Math.min(...all);
  const isLogarithmic = max / min > 30;
  const low = isLogarithmic ? 10 ** Math.floor(Math.log10(min)) : 0;
  const span = width - labelWidth - 110;
  const length = (value: number): number => {
    if (value <= 0) return 0;
    return span * (isLogarithmic ? Math.log10(value / low) / Math.log10(max / low) : value / max);
  };
  const groupHeight = plot.series.length * barHeight + gap;
  const height = 64 + plot.labels.length * groupHeight;
  const bars = plot.labels.flatMap((label, row) => {
    const top = 56 + row * groupHeight;
    const text = `<text x="${labelWidth - 8}" y="${top + (plot.series.length * barHeight) / 2 + 4}" text-anchor="end">${escapeXml(label)}</text>`;
    const drawn = plot.series.map((series, index) => {
      const value = series.values[row] ?? 0;
      const y = top + index * barHeight;
      const end = labelWidth + length(value);
      return `<rect x="${labelWidth}" y="${y}" width="${length(value).toFixed(1)}" height="${barHeight - 2}" fill="${series.color}"/><text x="${(end + 4).toFixed(1)}" y="${y + barHeight - 3}" font-size="11">${value}</text>`;
    });
    return [text, ...drawn];
  });
  const legend = plot.series.map(
    (series, index) =>
      `<rect x="${labelWidth + index * 150}" y="30" width="12" height="12" fill="${series.color}"/><text x="${labelWidth + 17 + index * 150}" y="41">${escapeXml(series.name)}</text>`,
  );
  const scale = isLogarithmic ? `${plot.unit}, logarithmic` : plot.unit;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="13" fill="#1b1f24"><rect width="100%" height="100%" fill="#fff"/><text x="12" y="22" font-size="15" font-weight="600">${escapeXml(plot.title)} (${escapeXml(scale)})</text>${legend.join('')}${bars.join('')}</svg>\n`;
}
