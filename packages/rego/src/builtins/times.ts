/** Points in time, in nanoseconds since 1970 as 64-bit integers. */
import { fromBigInt, isArray, isInteger, isNumber, type NumberValue, toBigInt, type Value } from '../values/index.js';
import { type Builtin, type BuiltinEntry, family } from './builtin.js';
import { fail } from './errors.js';
import { integerOperand, operand, stringOperand, typeError } from './operands.js';
import { type CivilTime, fromSeconds, toDays, WEEKDAYS, weekdayOf } from './time/calendar.js';
import { parseDuration } from './time/duration.js';
import { formatTime, localTime, type ZonedTime } from './time/format.js';
import { NAMED_LAYOUTS } from './time/layout.js';
import { parseTime } from './time/parse.js';
import { toInstant, UTC, zoneOf } from './time/zones.js';
import { anyOf, number, string, tuple } from './type-decl.js';

const SECOND = 1_000_000_000n;
const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

function checkRange(nanoseconds: bigint): NumberValue {
  if (nanoseconds < MIN || nanoseconds > MAX) return fail('time outside of valid range');
  return fromBigInt(nanoseconds);
}

interface TimeArgument extends ZonedTime {
  readonly layout: string;
}

const SHAPE = 'either number (ns) or [number (ns), string (tz)]';

function toNanoseconds(value: Value): bigint {
  if (!isNumber(value)) throw typeError(1, value, 'number');
  const nanoseconds = isInteger(value) ? (toBigInt(value) as bigint) : undefined;
  if (nanoseconds === undefined || nanoseconds < MIN || nanoseconds > MAX) return fail('timestamp too big');
  return nanoseconds;
}

/** A number of nanoseconds, or an array of it, a zone and a layout. */
function timeOf(value: Value): TimeArgument {
  if (!isNumber(value) && (!isArray(value) || value.length === 0)) throw typeError(1, value, SHAPE);
  const parts = isArray(value) ? value : [value];
  if (!isNumber(parts[0])) throw typeError(1, parts[0] as Value, 'number');
  const zone = parts.length > 1 ? zoneOf(stringOperand([parts[1] as Value], 1)) : UTC;
  const layout = parts.length > 2 ? stringOperand([parts[2] as Value], 1) : '';
  const nanoseconds = toNanoseconds(parts[0] as Value);
  const rest = ((nanoseconds % SECOND) + SECOND) % SECOND;
  return { seconds: Number((nanoseconds - rest) / SECOND), nanoseconds: Number(rest), zone, layout };
}

function timeOperand(args: readonly Value[], position: number): TimeArgument {
  return timeOf(operand(args, position));
}

function format(args: readonly Value[]): string {
  const time = timeOperand(args, 1);
  const layout = NAMED_LAYOUTS.get(time.layout) ?? time.layout;
  return formatTime(time, layout === '' ? (NAMED_LAYOUTS.get('RFC3339Nano') as string) : layout);
}

function addDate(args: readonly Value[]): NumberValue {
  const time = timeOperand(args, 1);
  const local = localTime(time);
  const [years, months, days] = [integerOperand(args, 2), integerOperand(args, 3), integerOperand(args, 4)];
  const midnight = toDays(local.year + years, local.month + months, local.day + days);
  if (!Number.isSafeInteger(midnight * 86_400)) return fail('time outside of valid range');
  const moved = { ...fromSeconds(midnight * 86_400), hour: local.hour, minute: local.minute, second: local.second };
  return checkRange(BigInt(toInstant(moved, time.zone)) * SECOND + BigInt(time.nanoseconds));
}

function isAfter(a: ZonedTime, b: ZonedTime): boolean {
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.nanoseconds > b.nanoseconds);
}

/** Years, months, days, hours, minutes and seconds between two times, borrowing where one is negative. */
function difference(args: readonly Value[]): readonly number[] {
  const first = timeOperand(args, 1);
  const second = { ...timeOperand(args, 2), zone: first.zone };
  const [from, to] = isAfter(first, second) ? [second, first] : [first, second];
  const [a, b] = [localTime(from), localTime(to)];
  const parts = ['year', 'month', 'day', 'hour', 'minute', 'second'].map(
    (name) => b[name as keyof CivilTime] - a[name as keyof CivilTime],
  ) as [number, number, number, number, number, number];
  const daysOfMonth = toDays(a.year, a.month + 1, 1) - toDays(a.year, a.month, 1);
  const borrow: readonly (readonly [index: number, amount: number])[] = [
    [5, 60],
    [4, 60],
    [3, 24],
    [2, daysOfMonth],
    [1, 12],
  ];
  for (const [index, amount] of borrow) {
    if ((parts[index] as number) >= 0) continue;
    parts[index] = (parts[index] as number) + amount;
    parts[index - 1] = (parts[index - 1] as number) - 1;
  }
  return parts;
}

const moment = anyOf(number, tuple(number, string));

function parse(about: string, read: (text: string) => bigint): BuiltinEntry {
  return {
    about,
    args: { value: string },
    result: { ns: number },
    evaluate: (args) => checkRange(read(stringOperand(args, 1))),
  };
}

export const timeBuiltins: readonly Builtin[] = family('time', {
  'time.now_ns': {
    about: 'The time of the query; the same throughout it.',
    nondeterministic: true,
    capability: 'time',
    args: {},
    result: { now: number },
    evaluate: (_args, context) => fromBigInt(context.nowNs),
  },
  'time.parse_ns': {
    about: 'The time a text stands for by a layout of Go, or by the name of one.',
    args: { layout: string, value: string },
    result: { ns: number },
    evaluate(args) {
      const layout = stringOperand(args, 1);
      return checkRange(parseTime(NAMED_LAYOUTS.get(layout) ?? layout, stringOperand(args, 2)));
    },
  },
  'time.parse_rfc3339_ns': parse('The time an RFC 3339 text stands for.', (text) =>
    parseTime(NAMED_LAYOUTS.get('RFC3339') as string, text),
  ),
  'time.parse_duration_ns': {
    about: 'The nanoseconds of a duration such as `1h30m`.',
    args: { duration: string },
    result: { ns: number },
    evaluate: (args) => fromBigInt(parseDuration(stringOperand(args, 1))),
  },
  'time.format': {
    about: 'The text of a time, in UTC and RFC 3339 unless a zone and a layout are given.',
    args: { x: anyOf(number, tuple(number, string), tuple(number, string, string)) },
    result: { 'formatted timestamp': string },
    evaluate: format,
  },
  'time.date': {
    about: 'Year, month and day of a time.',
    args: { x: moment },
    result: { date: tuple(number, number, number) },
    evaluate(args) {
      const { year, month, day } = localTime(timeOperand(args, 1));
      return [year, month, day];
    },
  },
  'time.clock': {
    about: 'Hour, minute and second of a time.',
    args: { x: moment },
    result: { output: tuple(number, number, number) },
    evaluate(args) {
      const { hour, minute, second } = localTime(timeOperand(args, 1));
      return [hour, minute, second];
    },
  },
  'time.weekday': {
    about: 'The day of the week of a time.',
    args: { x: moment },
    result: { day: string },
    evaluate(args) {
      const time = timeOperand(args, 1);
      return WEEKDAYS[weekdayOf(time.seconds + time.zone.offsetAt(time.seconds))];
    },
  },
  'time.add_date': {
    about: 'The time some years, months and days later.',
    args: { ns: number, years: number, months: number, days: number },
    result: { output: number },
    evaluate: addDate,
  },
  'time.diff': {
    about: 'Years, months, days, hours, minutes and seconds between two times.',
    args: { ns1: moment, ns2: moment },
    result: { output: tuple(number, number, number, number, number, number) },
    evaluate: difference,
  },
});
