/** Which real servers this machine has. A missing one skips its suites with the reason, and fails them under CI=true. */
import { describe, it } from 'vitest';
import { etcdInstallHint, isEtcdInstalled } from './etcd.js';
import { isMongoInstalled, mongoInstallHint } from './mongo.js';
import { isOpaInstalled, opaInstallHint } from './opa.js';

export const serverKinds = {
  etcd: { isInstalled: isEtcdInstalled, installHint: etcdInstallHint },
  opa: { isInstalled: isOpaInstalled, installHint: opaInstallHint },
  mongo: { isInstalled: isMongoInstalled, installHint: mongoInstallHint },
} as const;

export type ServerKind = keyof typeof serverKinds;

/** Declares `suite` when the server is there. */
export function describeWithServer(kind: ServerKind, suite: () => void): void {
  const { isInstalled, installHint } = serverKinds[kind];
  if (isInstalled()) {
    suite();
    return;
  }
  const reason = `${kind} is not installed: ${installHint}`;
  if (process.env['CI'] === 'true')
    describe(kind, () =>
      it(reason, () => {
        throw new Error(reason);
      }),
    );
  else describe.skip(reason, () => it('is skipped', () => undefined));
}
