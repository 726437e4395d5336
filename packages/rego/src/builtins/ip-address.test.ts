import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { containsAddress, ipv4Contains, parseCidr, parseIp } from './ip-address.js';

const octet = fc.oneof(fc.constantFrom(0, 10, 127, 128, 192, 255), fc.nat(255));
const address = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));

describe('networks of IPv4', () => {
  it('have the same addresses by integers as by big numbers', () => {
    fc.assert(
      fc.property(address, fc.integer({ min: 0, max: 32 }), address, (base, prefix, one) => {
        const network = `${base}/${prefix}`;
        const known = parseIp(one);
        expect(ipv4Contains(network, one)).toBe(known && containsAddress(parseCidr(network), known));
      }),
      { numRuns: 2000 },
    );
  });

  it('leave everything else to the long way', () => {
    for (const [network, one] of [
      ['::/0', '1.1.1.1'],
      ['10.0.0.0/8', '::1'],
      ['10.0.0.0/33', '10.0.0.1'],
      ['10.0.0.0', '10.0.0.1'],
      ['10.0.0.0/8', '10.0.0.0/9'],
      ['10.0.0.0/8', '10.0.0.256'],
    ])
      expect(ipv4Contains(network as string, one as string)).toBeUndefined();
  });
});
