/** kill -9 where the live policies and their history are two systems: etcd, and MongoDB (a stand-in). */
import { describe, expect, it } from 'vitest';
import { isEtcdInstalled, startEtcd } from '../servers/etcd.js';
import { isMongoInstalled, startMongo } from '../servers/mongo.js';
import { crashRounds } from '../system/crash-rounds.js';

const rounds = Number(process.env['CRASH_ROUNDS'] ?? 8);

describe.skipIf(!isEtcdInstalled() || !isMongoInstalled())(
  'on etcd and MongoDB (a stand-in for MongoDB is used)',
  () => {
    it(
      `loses and doubles nothing in ${rounds} rounds of kill -9 under concurrent writes`,
      async () => {
        const etcd = await startEtcd({ members: 1 });
        const mongo = await startMongo();
        try {
          const report = await crashRounds({
            rounds,
            environment: {
              BAILIWICK_KEY_VALUE_STORE: 'etcd',
              BAILIWICK_ETCD_ENDPOINTS: etcd.endpoints.join(','),
              BAILIWICK_POLICY_ARCHIVE: 'mongodb',
              BAILIWICK_MONGODB_URL: mongo.url,
            },
          });
          console.log(report);
          expect(report).toContain('0 lost, 0 doubled');
        } finally {
          await mongo.stop();
          await etcd.stop();
        }
      },
      rounds * 8_000 + 120_000,
    );
  },
);
