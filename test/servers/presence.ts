/** Declares suites that need a real server. A missing one skips them with the reason, and fails them under CI=true. */
import { describe, it } from 'vitest';
import { areAllRequired, type ServerKind, serverKinds } from './server-kinds.js';

export function describeWithServer(kind: ServerKind, suite: () => void): void {
  describeWithServers([kind], suite);
}

export function describeWithServers(kinds: readonly ServerKind[], suite: () => void): void {
  const missing = kinds.filter((kind) => !serverKinds[kind].isInstalled());
  if (missing.length === 0) {
    suite();
    return;
  }
  const reason = missing.map((kind) => `${kind} is not installed: ${serverKinds[kind].installHint}`).join('; ');
  if (!areAllRequired()) {
    describe.skip(reason, () => it('is skipped', () => undefined));
    return;
  }
  it(reason, () => {
    throw new Error(reason);
  });
}
