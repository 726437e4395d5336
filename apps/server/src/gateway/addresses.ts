/** Lists of IP addresses and networks (CIDR), of both families. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

export type IsListed = (address: string) => boolean;

/** Throws a RangeError for what is neither an address nor a network. */
export function addressList(entries: readonly string[]): IsListed {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined;
    if (!family) throw new RangeError(`'${entry}' is neither an address nor a network`);
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => (isIPv4(address) ? list.check(address, 'ipv4') : isIPv6(address) && list.check(address, 'ipv6'));
}
