/** IANA time zones through the host's Intl, which has the database in Node and in browsers alike. */
import { fail } from '../errors.js';
import { type CivilTime, toSeconds } from './calendar.js';

/** A zone: its offset from UTC, and the name of that offset, at an instant. */
export interface Zone {
  readonly name: string;
  /** Seconds east of UTC at an instant given in seconds since 1970. */
  offsetAt(seconds: number): number;
  abbreviationAt(seconds: number): string;
}

export const UTC: Zone = { name: 'UTC', offsetAt: () => 0, abbreviationAt: () => 'UTC' };

/** English locales by where their abbreviations are known; tried in turn. */
const LOCALES = ['en-US', 'en-GB', 'en-AU', 'en-CA', 'en-IN', 'en-ZA', 'en-NZ'];

const COMMON: ReadonlyMap<string, string> = new Map([
  ['Asia/Tokyo/32400', 'JST'],
  ['Asia/Seoul/32400', 'KST'],
  ['Asia/Shanghai/28800', 'CST'],
  ['Asia/Hong_Kong/28800', 'HKT'],
  ['Asia/Taipei/28800', 'CST'],
  ['Asia/Jerusalem/7200', 'IST'],
  ['Asia/Jerusalem/10800', 'IDT'],
  ['Asia/Karachi/18000', 'PKT'],
  ['Asia/Manila/28800', 'PST'],
  ['Asia/Jakarta/25200', 'WIB'],
  ['Asia/Dubai/14400', '+04'],
  ['Europe/Moscow/10800', 'MSK'],
]);

class IntlZone implements Zone {
  readonly name: string;
  private readonly fields: Intl.DateTimeFormat;
  private readonly cache = new Map<number, number>();

  constructor(name: string) {
    this.name = name;
    this.fields = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  offsetAt(seconds: number): number {
    const known = this.cache.get(seconds);
    if (known !== undefined) return known;
    const values: Record<string, number> = {};
    let isBeforeChrist = false;
    for (const { type, value } of this.fields.formatToParts(seconds * 1000)) {
      if (type === 'era') isBeforeChrist = value.startsWith('B');
      else if (type !== 'literal') values[type] = Number(value);
    }
    const year = values['year'] as number;
    const civil = { ...(values as unknown as CivilTime), year: isBeforeChrist ? 1 - year : year };
    const offset = toSeconds(civil) - seconds;
    if (this.cache.size > 1000) this.cache.clear();
    this.cache.set(seconds, offset);
    return offset;
  }

  abbreviationAt(seconds: number): string {
    const offset = this.offsetAt(seconds);
    const known = COMMON.get(`${this.name}/${offset}`);
    if (known !== undefined) return known;
    for (const locale of LOCALES) {
      const format = new Intl.DateTimeFormat(locale, { timeZone: this.name, timeZoneName: 'short' });
      const name = format.formatToParts(seconds * 1000).find(({ type }) => type === 'timeZoneName')?.value;
      if (name !== undefined && /^[A-Z]{2,5}$/.test(name)) return name;
    }
    return numericName(offset);
  }
}

function numericName(offset: number): string {
  const minutes = Math.floor(Math.abs(offset) / 60);
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0');
  const rest = minutes % 60 === 0 ? '' : String(minutes % 60).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${hours}${rest}`;
}

const zones = new Map<string, Zone>();

/** Errors: `BuiltinFailure` for unknown names. */
export function zoneOf(name: string): Zone {
  if (name === '' || name === 'UTC') return UTC;
  const wanted = name === 'Local' ? new Intl.DateTimeFormat().resolvedOptions().timeZone : name;
  const known = zones.get(wanted);
  if (known !== undefined) return known;
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(wanted)) return fail(`unknown time zone ${name}`);
  try {
    const made = new IntlZone(wanted);
    zones.set(wanted, made);
    return made;
  } catch (error) {
    if (error instanceof RangeError) return fail(`unknown time zone ${name}`);
    throw error;
  }
}

/** The instant of a local time, as Go's time.Date settles gaps and overlaps. */
export function toInstant(local: CivilTime, zone: Zone): number {
  const unadjusted = toSeconds(local);
  const first = zone.offsetAt(unadjusted);
  const guess = unadjusted - first;
  return zone.offsetAt(guess) === first ? guess : unadjusted - zone.offsetAt(guess);
}
