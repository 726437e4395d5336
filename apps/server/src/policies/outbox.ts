/**
 * The outbox: what a write's transaction leaves for history, under `/bailiwick/outbox/`. The entry is part of the transaction that
 * changes the policy, so no acknowledged write can lose its version or its audit record. `OutboxWorker` drains it, in the order of
 * revisions, at least once; the stores behind it make that exactly once.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import type { AuditFacts } from '../ports/audit-log.port.js';
import type { PolicyVersion } from '../ports/policy-archive.port.js';

/** A version as its writer knows it: the ETag is the revision that the transaction will get. */
export type PendingVersion = Omit<PolicyVersion, 'etag'>;

export interface OutboxEntry {
  readonly version?: PendingVersion;
  /** `etag_after` is `pending` where it is the ETag of the transaction itself. */
  readonly audit: AuditFacts;
}

export const pendingEtag = 'pending';

/** Content above this size is compressed, to stay within what one etcd request may hold. */
const compressAboveBytes = 4096;

export function encodeOutboxEntry(entry: OutboxEntry): string {
  const text = JSON.stringify(entry);
  if (text.length <= compressAboveBytes) return text;
  return `gz:${gzipSync(text, { level: 1 }).toString('base64')}`;
}

export function decodeOutboxEntry(text: string): OutboxEntry {
  const plain = text.startsWith('gz:') ? gunzipSync(Buffer.from(text.slice(3), 'base64')).toString('utf8') : text;
  return JSON.parse(plain) as OutboxEntry;
}
