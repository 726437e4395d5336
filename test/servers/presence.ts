/** Declares suites that need a real server. A missing one skips them with the reason, and fails them under CI=true. */
import { describe, it } from 'vitest';
import { areAllRequired, type ServerKind, serverKinds } from './server-kinds.js';

export function describeWithServer(kind: ServerKind, suite: () => void): void {
  const { isInstalled, installHint } = serverKinds[kind];
  if (isInstalled()) {
    suite();
    return;
  }
  const reason = `${kind} is not installed: ${installHint}`;
  if (!areAllRequired()) {
    describe.skip(reason, () => it('is skipped', () => undefined));
    return;
  }
  it(reason, () => {
    throw new Error(reason);
  });
}
