/**
 * One member of the cluster, over etcd3's connection pool (gRPC channels, credentials, sign-in). Its retries and circuit
 * breakers are switched off: a transaction repeated behind our back could fail on its own success.
 */
import { rootCertificates } from 'node:tls';
import type { ILeaseKeepAliveRequest, ILeaseKeepAliveResponse, IWatchRequest, IWatchResponse } from 'etcd3';
import { type IDuplexStream, type IOptions, KVClient, LeaseClient } from 'etcd3';
import { ConnectionPool } from 'etcd3/lib/connection-pool.js';
import { isTokenFault } from './etcd-errors.js';
import type { EtcdOptions } from './etcd-options.js';

type FaultHandling = NonNullable<IOptions['faultHandling']>;
/** gRPC's metadata, as far as it is needed here. */
interface Metadata {
  clone(): Metadata;
  set(key: string, value: string): void;
}
/** Private in etcd3, which forgets a token by itself only after single calls, not after streams. */
interface Authenticator {
  invalidateMetadata(): void;
}
interface StreamClient {
  watch(metadata: Metadata): IDuplexStream<IWatchRequest, IWatchResponse>;
  leaseKeepAlive(
    metadata: Metadata,
    options: CallOptions,
  ): IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;
}

export interface CallOptions {
  /** Epoch milliseconds. */
  readonly deadline: number;
}

const signInTimeoutMs = 700;

const callThrough = { execute: (run: (context: object) => unknown) => run({}) };

const channelOptions = {
  // etcd refuses pings more often than every 5 s; faster detection is the heartbeats' work.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.enable_http_proxy': 0,
  // With HTTP/2's 64 KiB a watch under load lagged by 1.1 s (P50); with this by nothing.
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
};

function toClientOptions(endpoint: string, options: EtcdOptions): IOptions {
  const { tls, username, password } = options;
  const pem = (text: string): Buffer => Buffer.from(text);
  return {
    hosts: endpoint,
    grpcOptions: channelOptions,
    faultHandling: {
      host: () => callThrough as unknown as ReturnType<NonNullable<FaultHandling['host']>>,
      global: callThrough as unknown as NonNullable<FaultHandling['global']>,
    },
    ...(tls && {
      credentials: {
        rootCertificate: pem(tls.ca ?? rootCertificates.join('\n')),
        ...(tls.key !== undefined && tls.cert !== undefined
          ? { privateKey: pem(tls.key), certChain: pem(tls.cert) }
          : {}),
      },
    }),
    ...(username !== undefined && password !== undefined
      ? { auth: { username, password, callOptions: () => ({ deadline: Date.now() + signInTimeoutMs }) } }
      : {}),
  };
}

export class EtcdConnection {
  readonly endpoint: string;
  readonly #pool: ConnectionPool;
  readonly kv: KVClient;
  readonly lease: LeaseClient;

  constructor(endpoint: string, options: EtcdOptions) {
    this.endpoint = endpoint;
    this.#pool = new ConnectionPool(toClientOptions(endpoint, options));
    this.kv = new KVClient(this.#pool);
    this.lease = new LeaseClient(this.#pool);
  }

  /** Ended by the member when it has no leader, so that a watch does not sit on the wrong side of a partition. */
  openWatch(): Promise<IDuplexStream<IWatchRequest, IWatchResponse>> {
    return this.#pool.withConnection('Watch', ({ client, metadata }) => {
      const own = (metadata as unknown as Metadata).clone();
      own.set('hasleader', 'true');
      return (client as unknown as StreamClient).watch(own);
    });
  }

  openKeepAlive(options: CallOptions): Promise<IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>> {
    return this.#pool.withConnection('Lease', ({ client, metadata }) =>
      (client as unknown as StreamClient).leaseKeepAlive(metadata as unknown as Metadata, options),
    );
  }

  /** Takes note of a failure: a token that is no longer good is forgotten, and the next call signs in again. */
  heed(error: unknown): void {
    if (isTokenFault(error))
      (this.#pool as unknown as { authenticator: Authenticator }).authenticator.invalidateMetadata();
  }

  close(): void {
    this.#pool.close();
  }
}
