/** IP networks, and the lookup of host names where the context allows it. */
import { isArray, isSet, iterate, makeSet, type RegoSet, SetBuilder, type Value } from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { BuiltinFailure, fail } from './errors.js';
import {
  containsAddress,
  containsNetwork,
  formatIp,
  type IpNetwork,
  ipv4Contains,
  isPlainIpv6,
  lastAddress,
  parseCidr,
  parseIp,
  toComparable,
} from './ip-address.js';
import { operand, stringOperand } from './operands.js';
import { any, anyOf, array, boolean, object, set, string, tuple } from './type-decl.js';

function cidrContains(a: Value, b: Value): boolean {
  const quick = typeof a === 'string' && typeof b === 'string' ? ipv4Contains(a, b) : undefined;
  if (quick !== undefined) return quick;
  const network = parseCidr(stringOperand([a], 1));
  const text = stringOperand([b], 1);
  const address = parseIp(text);
  if (address !== undefined) return containsAddress(network, address);
  let other: IpNetwork;
  try {
    other = parseCidr(text);
  } catch (error) {
    if (!(error instanceof BuiltinFailure)) throw error;
    return fail(`not a valid textual representation of an IP address or CIDR: ${text}`);
  }
  if (isPlainIpv6(network) && isPlainIpv6(other)) return containsNetwork(network, other);
  return (
    containsAddress(network, { value: other.base, bits: other.bits }) && containsAddress(network, lastAddress(other))
  );
}

function cidrIntersects(args: readonly Value[]): boolean {
  const a = parseCidr(stringOperand(args, 1));
  const b = parseCidr(stringOperand([operand(args, 2)], 1));
  return containsAddress(a, { value: b.base, bits: b.bits }) || containsAddress(b, { value: a.base, bits: a.bits });
}

type Match = readonly [cidr: Value, index: Value];

function matchesOf(position: number, value: Value): readonly Match[] {
  if (typeof value === 'string') return [[value, value]];
  const matches: Match[] = [];
  for (const [key, item] of iterate(value)) {
    const cidr = isArray(item) ? item[0] : item;
    if (cidr === undefined || (typeof item !== 'string' && !isArray(item))) {
      return fail(`operand ${position}: element must be string or non-empty array`);
    }
    matches.push([cidr, key]);
  }
  return matches;
}

function containsMatches(args: readonly Value[], context: BuiltinContext): RegoSet {
  const found = new SetBuilder();
  const cidrs = matchesOf(1, operand(args, 1));
  if (cidrs.length === 0) return found.build();
  const others = matchesOf(2, operand(args, 2));
  for (const [cidr, index] of cidrs) {
    context.charge(others.length);
    for (const [other, otherIndex] of others) if (cidrContains(cidr, other)) found.add([index, otherIndex]);
  }
  return found.build();
}

function expand(text: string, context: BuiltinContext): RegoSet {
  const network = parseCidr(text);
  const last = lastAddress(network).value;
  const found = new SetBuilder();
  for (let value = network.base; value <= last; value++) {
    context.charge(1);
    found.add(formatIp({ value, bits: network.bits }));
  }
  return found.build();
}

interface AddressRange {
  first: bigint;
  last: bigint;
  readonly bits: 32 | 128;
  network: IpNetwork | undefined;
}

/** A bare IPv4 address stands for the network of its class, as Go's DefaultMask has it. */
function toNetwork(item: Value): IpNetwork {
  if (typeof item !== 'string') return fail('element must be string');
  const address = parseIp(item);
  if (address === undefined) return parseCidr(item);
  if (address.bits !== 32) return fail('IPv6 invalid: needs prefix length');
  const first = Number(address.value >> 24n);
  const prefix = first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
  return { base: address.value, bits: 32, prefix };
}

function toRange(network: IpNetwork): AddressRange {
  const hosts = (1n << BigInt(network.bits - network.prefix)) - 1n;
  const first = network.base & ~hosts;
  return { first, last: first | hosts, bits: network.bits, network };
}

/** The fewest networks that cover exactly a range. */
function rangeToNetworks({ first, last, bits }: AddressRange): readonly IpNetwork[] {
  const networks: IpNetwork[] = [];
  for (let base = first; base <= last; ) {
    let free = 0;
    while (
      free < bits &&
      (base & ((1n << BigInt(free + 1)) - 1n)) === 0n &&
      base + (1n << BigInt(free + 1)) - 1n <= last
    ) {
      free++;
    }
    networks.push({ base, bits, prefix: bits - free });
    base += 1n << BigInt(free);
  }
  return networks;
}

function compareRanges(a: AddressRange, b: AddressRange): number {
  const key = (value: bigint, range: AddressRange): bigint => toComparable({ value, bits: range.bits });
  const order = (x: bigint, y: bigint): number => (x < y ? -1 : x > y ? 1 : 0);
  return order(key(a.last, a), key(b.last, b)) || order(key(a.first, a), key(b.first, b));
}

function earlier(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

function merge(args: readonly Value[]): RegoSet {
  const items = operand(args, 1);
  if (!isArray(items) && !isSet(items)) return fail('operand must be an array');
  const ranges = (isArray(items) ? items : items.sorted()).map((item) => toRange(toNetwork(item)));
  ranges.sort(compareRanges);
  for (let i = ranges.length - 1; i > 0; i--) {
    const [a, b] = [ranges[i - 1] as AddressRange, ranges[i] as AddressRange];
    if (a.bits !== b.bits || b.first - 1n > a.last) continue;
    const first = earlier(a.first, b.first);
    ranges.splice(i - 1, 2, { first, last: b.last, bits: b.bits, network: undefined });
  }
  const networks = ranges.flatMap((range) => (range.network === undefined ? rangeToNetworks(range) : [range.network]));
  return makeSet(networks.map(({ base, bits, prefix }) => `${formatIp({ value: base, bits })}/${prefix}`));
}

function isCidr(text: Value | undefined): boolean {
  if (typeof text !== 'string') return false;
  try {
    parseCidr(text);
    return true;
  } catch (error) {
    if (error instanceof BuiltinFailure) return false;
    throw error;
  }
}

/** Addresses stand for themselves, and `localhost` for loopback (RFC 6761), without a resolver. */
function knownAddresses(name: string): RegoSet | undefined {
  const address = parseIp(name);
  if (address !== undefined) return makeSet([formatIp(address)]);
  return name === 'localhost' ? makeSet(['127.0.0.1', '::1']) : undefined;
}

function lookUp(name: string, context: BuiltinContext): RegoSet {
  const fixed = knownAddresses(name);
  if (fixed !== undefined) return fixed;
  if (context.resolveHost === undefined) return fail(`no name resolver is configured, so ${name} is not looked up`);
  const key = `net.lookup_ip_addr/${name}`;
  const known = context.cache.get(key) as RegoSet | undefined;
  if (known !== undefined) return known;
  const found = makeSet(context.resolveHost(name));
  context.cache.set(key, found);
  return found;
}

const cidrOrArray = anyOf(string, array());
const cidrs = anyOf(string, array(cidrOrArray), object(string, cidrOrArray), set(cidrOrArray));
const contains = (args: readonly Value[]): boolean => cidrContains(operand(args, 1), operand(args, 2));

export const networkBuiltins: readonly Builtin[] = family('net', {
  'net.cidr_contains': {
    about: 'Whether a network contains an address or a network.',
    args: { cidr: string, cidr_or_ip: string },
    result: { result: boolean },
    evaluate: contains,
  },
  'net.cidr_overlap': {
    about: 'Whether a network contains an address or a network.',
    deprecated: true,
    args: { cidr1: string, cidr2: string },
    result: { result: boolean },
    evaluate: contains,
  },
  'net.cidr_intersects': {
    about: 'Whether two networks share addresses.',
    args: { cidr1: string, cidr2: string },
    result: { result: boolean },
    evaluate: cidrIntersects,
  },
  'net.cidr_contains_matches': {
    about: 'The pairs of indices for which a network of the first collection contains one of the second.',
    args: { cidrs, cidrs_or_ips: cidrs },
    result: { output: set(tuple(any, any)) },
    evaluate: containsMatches,
  },
  'net.cidr_expand': {
    about: 'The addresses of a network.',
    args: { cidr: string },
    result: { hosts: set(string) },
    evaluate: (args, context) => expand(stringOperand(args, 1), context),
  },
  'net.cidr_is_valid': {
    about: 'Whether a string is a network in CIDR notation.',
    args: { cidr: string },
    result: { result: boolean },
    evaluate: ([text]) => isCidr(text),
  },
  'net.cidr_merge': {
    about: 'The fewest networks that cover the given ones.',
    args: { addrs: anyOf(array(anyOf(string)), set(string)) },
    result: { output: set(string) },
    evaluate: merge,
  },
  'net.lookup_ip_addr': {
    about: 'The addresses of a host, where the engine is given a resolver.',
    nondeterministic: true,
    capability: 'network',
    args: { name: string },
    result: { addrs: set(string) },
    evaluate: (args, context) => lookUp(stringOperand(args, 1), context),
  },
});
