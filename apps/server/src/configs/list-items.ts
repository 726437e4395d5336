/** Lists of resources from the state: filtered, newest first, in pages. */
import { BailiwickError } from '@bailiwick/contract';
import type { Page } from '../ports/policy-archive.port.js';
import type { Item } from './config-content.js';

export interface ListFilter {
  /** null: only what is for all apps. */
  readonly appId?: string | null | undefined;
  readonly environment?: string | null | undefined;
  /** Exact. */
  readonly key?: string | undefined;
  readonly prefix?: string | undefined;
  /** In key or description, whatever the case. */
  readonly search?: string | undefined;
}

export function listItems<C extends { readonly description?: string }>(
  items: Iterable<Item<C>>,
  filter: ListFilter,
  options: { readonly limit: number; readonly cursor?: string | undefined },
): Page<Item<C>> {
  const before = options.cursor === undefined ? undefined : readCursor(options.cursor);
  const search = filter.search?.toLowerCase();
  const found: Item<C>[] = [];
  for (const item of items) {
    if (filter.appId !== undefined && item.appId !== filter.appId) continue;
    if (filter.environment !== undefined && item.environment !== filter.environment) continue;
    if (filter.key !== undefined && item.key !== filter.key) continue;
    if (filter.prefix !== undefined && !item.key.startsWith(filter.prefix)) continue;
    if (search !== undefined && !`${item.key}\n${item.content.description ?? ''}`.toLowerCase().includes(search))
      continue;
    if (before !== undefined && compare(item, before) <= 0) continue;
    found.push(item);
  }
  found.sort(compare);
  const page = found.slice(0, options.limit);
  const last = page.at(-1);
  if (page.length === found.length || !last) return { items: page };
  return { items: page, next: Buffer.from(JSON.stringify([last.revision, last.id])).toString('base64url') };
}

const compare = (a: { revision: number; id: string }, b: { revision: number; id: string }): number =>
  b.revision - a.revision || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

function readCursor(text: string): { revision: number; id: string } {
  try {
    const [revision, id] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as [number, string];
    if (typeof revision === 'number' && typeof id === 'string') return { revision, id };
  } catch {
    // Refused below.
  }
  throw new BailiwickError('invalid', {
    reason: 'request.invalid_cursor',
    message: 'The cursor is not one that this list gave out. Leave it out to begin at the newest item.',
  });
}
