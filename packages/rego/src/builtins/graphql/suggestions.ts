/** "Did you mean": names close to a mistyped one, nearest first. */

/** `A`, `A or B`, `A, B, or C`; at most five. */
export function orList(items: readonly string[]): string {
  const shown = items.slice(0, 5);
  if (shown.length === 2) return shown.join(' or ');
  if (shown.length < 2) return shown.join('');
  return `${shown.slice(0, -1).join(', ')}, or ${shown.at(-1)}`;
}

export const quotedOrList = (items: readonly string[]): string => orList(items.map((item) => `"${item}"`));

function distance(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  if (x === y) return 1;
  let row = Array.from({ length: y.length + 1 }, (_, j) => j);
  for (let i = 1; i <= x.length; i++) {
    const next = [i];
    for (let j = 1; j <= y.length; j++) {
      const change = (row[j - 1] as number) + (x[i - 1] === y[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, change));
    }
    row = next;
  }
  return row[y.length] as number;
}

export function similarNames(typed: string, names: readonly string[]): readonly string[] {
  const threshold = Math.max(Math.floor(typed.length * 0.4) + 1, 1);
  const near = names.map((name) => [name, distance(typed, name)] as const).filter(([, far]) => far <= threshold);
  return near.sort((a, b) => a[1] - b[1]).map(([name]) => name);
}

/** ` Did you mean "x"?`, or nothing. */
export function suggest(prefix: string, typed: string, names: readonly string[]): string {
  const similar = similarNames(typed, names);
  return similar.length === 0 ? '' : ` ${prefix} ${quotedOrList(similar)}?`;
}
