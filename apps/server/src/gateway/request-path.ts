/**
 * The one reading of a request's path. Router, policy and upstream must see the same resource, so whatever two readers could read
 * differently is refused: dot segments, encoded slashes and dots, backslashes, control characters, double slashes, broken escapes.
 */
export type RequestPath =
  | { readonly kind: 'ok'; readonly path: string; readonly raw: string; readonly query: string }
  | { readonly kind: 'refused'; readonly why: string };

const refuse = (why: string): RequestPath => ({ kind: 'refused', why });

export function readRequestPath(target: string): RequestPath {
  if (!target.startsWith('/')) return refuse('the request target must be a path');
  if (target.length > 8192) return refuse('the address is longer than 8192 characters');
  const mark = target.indexOf('?');
  const raw = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\\#\u0000-\u0020\u007f]/.test(target))
    return refuse('the address holds a backslash, a fragment or a control character');
  if (raw.includes('//')) return refuse('the path holds an empty segment');
  if (!raw.includes('%'))
    return hasDotSegment(raw) ? refuse('the path holds a dot segment') : { kind: 'ok', path: raw, raw, query };
  if (/%(?:2f|5c|00|2e|25|0[0-9a-f]|1[0-9a-f]|7f)/i.test(raw))
    return refuse('the path holds an escaped slash, backslash, dot, percent sign or control character');
  try {
    const path = decodeURIComponent(raw);
    return hasDotSegment(path) ? refuse('the path holds a dot segment') : { kind: 'ok', path, raw, query };
  } catch {
    return refuse('the path holds a broken escape');
  }
}

const hasDotSegment = (path: string): boolean => path.includes('/.') && /\/\.{1,2}(?:\/|;|$)/.test(path);
