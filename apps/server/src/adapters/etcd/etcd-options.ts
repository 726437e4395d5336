/** How to reach an etcd cluster. */
export interface EtcdOptions {
  /** `http://host:2379` or `https://…`, all members; the adapter goes on with another when one fails. */
  readonly endpoints: readonly string[];
  /** Put before every key: lets several users, or tests, share a cluster. */
  readonly prefix?: string;
  readonly username?: string;
  readonly password?: string;
  /** PEM texts. Without `ca` the system's own authorities count; `cert` and `key` are the client's. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** The bound of every call, retries included. */
  readonly callTimeoutMs?: number;
  /** How often a silent connection is asked whether it lives. */
  readonly heartbeatMs?: number;
}

export interface EtcdTimes {
  readonly callTimeoutMs: number;
  /** One attempt of a call that may be repeated on another member. */
  readonly attemptTimeoutMs: number;
  readonly heartbeatMs: number;
  /** A connection that said nothing for so long, though asked, is taken for dead. */
  readonly silenceMs: number;
}

export function timesOf({ callTimeoutMs = 2500, heartbeatMs = 500 }: EtcdOptions): EtcdTimes {
  return { callTimeoutMs, attemptTimeoutMs: Math.ceil(callTimeoutMs * 0.4), heartbeatMs, silenceMs: heartbeatMs * 4 };
}
