/** A connector's whole run as plain values. */
import type { Connector, ConnectorRun } from './connector.js';

export interface WholeRun {
  /** Source → text. */
  readonly found: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  readonly gone: readonly string[];
  /** Source → reason. */
  readonly skipped: Readonly<Record<string, string>>;
  readonly cursor: string | undefined;
  /** What to give to the next run. */
  readonly seen: ReadonlyMap<string, string>;
}

export async function runConnector(connector: Connector, run: ConnectorRun = {}): Promise<WholeRun> {
  const found: Record<string, string> = {};
  const skipped: Record<string, string> = {};
  const names: string[] = [];
  const gone: string[] = [];
  const seen = new Map(run.seen);
  let cursor: string | undefined;
  for await (const item of connector.list(run)) {
    if (item.kind === 'found') {
      found[item.source] = Buffer.from(await item.bytes()).toString();
      names.push(item.name);
      seen.set(item.source, item.mark);
    } else if (item.kind === 'gone') {
      gone.push(item.source);
      seen.delete(item.source);
    } else if (item.kind === 'skipped') skipped[item.source] = item.reason;
    else cursor = item.cursor;
  }
  return { found, names, gone, skipped, cursor, seen };
}

/** The reason a promise is refused with. */
export const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing refused',
    (error: { details?: { reason?: string }; message: string }) => error.details?.reason ?? error.message,
  );
