/** `--ignore`: patterns of the names of files and folders, as Go's `filepath.Match` reads them. */

/** Whether a name is left out. */
export type NameFilter = (name: string) => boolean;

export const NOTHING_IGNORED: NameFilter = () => false;

/** The characters of `[…]` as a regular expression; undefined when the pattern is none. */
function characterClass(text: string): string | undefined {
  const isNegated = text.startsWith('^');
  let source = '';
  for (const match of text.slice(isNegated ? 1 : 0).matchAll(/(\\.|[^\\])(?:-(\\.|[^\\]))?/gsu)) {
    const [, low = '', high] = match;
    const [from, to] = [low, high ?? low].map((each) => each.replace(/^\\/, '').codePointAt(0) ?? 0) as [
      number,
      number,
    ];
    if (low === '-' || high === '-') return undefined;
    if (from <= to) source += `\\u{${from.toString(16)}}-\\u{${to.toString(16)}}`;
  }
  return isNegated ? `[^${source}]` : `[${source}]`;
}

/** Undefined when the pattern is malformed: it then matches nothing, as in OPA. */
function expressionOf(pattern: string): RegExp | undefined {
  let source = '';
  let rest = pattern;
  while (rest !== '') {
    const [token = '', escaped, inside] = /^(?:\\(.)|\[(\^?(?:\\.|[^\]\\])+)\]|[^\\[])/su.exec(rest) ?? [];
    if (token === '') return undefined;
    if (inside !== undefined) {
      const made = characterClass(inside);
      if (made === undefined) return undefined;
      source += made;
    } else if (token === '*') source += '[^/]*';
    else if (token === '?') source += '[^/]';
    else source += `\\u{${((escaped ?? token).codePointAt(0) ?? 0).toString(16)}}`;
    rest = rest.slice(token.length);
  }
  return new RegExp(`^${source}$`, 'su');
}

/** A filter of names of which some pattern holds. */
export function nameFilter(patterns: readonly string[]): NameFilter {
  const expressions = patterns.map(expressionOf).filter((each) => each !== undefined);
  return (name) => expressions.some((expression) => expression.test(name));
}
