import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { guardedLookup, isRefusedAddress } from './endpoint-guard.js';

describe('the addresses of LLM endpoints', () => {
  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '169.254.169.254',
    '100.100.100.200',
    '192.0.0.192',
    '::1',
    '::',
    'fe80::1',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '224.0.0.1',
  ])('refuse %s behind a name', (address) => expect(isRefusedAddress(address)).toBe(true));

  it.each(['10.0.0.5', '192.168.1.2', '8.8.8.8', '2606:4700::1111'])('take %s', (address) =>
    expect(isRefusedAddress(address)).toBe(false),
  );

  const lookUp = (addresses: readonly string[]) =>
    new Promise((resolve) => {
      const list: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      const lookup = guardedLookup('llm.example', (_name, _options, settle) => settle(null, list));
      lookup?.('llm.example', {}, (error, address) => resolve(error ? error.message : address));
    });

  it('are judged at every connection, so that a name cannot be turned round later', async () => {
    expect(await lookUp(['93.184.216.34'])).toBe('93.184.216.34');
    expect(await lookUp(['169.254.169.254'])).toMatch(/leads to an address that no LLM endpoint may have/);
    expect(await lookUp(['93.184.216.34', '127.0.0.1'])).toMatch(/leads to an address/);
    expect(await lookUp([])).toMatch(/leads to an address/);
  });

  it('that the operator has written himself are his wish', () => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '10.0.0.1']) expect(guardedLookup(host)).toBeUndefined();
  });
});
