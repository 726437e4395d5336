/**
 * IP addresses and networks as Go's net package reads them. An address is a number of 32 or 128
 * bits; IPv4-mapped IPv6 addresses count as IPv4, as in Go.
 */
import { fail } from './errors.js';

/** An address. Shape: `bits` is 32 or 128. */
export interface IpAddress {
  readonly value: bigint;
  readonly bits: 32 | 128;
}

/** A network: the first address and the length of its prefix. */
export interface IpNetwork {
  readonly base: bigint;
  readonly bits: 32 | 128;
  readonly prefix: number;
}

const MAPPED = 0xffffn << 32n;

function parseIpv4(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0n;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseGroups(text: string): readonly number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes('.')) {
      const tail = parseIpv4(part);
      if (tail === undefined) return undefined;
      groups.push(Number(tail >> 16n), Number(tail & 0xffffn));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string);
  const tail = halves.length === 2 ? parseGroups(halves[1] as string) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** An address without a zone, keeping IPv4-mapped IPv6 addresses at 128 bits. */
function parseExact(text: string): IpAddress | undefined {
  if (text.includes(':')) {
    const value = parseIpv6(text);
    return value === undefined ? undefined : { value, bits: 128 };
  }
  const value = parseIpv4(text);
  return value === undefined ? undefined : { value, bits: 32 };
}

function unmap(address: IpAddress): IpAddress {
  return address.bits === 128 && address.value >> 32n === 0xffffn
    ? { value: address.value & 0xffffffffn, bits: 32 }
    : address;
}

/** An address, or undefined when the text is none. */
export function parseIp(text: string): IpAddress | undefined {
  const address = parseExact(text);
  return address === undefined ? undefined : unmap(address);
}

function maskOf(bits: number, prefix: number): bigint {
  return ((1n << BigInt(bits)) - 1n) ^ ((1n << BigInt(bits - prefix)) - 1n);
}

/** Reads `address/prefix`. Errors: `BuiltinFailure` as net.ParseCIDR words it. */
export function parseCidr(text: string): IpNetwork & { readonly address: bigint } {
  const slash = text.indexOf('/');
  const address = slash < 0 ? undefined : parseExact(text.slice(0, slash));
  const length = text.slice(slash + 1);
  const prefix = /^\d+$/.test(length) ? Number(length) : -1;
  if (address === undefined || prefix < 0 || prefix > address.bits) return fail(`invalid CIDR address: ${text}`);
  const { value, bits } = address;
  return { address: value, base: value & maskOf(bits, prefix), bits, prefix };
}

/** Whether the network has the address; versions must agree, counting mapped addresses as IPv4. */
export function containsAddress(network: IpNetwork, address: IpAddress): boolean {
  const other = unmap(address);
  const own = unmap({ value: network.base, bits: network.bits });
  if (own.bits !== other.bits) return false;
  const prefix = own.bits === network.bits ? network.prefix : Math.max(network.prefix - 96, 0);
  return (other.value & maskOf(own.bits, prefix)) === (own.value & maskOf(own.bits, prefix));
}

/** Whether a network is of IPv6 and does not stand for one of IPv4. */
export function isPlainIpv6(network: IpNetwork): boolean {
  return network.bits === 128 && unmap({ value: network.base, bits: 128 }).bits === 128;
}

/** Whether a network lies in another of the same version. */
export function containsNetwork(outer: IpNetwork, inner: IpNetwork): boolean {
  const mask = maskOf(outer.bits, outer.prefix);
  return outer.prefix <= inner.prefix && (inner.base & mask) === (outer.base & mask);
}

/** The last address of a network. */
export function lastAddress(network: IpNetwork): IpAddress {
  const hosts = (1n << BigInt(network.bits - network.prefix)) - 1n;
  return { value: network.base | hosts, bits: network.bits };
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
}

function longestZeroRun(groups: readonly number[]): readonly [start: number, length: number] {
  let best: readonly [number, number] = [-1, 1];
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - i > best[1]) best = [i, end - i];
    if (end > i) i = end;
  }
  return best;
}

/** The canonical text of an address; mapped addresses print as IPv4. */
export function formatIp(address: IpAddress): string {
  const { value, bits } = unmap(address);
  if (bits === 32) return formatIpv4(value);
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - i * 16)) & 0xffffn));
  const [start, length] = longestZeroRun(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (start < 0) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** The 16-byte form of an address, for comparisons across versions. */
export function toComparable(address: IpAddress): bigint {
  return address.bits === 32 ? MAPPED | address.value : address.value;
}

/** A network of IPv4 as two 32-bit integers. */
interface Ipv4Network {
  readonly base: number;
  readonly mask: number;
}

/** Texts read before: policies ask about the same lists and callers again and again. */
class Remembered<T> {
  private readonly known = new Map<string, T>();
  private readonly read: (text: string) => T;

  constructor(read: (text: string) => T) {
    this.read = read;
  }

  of(text: string): T {
    const known = this.known.get(text);
    if (known !== undefined || this.known.has(text)) return known as T;
    // Long texts are no addresses worth keeping.
    if (text.length > MAX_REMEMBERED_LENGTH) return this.read(text);
    if (this.known.size >= MAX_REMEMBERED) this.known.clear();
    const value = this.read(text);
    this.known.set(text, value);
    return value;
  }
}

const MAX_REMEMBERED = 4096;
const MAX_REMEMBERED_LENGTH = 64;

function readAddress(text: string): number | undefined {
  const value = parseIpv4(text);
  return value === undefined ? undefined : Number(value) | 0;
}

function readNetwork(text: string): Ipv4Network | undefined {
  const slash = text.indexOf('/');
  const base = readAddress(text.slice(0, Math.max(slash, 0)));
  const length = text.slice(slash + 1);
  const prefix = /^\d+$/.test(length) ? Number(length) : -1;
  if (base === undefined || prefix < 0 || prefix > 32) return undefined;
  const mask = prefix === 0 ? 0 : -1 << (32 - prefix);
  return { base: base & mask, mask };
}

const addresses = new Remembered(readAddress);
const networks = new Remembered(readNetwork);

/** Whether a network of IPv4 has an address of IPv4; undefined when one of them is something else. Cost: two map reads for what was read before. */
export function ipv4Contains(network: string, address: string): boolean | undefined {
  const own = addresses.of(address);
  const outer = own === undefined ? undefined : networks.of(network);
  return own === undefined || outer === undefined ? undefined : (own & outer.mask) === outer.base;
}
