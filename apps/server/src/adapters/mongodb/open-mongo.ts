/** The history's two collections over one client. */
import { MongoAuditLog } from './mongo-audit-log.js';
import { MongoConnection, type MongoOptions } from './mongo-connection.js';
import { MongoPolicyArchive } from './mongo-policy-archive.js';

export interface Mongo {
  readonly policyArchive: MongoPolicyArchive;
  readonly auditLog: MongoAuditLog;
  close(): Promise<void>;
}

/** Connects when it is first used; a MongoDB that is away shows in the calls, not here. */
export function openMongo(options: MongoOptions): Mongo {
  const connection = new MongoConnection(options);
  return {
    policyArchive: new MongoPolicyArchive(connection),
    auditLog: new MongoAuditLog(connection),
    close: () => connection.close(),
  };
}
