/** The audit trail's records: what happened, and its place in a chain (specification section 11). */

/** What happened, as the specification lists it (section 11). */
export interface AuditFacts {
  /** Unique, made where the fact arose; makes appending idempotent. */
  readonly id: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly ts: string;
  readonly actor: string;
  /** `policy.create`, `policy.replace`, `policy.rollback`, `api_key.create`, `policy.read` … */
  readonly action: string;
  /** `/policies/platform`, `/policies/team-a`, `/api/v1/api-keys/…` */
  readonly resource: string;
  readonly etag_before: string | null;
  readonly etag_after: string | null;
  /** `success`, or the error code of the refusal. */
  readonly result: string;
  readonly request_id: string;
  readonly client_ip: string;
  /** The chain: a project's name or `platform`. */
  readonly chain: string;
  readonly detail?: string;
}

/** A record in its place. `hash` covers the facts, `seq` and `hash_prev`. */
export interface AuditRecord extends AuditFacts {
  /** 1, 2, 3 … without a gap within the chain. */
  readonly seq: number;
  /** Hex SHA-256 of the record before; 64 zeros for the first kept nowhere. */
  readonly hash_prev: string;
  readonly hash: string;
  /** Ed25519 over the hash, base64url; of records of the `root` chain. */
  readonly signature?: string;
}
