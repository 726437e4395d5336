import { expect, it } from 'vitest';
import { MemoryCache } from '../adapters/memory/memory-cache.js';
import { sessionStore } from './session-store.js';

it('instances that share a cache know each other’s sessions, find them by uid, consume and revoke them', async () => {
  const cache = new MemoryCache();
  const [One, Two] = [sessionStore(cache), sessionStore(cache)];
  const [codes, elsewhere] = [new One('AuthorizationCode'), new Two('AuthorizationCode')];
  await codes.upsert('secret-code', { grantId: 'g', uid: 'u', accountId: 'ada' }, 60);
  expect(await elsewhere.find('secret-code')).toMatchObject({ accountId: 'ada' });
  expect(await elsewhere.findByUid('u')).toMatchObject({ accountId: 'ada' });
  expect(await new Two('Session').find('secret-code')).toBeUndefined();
  await elsewhere.consume('secret-code');
  expect((await codes.find('secret-code'))?.['consumed']).toBeGreaterThan(0);
  await new Two('AccessToken').upsert('token', { grantId: 'g' }, 60);
  await elsewhere.revokeByGrantId('g');
  expect([await codes.find('secret-code'), await new One('AccessToken').find('token')]).toEqual([undefined, undefined]);
});

it('forgets what has expired and what was destroyed', async () => {
  let nowMs = 0;
  const cache = new MemoryCache({ nowMs: () => nowMs });
  const sessions = new (sessionStore(cache))('Session');
  await sessions.upsert('a', {}, 10);
  await sessions.upsert('b', {}, 10);
  await sessions.destroy('b');
  expect([await sessions.find('a'), await sessions.find('b')]).toEqual([{}, undefined]);
  nowMs = 10_001;
  expect(await sessions.find('a')).toBeUndefined();
});
