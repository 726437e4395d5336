/**
 * A feed over the times at which a server wrote, for stores that have no counter a reader could rely on. A write may become visible
 * a little after one with a later time, so each read looks again at the last moments (`overlap`) before the newest time it has seen,
 * and the cursor names what of those it has given out. A change is delivered at least once; again only if a cursor is used again.
 */
import { createHash } from 'node:crypto';
import type { DocumentChange } from '../ports/document-catalog.port.js';
import { decodeCursor, encodeCursor } from './cursor.js';

export interface FeedStep {
  /** The server's time of the write, in the store's unit. */
  readonly stamp: number;
  /** Changes with every write of the document: an ETag, a version. */
  readonly token: string;
  readonly change: DocumentChange;
}

export interface OverlappingRead {
  readonly cursor: string | undefined;
  readonly limit: number;
  /** In the store's unit of time. */
  readonly overlap: number;
  /** Writes up to this time are all visible by now, whatever the clocks say: behind it nothing is looked at twice. */
  readonly settled: number;
  /** Steps at or after `from`, by their stamps. */
  read(from: number): AsyncIterable<FeedStep>;
}

const nameOf = ({ project, id }: DocumentChange): string => JSON.stringify([project, id]);

const markOf = (step: FeedStep): string =>
  createHash('sha256')
    .update(`${nameOf(step.change)}\n${step.token}`)
    .digest('base64url')
    .slice(0, 12);

function parse(cursor: string | undefined): { from: number; seen: Map<string, number> } {
  if (cursor === undefined) return { from: 0, seen: new Map() };
  const [from, marks] = decodeCursor(cursor, ['number', 'string']) as readonly [number, string];
  const seen = new Map<string, number>();
  for (const each of marks.split(' ').filter((one) => one !== '')) {
    const [mark = '', offset = '0'] = each.split('+');
    seen.set(mark, from + Number.parseInt(offset, 36));
  }
  return { from, seen };
}

function print(from: number, seen: ReadonlyMap<string, number>): string {
  const kept = [...seen].filter(([, stamp]) => stamp >= from);
  return encodeCursor([from, kept.map(([mark, stamp]) => `${mark}+${(stamp - from).toString(36)}`).join(' ')]);
}

export async function readOverlapping(
  options: OverlappingRead,
): Promise<{ readonly changes: readonly DocumentChange[]; readonly cursor: string | undefined }> {
  const { from, seen } = parse(options.cursor);
  const changes = new Map<string, DocumentChange>();
  let newest = Math.max(from, ...seen.values());
  for await (const step of options.read(from)) {
    const mark = markOf(step);
    const name = nameOf(step.change);
    // A document that is written while we read may come twice: its later state stays for the next call.
    if (seen.has(mark) || changes.has(name)) continue;
    changes.set(name, step.change);
    seen.set(mark, step.stamp);
    newest = Math.max(newest, step.stamp);
    if (changes.size >= options.limit) break;
  }
  if (changes.size === 0) return { changes: [], cursor: options.cursor };
  const next = Math.max(from, newest < options.settled ? newest : newest - options.overlap);
  return { changes: [...changes.values()], cursor: print(next, seen) };
}
