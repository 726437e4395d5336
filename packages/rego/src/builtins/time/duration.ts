/** Durations such as `1h30m`, with OPA's days, weeks and years, in nanoseconds. */
import { quote, work } from '../../values/index.js';
import { fail } from '../errors.js';

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n],
  ['μs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);
const HOURS: ReadonlyMap<string, number> = new Map([
  ['d', 24],
  ['w', 168],
  ['y', 8760],
]);
const LIMIT = 2n ** 63n;

/** A decimal times a unit, cut off below a nanosecond. */
function scale(whole: string, fraction: string, unit: bigint): bigint {
  const digits = fraction.slice(0, 18);
  return BigInt(whole || '0') * unit + (BigInt(digits || '0') * unit) / 10n ** BigInt(digits.length);
}

function segmentOf(text: string, original: string): readonly [nanoseconds: bigint, length: number] {
  const number = /^(\d*)(?:\.(\d*))?/.exec(text) as RegExpExecArray;
  const [digits, whole = '', fraction = ''] = number;
  if (whole === '' && fraction === '') return fail(`time: invalid duration ${quote(original)}`);
  const unit = /^[^.\d]*/.exec(text.slice(digits.length))?.[0] ?? '';
  if (unit === '') return fail(`time: missing unit in duration ${quote(original)}`);
  const length = digits.length + unit.length;
  const hours = HOURS.get(unit);
  if (hours !== undefined) {
    const [wholeHours = '0', rest = ''] = String(Number(digits) * hours).split('.');
    if (!/^\d+$/.test(wholeHours)) return fail(`time: invalid duration ${quote(original)}`);
    return [scale(wholeHours, rest, UNITS.get('h') as bigint), length];
  }
  const factor = UNITS.get(unit);
  if (factor !== undefined) return [scale(whole, fraction, factor), length];
  if (/[dwy]/.test(original)) return fail(`time: invalid duration ${quote(original)}`);
  return fail(`time: unknown unit ${quote(unit)} in duration ${quote(original)}`);
}

/** Errors: `BuiltinFailure` with Go's wording. */
export function parseDuration(text: string): bigint {
  const invalid = (): never => fail(`time: invalid duration ${quote(text)}`);
  const isNegative = text.startsWith('-');
  let rest = text.replace(/^[-+]/, '');
  if (rest === '0') return 0n;
  if (rest === '') return invalid();
  let total = 0n;
  while (rest !== '') {
    work(4);
    const [nanoseconds, length] = segmentOf(rest, text);
    total += nanoseconds;
    if (total > LIMIT) return invalid();
    rest = rest.slice(length);
  }
  if (total === LIMIT && !isNegative) return invalid();
  return isNegative ? -total : total;
}
