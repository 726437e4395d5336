/** Entity tags as they stand in headers (RFC 9110 8.8.3, 13.1). Ours are revisions, quoted. */

export const quoteEtag = (revision: number | string): string => `"${revision}"`;

/** The revisions named by an If-Match or If-None-Match header; `*` for any. Weak validators never match (RFC 9110 13.1.1). */
export function parseEtags(header: string): '*' | readonly string[] {
  if (header.trim() === '*') return '*';
  return header
    .split(',')
    .map((tag) => tag.trim())
    .flatMap((tag) => (/^"[^"]*"$/.test(tag) ? [tag.slice(1, -1)] : []));
}

/** If-None-Match compares weakly (RFC 9110 13.1.2). */
export function isNoneMatch(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  const tags = parseEtags(header.replaceAll('W/"', '"'));
  return tags === '*' || tags.includes(tag);
}
