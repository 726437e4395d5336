/** Reads a time by one of Go's layouts, as time.Parse does, with its errors. */
import { quote, work } from '../../values/index.js';
import { fail } from '../errors.js';
import { daysIn, isLeap, MONTHS, toSeconds, WEEKDAYS } from './calendar.js';
import { type LayoutElement, layoutSteps } from './layout.js';

/** What a text said; -1 where it was silent. */
interface Fields {
  year: number;
  month: number;
  day: number;
  yearDay: number;
  hour: number;
  minute: number;
  second: number;
  nanoseconds: number;
  half: 'AM' | 'PM' | undefined;
  /** Seconds east of UTC; undefined without a zone. */
  offset: number | undefined;
}

/** Signals text that does not fit an element. */
class Mismatch extends Error {}

/** Signals a field out of range, by its name. */
class OutOfRange extends Error {}

class TimeParser {
  private readonly layout: string;
  private readonly value: string;
  private rest: string;
  private readonly fields: Fields = {
    year: 0,
    month: -1,
    day: -1,
    yearDay: -1,
    hour: 0,
    minute: 0,
    second: 0,
    nanoseconds: 0,
    half: undefined,
    offset: undefined,
  };

  constructor(layout: string, value: string) {
    this.layout = layout;
    this.value = value;
    this.rest = value;
  }

  parse(): Fields {
    const steps = layoutSteps(this.layout);
    for (const [i, { prefix, element }] of steps.entries()) {
      this.skip(prefix);
      if (element === undefined) break;
      work(4);
      const hold = this.rest;
      try {
        this.read(element, steps[i + 1]);
      } catch (error) {
        if (error instanceof OutOfRange) return this.failWith(`: ${error.message} out of range`);
        if (error instanceof Mismatch) return this.cannotParse(hold, element.text);
        throw error;
      }
    }
    if (this.rest !== '') return this.failWith(`: extra text: ${quote(this.rest)}`);
    this.settle();
    return this.fields;
  }

  private cannotParse(part: string, element: string): never {
    const reason = `cannot parse ${quote(part)} as ${quote(element)}`;
    return fail(`parsing time ${quote(this.value)} as ${quote(this.layout)}: ${reason}`);
  }

  private failWith(message: string): never {
    return fail(`parsing time ${quote(this.value)}${message}`);
  }

  /** Skips literal text; a run of spaces in the layout takes a run of spaces. */
  private skip(prefix: string): void {
    for (let at = 0; at < prefix.length; ) {
      if (prefix[at] === ' ') {
        if (this.rest !== '' && this.rest[0] !== ' ') this.cannotParse(this.rest, prefix);
        while (prefix[at] === ' ') at++;
        this.rest = this.rest.replace(/^ +/, '');
        continue;
      }
      if (this.rest === '' || this.rest[0] !== prefix[at]) this.cannotParse(this.rest, prefix);
      at++;
      this.rest = this.rest.slice(1);
    }
  }

  private take(pattern: RegExp): string {
    const match = pattern.exec(this.rest);
    if (match === null) throw new Mismatch();
    this.rest = this.rest.slice(match[0].length);
    return match[0];
  }

  private number(isFixed: boolean): number {
    return Number(this.take(isFixed ? /^\d\d/ : /^\d\d?/));
  }

  private ranged(isFixed: boolean, name: string, low: number, high: number): number {
    const value = this.number(isFixed);
    if (value < low || value > high) throw new OutOfRange(name);
    return value;
  }

  private name(names: readonly string[], length?: number): number {
    for (const [i, full] of names.entries()) {
      const name = length === undefined ? full : full.slice(0, length);
      if (this.rest.slice(0, name.length).toLowerCase() !== name.toLowerCase()) continue;
      this.rest = this.rest.slice(name.length);
      return i;
    }
    throw new Mismatch();
  }

  private read(
    element: LayoutElement,
    next: { readonly prefix: string; readonly element: LayoutElement | undefined } | undefined,
  ): void {
    const { fields } = this;
    const { kind } = element;
    switch (kind) {
      case 'year': {
        const year = Number(this.take(/^\d\d/));
        fields.year = year >= 69 ? year + 1900 : year + 2000;
        break;
      }
      case 'long-year':
        fields.year = Number(this.take(/^\d{4}/));
        break;
      case 'month':
      case 'long-month':
        fields.month = this.name(MONTHS, kind === 'month' ? 3 : undefined) + 1;
        break;
      case 'number-month':
      case 'zero-month':
        fields.month = this.ranged(kind === 'zero-month', 'month', 1, 12);
        break;
      case 'weekday':
      case 'long-weekday':
        this.name(WEEKDAYS, kind === 'weekday' ? 3 : undefined);
        break;
      case 'under-day':
        this.rest = this.rest.replace(/^ /, '');
        fields.day = this.number(false);
        break;
      case 'day':
      case 'zero-day':
        fields.day = this.number(kind === 'zero-day');
        break;
      case 'under-year-day':
        fields.yearDay = Number(this.take(/^ {0,2}\d{1,3}/));
        break;
      case 'zero-year-day':
        fields.yearDay = Number(this.take(/^\d{3}/));
        break;
      case 'hour':
        fields.hour = this.ranged(false, 'hour', 0, 23);
        break;
      case 'hour12':
      case 'zero-hour12':
        fields.hour = this.ranged(kind === 'zero-hour12', 'hour', 0, 12);
        break;
      case 'minute':
      case 'zero-minute':
        fields.minute = this.ranged(kind === 'zero-minute', 'minute', 0, 59);
        break;
      case 'second':
      case 'zero-second':
        this.readSecond(kind === 'zero-second', next);
        break;
      case 'PM':
      case 'pm':
        fields.half = this.take(kind === 'PM' ? /^[AP]M/ : /^[ap]m/).toUpperCase() as 'AM' | 'PM';
        break;
      case 'zone':
        this.readZone(element.text);
        break;
      case 'zone-name':
        this.readZoneName();
        break;
      case 'fraction0':
        fields.nanoseconds = toNanoseconds(this.take(new RegExp(`^[.,]\\d{${element.text.length - 1}}`)));
        break;
      case 'fraction9':
        if (/^[.,]\d/.test(this.rest)) fields.nanoseconds = toNanoseconds(this.take(/^[.,]\d+/));
        break;
    }
  }

  /** Seconds may have a fraction even where the layout has none. */
  private readSecond(
    isFixed: boolean,
    next: { readonly prefix: string; readonly element: LayoutElement | undefined } | undefined,
  ): void {
    this.fields.second = this.ranged(isFixed, 'second', 0, 59);
    if (!/^[.,]\d/.test(this.rest)) return;
    if (next?.prefix === '' && next.element?.kind.startsWith('fraction')) return;
    this.fields.nanoseconds = toNanoseconds(this.take(/^[.,]\d+/));
  }

  private readZone(text: string): void {
    if (text.startsWith('Z') && this.rest.startsWith('Z')) {
      this.rest = this.rest.slice(1);
      this.fields.offset = 0;
      return;
    }
    const pattern = text.slice(1).replace(/\d\d/g, '\\d\\d');
    const digits = this.take(new RegExp(`^[-+]${pattern}`));
    const [hours = 0, minutes = 0, seconds = 0] = (digits.match(/\d\d/g) ?? []).map(Number);
    if (hours > 24) throw new OutOfRange('time zone offset hour');
    if (minutes > 60) throw new OutOfRange('time zone offset minute');
    if (seconds > 60) throw new OutOfRange('time zone offset second');
    const offset = (hours * 60 + minutes) * 60 + seconds;
    this.fields.offset = digits.startsWith('-') ? -offset : offset;
  }

  /** An abbreviation names an offset without moving the time: Go makes up a zone for it. */
  private readZoneName(): void {
    const match = /^(UTC|ChST|MeST|GMT(?:[-+]\d{1,2})?|[-+]\d\d(?!\d)|[A-Z]{3,5}(?![A-Z]))/.exec(this.rest);
    if (match === null || (match[0].length === 5 && !match[0].endsWith('T') && !match[0].startsWith('GMT')))
      throw new Mismatch();
    if (match[0].length === 4 && !/T$|^WITA$|^GMT/.test(match[0])) throw new Mismatch();
    this.rest = this.rest.slice(match[0].length);
    this.fields.offset = 0;
  }

  private settle(): void {
    const { fields } = this;
    if (fields.half === 'PM' && fields.hour < 12) fields.hour += 12;
    else if (fields.half === 'AM' && fields.hour === 12) fields.hour = 0;
    if (fields.yearDay >= 0) this.settleYearDay();
    if (fields.month < 0) fields.month = 1;
    if (fields.day < 0) fields.day = 1;
    if (fields.day < 1 || fields.day > daysIn(fields.month, fields.year)) this.failWith(': day out of range');
  }

  private settleYearDay(): void {
    const { fields } = this;
    if (fields.yearDay < 1 || fields.yearDay > (isLeap(fields.year) ? 366 : 365)) {
      this.failWith(': day-of-year out of range');
    }
    let [month, day] = [1, fields.yearDay];
    while (day > daysIn(month, fields.year)) day -= daysIn(month++, fields.year);
    if (fields.month >= 0 && fields.month !== month) this.failWith(': day-of-year does not match month');
    if (fields.day >= 0 && fields.day !== day) this.failWith(': day-of-year does not match day');
    fields.month = month;
    fields.day = day;
  }
}

function toNanoseconds(fraction: string): number {
  return Number(fraction.slice(1, 10).padEnd(9, '0'));
}

/** Nanoseconds since 1970. Errors: `BuiltinFailure` with Go's wording. */
export function parseTime(layout: string, value: string): bigint {
  const fields = new TimeParser(layout, value).parse();
  const seconds = toSeconds(fields) - (fields.offset ?? 0);
  return BigInt(seconds) * 1_000_000_000n + BigInt(fields.nanoseconds);
}
