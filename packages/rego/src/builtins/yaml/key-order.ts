/** The order go-yaml writes keys in: letters before other characters, runs of digits by value. */

const isLetter = (character: string | undefined): boolean => character !== undefined && /\p{L}/u.test(character);
const isDigit = (character: string | undefined): boolean => character !== undefined && /\p{Nd}/u.test(character);

/** The value of a run of digits, which continues one worth `before`. */
function runOfDigits(characters: readonly string[], from: number, before: bigint): { value: bigint; end: number } {
  let end = from;
  let value = before;
  for (; /^[0-9]$/.test(characters[end] ?? ''); end++) value = value * 10n + BigInt(characters[end] as string);
  return { value, end };
}

export function compareKeys(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  let inDigits = false;
  for (let i = 0; i < x.length && i < y.length; i++) {
    const [p, q] = [x[i] as string, y[i] as string];
    if (p === q) {
      inDigits = isDigit(p);
      continue;
    }
    const [letterP, letterQ] = [isLetter(p), isLetter(q)];
    if (letterP && letterQ) return p < q ? -1 : 1;
    if (letterP || letterQ) {
      if (inDigits) return letterP ? -1 : 1;
      return letterP ? 1 : -1;
    }
    return compareOthers(x, y, i);
  }
  return x.length - y.length;
}

function compareOthers(x: readonly string[], y: readonly string[], at: number): number {
  let before = 0n;
  if (x[at] === '0' || y[at] === '0') {
    for (let j = at - 1; j >= 0 && isDigit(x[j]); j--) if (x[j] !== '0') before = 1n;
  }
  const [a, b] = [runOfDigits(x, at, before), runOfDigits(y, at, before)];
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  if (a.end !== b.end) return a.end - b.end;
  return (x[at] as string) < (y[at] as string) ? -1 : 1;
}
