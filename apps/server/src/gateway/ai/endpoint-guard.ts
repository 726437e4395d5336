/**
 * Which addresses a call of a language model may reach. Endpoints come from the operator's file alone; a *name* in it must not lead to this
 * machine or to a cloud's metadata service, whatever its DNS says today. An address that the operator has written himself is his wish.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net';

const refused = new BlockList();
refused.addSubnet('0.0.0.0', 8, 'ipv4');
refused.addSubnet('127.0.0.0', 8, 'ipv4');
// Link-local: where clouds keep their metadata services.
refused.addSubnet('169.254.0.0', 16, 'ipv4');
refused.addAddress('100.100.100.200', 'ipv4');
refused.addAddress('192.0.0.192', 'ipv4');
refused.addSubnet('224.0.0.0', 4, 'ipv4');
refused.addAddress('255.255.255.255', 'ipv4');
refused.addAddress('::', 'ipv6');
refused.addAddress('::1', 'ipv6');
refused.addSubnet('fe80::', 10, 'ipv6');
refused.addSubnet('ff00::', 8, 'ipv6');
refused.addAddress('fd00:ec2::254', 'ipv6');

/** Loopback, link-local, metadata, multicast; IPv4 inside IPv6 is looked at as IPv4. */
export function isRefusedAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  return refused.check(mapped, isIPv4(mapped) ? 'ipv4' : 'ipv6');
}

type Resolve = (
  name: string,
  options: { readonly all: true },
  settle: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** For the sockets of one endpoint. `host` is what the operator wrote: an address or `localhost` is not judged. */
export function guardedLookup(host: string, resolve: Resolve = systemLookup as Resolve): LookupFunction | undefined {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0 || bare === 'localhost') return undefined;
  return (name, options, settle) => {
    resolve(name, { all: true }, (error, addresses) => {
      if (error) {
        settle(error, '', 0);
        return;
      }
      const [first] = addresses;
      if (!first || addresses.some(({ address }) => isRefusedAddress(address))) {
        settle(new Error(`'${name}' leads to an address that no LLM endpoint may have`), '', 0);
        return;
      }
      if (options.all === true) (settle as unknown as (error: null, all: LookupAddress[]) => void)(null, addresses);
      else settle(null, first.address, first.family);
    });
  };
}
