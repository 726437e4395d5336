/** The real servers that tests use, and how to find out whether this machine has them. */
import { etcdInstallHint, isEtcdInstalled } from './etcd.js';
import { isMongoInstalled, mongoInstallHint } from './mongo.js';
import { isOpaInstalled, opaInstallHint } from './opa.js';

export const serverKinds = {
  etcd: { title: 'etcd v3', isInstalled: isEtcdInstalled, installHint: etcdInstallHint },
  opa: { title: 'Open Policy Agent', isInstalled: isOpaInstalled, installHint: opaInstallHint },
  mongo: { title: 'MongoDB (stand-in)', isInstalled: isMongoInstalled, installHint: mongoInstallHint },
} as const;

export type ServerKind = keyof typeof serverKinds;

/** Continuous integration must have them all. */
export const areAllRequired = (): boolean => process.env['CI'] === 'true';
