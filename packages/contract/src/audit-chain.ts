/**
 * The audit chain, pure: how a record is sealed and how chains are verified. Each record's hash covers its facts, its place and the hash
 * before it; records of the `root` chain name the heads of the other chains and are signed (Ed25519), so that a tail cannot vanish unseen.
 */
import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import type { AuditFacts, AuditRecord } from './audit-record.js';

export const rootChain = 'root';
export const genesisHash = '0'.repeat(64);

/** The heads a root record vouches for: chain → place and hash. */
export type ChainHeads = Readonly<Record<string, { readonly seq: number; readonly hash: string }>>;

/** Puts facts behind `head` (undefined: the first of the chain). */
export function sealRecord(
  facts: AuditFacts,
  head: Pick<AuditRecord, 'seq' | 'hash'> | undefined,
  signingKey?: KeyObject,
): AuditRecord {
  const unsealed = { ...facts, seq: (head?.seq ?? 0) + 1, hash_prev: head?.hash ?? genesisHash };
  const hash = recordHash(unsealed);
  if (!signingKey) return { ...unsealed, hash };
  return { ...unsealed, hash, signature: sign(null, Buffer.from(hash, 'hex'), signingKey).toString('base64url') };
}

/** SHA-256, hex, over the canonical JSON (keys sorted) of everything but hash and signature. */
export function recordHash(
  record: Omit<AuditRecord, 'hash' | 'signature'> & { readonly hash?: string; readonly signature?: string },
): string {
  const { hash: _hash, signature: _signature, ...covered } = record;
  const canonical = JSON.stringify(covered, Object.keys(covered).sort());
  return createHash('sha256').update(canonical).digest('hex');
}

export interface BrokenLink {
  readonly chain: string;
  readonly seq: number;
  /** 1 for the first record given. */
  readonly line: number;
  readonly why: string;
}

export interface Verification {
  readonly records: number;
  readonly chains: number;
  readonly signatures: number;
  /** Records younger than the last signed root record: linked, but not yet vouched for by a signature. */
  readonly unsealed: number;
  /** The first in the order of the records given. */
  readonly broken: BrokenLink | undefined;
}

/**
 * Verifies records of any number of chains. Each chain must come oldest first, without a gap; it may begin later than at 1 (retention).
 * Cost: one hash a record.
 */
export function verifyRecords(records: readonly AuditRecord[], publicKey: KeyObject | undefined): Verification {
  const faults: BrokenLink[] = [];
  const last = new Map<string, AuditRecord>();
  const places = new Map<string, string>();
  let signatures = 0;
  records.forEach((record, index) => {
    const fault = (why: string): number => faults.push({ chain: record.chain, seq: record.seq, line: index + 1, why });
    const before = last.get(record.chain);
    if (recordHash(record) !== record.hash) fault('the record was changed: its hash does not fit its content');
    else if (before && record.seq !== before.seq + 1)
      fault(`the records between ${before.seq} and ${record.seq} are missing or out of order`);
    else if (before && record.hash_prev !== before.hash) fault(`its hash_prev is not the hash of record ${before.seq}`);
    else if (!before && record.seq === 1 && record.hash_prev !== genesisHash)
      fault('the first record of a chain must follow 64 zeros');
    if (record.chain === rootChain) {
      if (!isSigned(record, publicKey)) fault('the signature of this root record is missing or wrong');
      else signatures += 1;
    }
    last.set(record.chain, record);
    places.set(`${record.chain} ${record.seq}`, record.hash);
  });
  const sealed = checkHeads(records, last, places, faults);
  const unsealed = [...last.values()].reduce(
    (sum, head) => sum + (head.chain === rootChain ? 0 : Math.max(0, head.seq - (sealed.get(head.chain) ?? 0))),
    0,
  );
  faults.sort((a, b) => a.line - b.line);
  return {
    records: records.length,
    chains: last.size,
    signatures,
    unsealed: Math.min(unsealed, records.length),
    broken: faults[0],
  };
}

/** Every head that a root record names must be there with that hash, unless its chain begins later. Returns the sealed place of each chain. */
function checkHeads(
  records: readonly AuditRecord[],
  last: ReadonlyMap<string, AuditRecord>,
  places: ReadonlyMap<string, string>,
  faults: BrokenLink[],
): Map<string, number> {
  const sealed = new Map<string, number>();
  const firsts = new Map<string, number>();
  for (const record of records) if (!firsts.has(record.chain)) firsts.set(record.chain, record.seq);
  records.forEach((record, index) => {
    if (record.chain !== rootChain || record.detail === undefined) return;
    for (const [chain, head] of Object.entries(JSON.parse(record.detail) as ChainHeads)) {
      sealed.set(chain, Math.max(sealed.get(chain) ?? 0, head.seq));
      const first = firsts.get(chain);
      if (first === undefined || head.seq < first) continue;
      const found = places.get(`${chain} ${head.seq}`);
      if (found === head.hash) continue;
      const why =
        found === undefined
          ? `the signed root names record ${head.seq}, which is missing at the end (the chain stops at ${last.get(chain)?.seq})`
          : `record ${head.seq} is not the one that the signed root names`;
      faults.push({ chain, seq: head.seq, line: index + 1, why });
    }
  });
  return sealed;
}

function isSigned(record: AuditRecord, publicKey: KeyObject | undefined): boolean {
  if (record.signature === undefined) return false;
  if (!publicKey) return true;
  return verify(null, Buffer.from(record.hash, 'hex'), publicKey, Buffer.from(record.signature, 'base64url'));
}
