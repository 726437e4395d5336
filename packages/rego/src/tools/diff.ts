/** A unified diff of two texts, by lines. */

interface Edit {
  readonly kind: ' ' | '-' | '+';
  readonly line: string;
}

const CONTEXT = 3;

/** The shortest list of edits (a longest common subsequence). Cost: lines × lines between first and last change. */
function edits(before: readonly string[], after: readonly string[]): readonly Edit[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const [a, b] = [before.slice(start, before.length - end), after.slice(start, after.length - end)];
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] as number;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const middle: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      middle.push({ kind: ' ', line: a[i] as string });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      middle.push({ kind: '-', line: a[i] as string });
      i += 1;
    } else {
      middle.push({ kind: '+', line: b[j] as string });
      j += 1;
    }
  }
  const same = (line: string): Edit => ({ kind: ' ', line });
  return [...before.slice(0, start).map(same), ...middle, ...before.slice(before.length - end).map(same)];
}

/** Empty when the texts are the same. */
export function unifiedDiff(name: string, before: string, after: string): string {
  if (before === after) return '';
  const all = edits(before.split('\n'), after.split('\n'));
  const isNear = all.map((_, index) =>
    all.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({ kind }) => kind !== ' '),
  );
  const lines = [`--- ${name}`, `+++ ${name} (formatted)`];
  let [oldRow, newRow] = [1, 1];
  for (let index = 0; index < all.length; ) {
    if (isNear[index] !== true) {
      oldRow += 1;
      newRow += 1;
      index += 1;
      continue;
    }
    const hunk: Edit[] = [];
    while (isNear[index] === true) {
      hunk.push(all[index] as Edit);
      index += 1;
    }
    const olds = hunk.filter(({ kind }) => kind !== '+').length;
    const news = hunk.filter(({ kind }) => kind !== '-').length;
    lines.push(`@@ -${oldRow},${olds} +${newRow},${news} @@`, ...hunk.map(({ kind, line }) => kind + line));
    oldRow += olds;
    newRow += news;
  }
  return `${lines.join('\n')}\n`;
}
