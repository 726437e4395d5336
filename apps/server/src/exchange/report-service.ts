/** Compliance reports over `audit_logs`: who changed what when. */
import type { ReportEntry, ReportQuery } from '@bailiwick/contract';
import type { Page } from '../ports/policy-archive.port.js';
import type { ResourceStore } from '../ports/resource-store.port.js';

export class ReportService {
  readonly #store: ResourceStore;

  constructor(store: ResourceStore) {
    this.#store = store;
  }

  /** Newest first. */
  async changes(query: ReportQuery): Promise<Page<ReportEntry>> {
    const { app_id, limit = 1_000, cursor, format: _format, ...filter } = query;
    const page = await this.#store.changeLog(
      { ...filter, ...(app_id === undefined ? {} : { appId: app_id }) },
      { limit, ...(cursor === undefined ? {} : { cursor }) },
    );
    return {
      items: page.items.map((entry) => ({
        ...{ ts: entry.ts, actor: entry.actor, action: entry.action, resource: entry.resource },
        ...{ app_id: entry.appId, environment: entry.environment, revision: entry.revision },
        ...{ etag_before: entry.etag_before, etag_after: entry.etag_after, result: entry.result },
        ...{ request_id: entry.request_id, client_ip: entry.client_ip, audit_id: entry.id },
      })),
      ...(page.next === undefined ? {} : { next: page.next }),
    };
  }
}

const columns = [
  ...(['ts', 'actor', 'action', 'resource', 'app_id', 'environment', 'revision', 'etag_before', 'etag_after'] as const),
  ...(['result', 'request_id', 'client_ip', 'audit_id'] as const),
];

/** RFC 4180. What a spreadsheet would take for a formula is made a text. */
export function toCsv(entries: readonly ReportEntry[]): string {
  const cell = (value: string | number | null): string => {
    const text = value === null ? '' : String(value);
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = entries.map((entry) => columns.map((column) => cell(entry[column])).join(','));
  return [columns.join(','), ...lines, ''].join('\r\n');
}
