/** How a workbook's numbers are shown, as far as text needs it: which are dates, and which are shown as nothing. */
import type { OfficePackage } from './office-package.js';
import { attributeOf } from './xml-events.js';

export type NumberShape = 'number' | 'date' | 'time' | 'date-time' | 'hidden';

/** ECMA-376 part 1, 18.8.30: the formats that a file does not spell out. */
const builtIn: Readonly<Record<number, NumberShape>> = {
  ...Object.fromEntries([14, 15, 16, 17].map((id) => [id, 'date' as const])),
  ...Object.fromEntries([18, 19, 20, 21, 45, 46, 47].map((id) => [id, 'time' as const])),
  22: 'date-time',
};

export function shapeOfFormat(code: string): NumberShape {
  if (/^;;;+$/.test(code.trim())) return 'hidden';
  const bare = code
    .replace(/"[^"]*"|\\.|_.|\*./g, '')
    .replace(/\[(?!h+\]|m+\]|s+\])[^\]]*\]/gi, '')
    .split(';')[0] as string;
  const hasTime = /[hs]|am\/pm/i.test(bare);
  const hasDate = /[yd]/i.test(bare) || (/m/i.test(bare) && !hasTime);
  if (/general/i.test(bare)) return 'number';
  return hasDate ? (hasTime ? 'date-time' : 'date') : hasTime ? 'time' : 'number';
}

/** By a cell's style number. */
export async function readNumberShapes(pack: OfficePackage, part: string | undefined): Promise<readonly NumberShape[]> {
  const custom = new Map<number, NumberShape>();
  const shapes: NumberShape[] = [];
  if (part !== undefined)
    await pack.read(part, {
      open(name, attributes, parent) {
        const id = Number(attributeOf(attributes, 'numFmtId'));
        if (name === 'numFmt') custom.set(id, shapeOfFormat(attributeOf(attributes, 'formatCode') ?? ''));
        else if (name === 'xf' && parent === 'cellXfs') shapes.push(custom.get(id) ?? builtIn[id] ?? 'number');
      },
    });
  return shapes;
}

const dayMs = 86_400_000;

/** `base` is the day 0: 30 December 1899, or 1 January 1904. */
export function showNumber(value: string, shape: NumberShape, baseMs: number): string {
  const serial = Number(value);
  if (shape === 'hidden' || value === '') return '';
  if (!Number.isFinite(serial)) return value;
  // 0.1 + 0.2 is stored with 17 digits; programs show 15.
  if (shape === 'number' || serial < 0 || serial > 2_958_466) return String(Number(serial.toPrecision(15)));
  const text = new Date(baseMs + Math.round((serial * dayMs) / 1000) * 1000).toISOString();
  if (shape === 'date') return text.slice(0, 10);
  return shape === 'time' && serial < 1 ? text.slice(11, 19) : `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}
