/** What the killed writer writes, so that the test can tell whether it is there whole. */
import type { AuditRecord } from '../../apps/server/src/ports/audit-log.port.js';
import type { Operation } from '../../apps/server/src/ports/key-value-store.port.js';
import type { PolicyVersion } from '../../apps/server/src/ports/policy-archive.port.js';

/** Four keys of about 1 KiB: one of its own for each transaction, three that are written again and again. */
export function transactionOf(name: string, number: number): Operation[] {
  const value = `${name} ${number} ${'x'.repeat(1000)}`;
  const keys = [`/own/${name}/${number}`, `/again/${name}/a`, `/again/${name}/b`, `/again/${name}/c`];
  return keys.map((key) => ({ kind: 'put', key, value }));
}

export function makeVersion(project: string, version: number): PolicyVersion {
  const ts = '2026-01-01T00:00:00.000Z';
  return {
    scope: 'project',
    project,
    version,
    etag: `${version}`,
    ts,
    actor: 'a',
    action: 'replace',
    rego: '',
    dataText: '1',
  };
}

export function makeRecord(chain: string, seq: number): AuditRecord {
  return {
    ...{ id: `${chain}/${seq}`, ts: '2026-01-01T00:00:00.000Z', actor: 'a', action: 'policy.replace', resource: '/' },
    ...{ etag_before: null, etag_after: '1', result: 'success', request_id: 'r', client_ip: '::1', chain, seq },
    ...{ hash_prev: '', hash: '' },
  };
}
