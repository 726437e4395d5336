/** The contract of `KeyValueStore` on real etcd: one member, three members, TLS with client certificates, users. */
import { openEtcd } from '../../apps/server/src/adapters/etcd/etcd-key-value-store.js';
import type { EtcdOptions as ClientOptions } from '../../apps/server/src/adapters/etcd/etcd-options.js';
import { describeKeyValueStore } from '../../apps/server/src/ports/key-value-store.contract.js';
import type { StartStore } from '../../apps/server/src/ports/store-under-test.contract.js';
import { type EtcdOptions, type EtcdServer, startEtcd } from '../servers/etcd.js';
import { describeWithServer } from '../servers/presence.js';

function clientOptions(server: EtcdServer, prefix = ''): ClientOptions {
  const { endpoints, tls, user } = server;
  return { endpoints, prefix, ...(tls ? { tls } : {}), ...(user ?? {}) };
}

/** A cluster of its own for each start: the suite reads revisions of the whole store. */
function startOn(options: EtcdOptions, prefix = ''): StartStore {
  return async () => {
    const server = await startEtcd(options);
    let store = openEtcd(clientOptions(server, prefix));
    return {
      store,
      async reopen() {
        await store.close();
        store = openEtcd(clientOptions(server, prefix));
        return store;
      },
      compact: (revision) => server.compact(revision),
      async dispose() {
        await store.close();
        await server.stop();
      },
    };
  };
}

describeWithServer('etcd', () => {
  describeKeyValueStore('etcd, one member', startOn({ members: 1 }));
  describeKeyValueStore('etcd, three members', startOn({ members: 3 }));
  describeKeyValueStore('etcd, TLS with client certificates', startOn({ tls: true }));
  describeKeyValueStore('etcd, user and password, keys under a namespace', startOn({ auth: true }, 'täst/'));
});
