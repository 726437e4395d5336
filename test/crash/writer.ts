/**
 * The process that `sqlite-crash.test.ts` kills: 64 writers on one data folder. A line `writer number revision` on standard
 * output says that a transaction was acknowledged; nothing is said before.
 */
import { openEmbedded } from '../../apps/server/src/adapters/embedded/open-embedded.js';
import { makeRecord, makeVersion, transactionOf } from './workload.js';

const [directory = '', round = ''] = process.argv.slice(2);
const writers = 64;
const { keyValueStore, policyArchive, auditLog } = await openEmbedded({ directory, maxHistoryRevisions: 500 });

async function write(writer: number): Promise<void> {
  for (let number = 0; ; number += 1) {
    const name = `${round}-${writer}`;
    const { revision } = await keyValueStore.transact([], transactionOf(name, number));
    process.stdout.write(`kv ${name} ${number} ${revision}\n`);
    if (number % 4 !== 0) continue;
    await policyArchive.append(makeVersion(name, number + 1));
    process.stdout.write(`version ${name} ${number + 1} 0\n`);
    await auditLog.append(makeRecord(name, number + 1));
    process.stdout.write(`audit ${name} ${number + 1} 0\n`);
  }
}

await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
