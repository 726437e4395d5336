/** Addresses of IPv4 and IPv6, and ranges of them (`10.0.0.0/8`, `2001:db8::/32`). */

export interface IpRange {
  readonly bits: bigint;
  readonly width: 32 | 128;
  /** Leading bits that count. */
  readonly prefix: number;
}

function parseFour(text: string): bigint | undefined {
  const groups = text.split('.');
  if (groups.length !== 4 || !groups.every((group) => /^(0|[1-9]\d{0,2})$/.test(group) && Number(group) < 256))
    return undefined;
  return groups.reduce((bits, group) => (bits << 8n) | BigInt(group), 0n);
}

/** Sixteen-bit groups of one side of `::`; undefined when one is none. */
function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const four = index === parts.length - 1 && part.includes('.') ? parseFour(part) : undefined;
    if (four !== undefined) groups.push(Number(four >> 16n), Number(four & 0xffffn));
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function parseSix(text: string): bigint | undefined {
  const sides = text.replace(/%.*$/, '').split('::');
  if (sides.length > 2) return undefined;
  const [left, right] = sides.map(parseGroups);
  if (left === undefined || (sides.length === 2 && right === undefined)) return undefined;
  const missing = 8 - left.length - (right?.length ?? 0);
  if (right === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = right === undefined ? left : [...left, ...Array<number>(missing).fill(0), ...right];
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}

/** An address or a range; undefined when it is neither. Without `/n` every bit counts. */
export function parseIpRange(text: string): IpRange | undefined {
  const [address = '', prefixText, ...rest] = text.split('/');
  if (rest.length > 0 || (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText))) return undefined;
  const width = address.includes(':') ? 128 : 32;
  const bits = width === 32 ? parseFour(address) : parseSix(address);
  const prefix = prefixText === undefined ? width : Number(prefixText);
  return bits === undefined || prefix > width ? undefined : { bits, width, prefix };
}

/** Whether an address (or a narrower range) lies within a range; those of the other family never do. */
export function isWithin(address: IpRange, range: IpRange): boolean {
  if (address.width !== range.width) return false;
  if (address.bits === range.bits) return true;
  const shift = BigInt(range.width - range.prefix);
  return address.prefix >= range.prefix && address.bits >> shift === range.bits >> shift;
}
