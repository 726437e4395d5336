/** Writes an instant by one of Go's layouts. */
import { type CivilTime, fromSeconds, MONTHS, WEEKDAYS, weekdayOf, yearDay } from './calendar.js';
import { type LayoutElement, layoutSteps } from './layout.js';
import type { Zone } from './zones.js';

/** An instant as seen in a zone. */
export interface ZonedTime {
  /** Seconds since 1970. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
  readonly zone: Zone;
}

export function localTime(time: ZonedTime): CivilTime {
  return fromSeconds(time.seconds + time.zone.offsetAt(time.seconds));
}

const two = (value: number): string => String(value).padStart(2, '0');

function formatZone(text: string, offset: number): string {
  if (text.startsWith('Z') && offset === 0) return 'Z';
  const absolute = Math.abs(offset);
  const colon = text.includes(':') ? ':' : '';
  const parts = [two(Math.floor(absolute / 3600)), two(Math.floor(absolute / 60) % 60), two(absolute % 60)];
  const digits = text.replace(/[^0-9]/g, '').length;
  return (offset < 0 ? '-' : '+') + parts.slice(0, digits / 2).join(colon);
}

function formatYear(year: number): string {
  return year < 0 ? `-${String(-year).padStart(4, '0')}` : String(year).padStart(4, '0');
}

function formatFraction({ kind, text }: LayoutElement, nanoseconds: number): string {
  const digits = String(nanoseconds)
    .padStart(9, '0')
    .slice(0, text.length - 1)
    .padEnd(text.length - 1, '0');
  if (kind === 'fraction0') return text[0] + digits;
  const trimmed = digits.replace(/0+$/, '');
  return trimmed === '' ? '' : text[0] + trimmed;
}

function formatElement(element: LayoutElement, time: ZonedTime, local: CivilTime): string {
  const hour12 = local.hour % 12 === 0 ? 12 : local.hour % 12;
  switch (element.kind) {
    case 'long-month':
      return MONTHS[local.month - 1] as string;
    case 'month':
      return (MONTHS[local.month - 1] as string).slice(0, 3);
    case 'number-month':
      return String(local.month);
    case 'zero-month':
      return two(local.month);
    case 'long-weekday':
    case 'weekday': {
      const name = WEEKDAYS[weekdayOf(time.seconds + time.zone.offsetAt(time.seconds))] as string;
      return element.kind === 'weekday' ? name.slice(0, 3) : name;
    }
    case 'day':
      return String(local.day);
    case 'under-day':
      return String(local.day).padStart(2);
    case 'zero-day':
      return two(local.day);
    case 'under-year-day':
      return String(yearDay(local)).padStart(3);
    case 'zero-year-day':
      return String(yearDay(local)).padStart(3, '0');
    case 'hour':
      return two(local.hour);
    case 'hour12':
      return String(hour12);
    case 'zero-hour12':
      return two(hour12);
    case 'minute':
      return String(local.minute);
    case 'zero-minute':
      return two(local.minute);
    case 'second':
      return String(local.second);
    case 'zero-second':
      return two(local.second);
    case 'long-year':
      return formatYear(local.year);
    case 'year':
      return two(((local.year % 100) + 100) % 100);
    case 'PM':
      return local.hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return local.hour >= 12 ? 'pm' : 'am';
    case 'zone-name':
      return time.zone.abbreviationAt(time.seconds);
    case 'zone':
      return formatZone(element.text, time.zone.offsetAt(time.seconds));
    case 'fraction0':
    case 'fraction9':
      return formatFraction(element, time.nanoseconds);
  }
}

export function formatTime(time: ZonedTime, layout: string): string {
  const local = localTime(time);
  let out = '';
  for (const { prefix, element } of layoutSteps(layout)) {
    out += prefix;
    if (element !== undefined) out += formatElement(element, time, local);
  }
  return out;
}
