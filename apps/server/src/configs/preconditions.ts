/** If-Match of configuration's resources, compared with the state that the write is made on. */
import { parseEtags } from '@bailiwick/contract';
import type { Item } from './config-content.js';
import { matchRequired, versionConflict } from './config-errors.js';

/** Errors: `resource.match_required`, `resource.version_conflict` (409, with the present ETag). */
export function assertMatches(item: Item<unknown>, ifMatch: string | undefined): void {
  if (ifMatch === undefined) throw matchRequired(item);
  const tags = parseEtags(ifMatch);
  if (tags !== '*' && !tags.includes(String(item.revision))) throw versionConflict(item);
}
