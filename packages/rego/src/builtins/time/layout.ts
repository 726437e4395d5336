/** Go's reference layouts, cut into elements and literal text between them. */

/** An element of a layout; `text` is how the layout writes it. */
export interface LayoutElement {
  readonly kind: ElementKind;
  readonly text: string;
}

export type ElementKind =
  | 'long-month'
  | 'month'
  | 'number-month'
  | 'zero-month'
  | 'long-weekday'
  | 'weekday'
  | 'day'
  | 'under-day'
  | 'zero-day'
  | 'under-year-day'
  | 'zero-year-day'
  | 'hour'
  | 'hour12'
  | 'zero-hour12'
  | 'minute'
  | 'zero-minute'
  | 'second'
  | 'zero-second'
  | 'long-year'
  | 'year'
  | 'PM'
  | 'pm'
  | 'zone-name'
  | 'zone'
  | 'fraction0'
  | 'fraction9';

/** One step of a layout: literal text, then an element, which the last step lacks. */
export interface LayoutStep {
  readonly prefix: string;
  readonly element: LayoutElement | undefined;
}

const FIXED: readonly (readonly [text: string, kind: ElementKind])[] = [
  ['January', 'long-month'],
  ['Monday', 'long-weekday'],
  ['MST', 'zone-name'],
  ['002', 'zero-year-day'],
  ['01', 'zero-month'],
  ['02', 'zero-day'],
  ['03', 'zero-hour12'],
  ['04', 'zero-minute'],
  ['05', 'zero-second'],
  ['06', 'year'],
  ['15', 'hour'],
  ['1', 'number-month'],
  ['2006', 'long-year'],
  ['2', 'day'],
  ['__2', 'under-year-day'],
  ['_2', 'under-day'],
  ['3', 'hour12'],
  ['4', 'minute'],
  ['5', 'second'],
  ['PM', 'PM'],
  ['pm', 'pm'],
];
const ZONE = /^(?:[-Z]070000|[-Z]07:00:00|[-Z]0700|[-Z]07:00|[-Z]07)/;
const FRACTION = /^[.,](0+|9+)(?!\d)/;

function elementAt(rest: string): LayoutElement | undefined {
  for (const [text, kind] of FIXED) if (rest.startsWith(text)) return { kind, text };
  if (/^Jan(?![a-z])/.test(rest)) return { kind: 'month', text: 'Jan' };
  if (/^Mon(?![a-z])/.test(rest)) return { kind: 'weekday', text: 'Mon' };
  const zone = ZONE.exec(rest)?.[0];
  if (zone !== undefined) return { kind: 'zone', text: zone };
  const fraction = FRACTION.exec(rest)?.[0];
  if (fraction === undefined) return undefined;
  return { kind: fraction[1] === '0' ? 'fraction0' : 'fraction9', text: fraction };
}

function cut(layout: string): readonly LayoutStep[] {
  const steps: LayoutStep[] = [];
  let start = 0;
  for (let at = 0; at < layout.length; ) {
    const isUnderYear = layout.startsWith('_2006', at);
    const from = isUnderYear ? at + 1 : at;
    const element = elementAt(layout.slice(from));
    if (element === undefined) {
      at++;
      continue;
    }
    steps.push({ prefix: layout.slice(start, from), element });
    at = from + element.text.length;
    start = at;
  }
  steps.push({ prefix: layout.slice(start), element: undefined });
  return steps;
}

const cache = new Map<string, readonly LayoutStep[]>();
const CACHE_SIZE = 100;

/** The steps of a layout. Shape: the last step, and only it, has no element. */
export function layoutSteps(layout: string): readonly LayoutStep[] {
  const known = cache.get(layout);
  if (known !== undefined) return known;
  const steps = cut(layout);
  if (cache.size >= CACHE_SIZE) cache.clear();
  cache.set(layout, steps);
  return steps;
}

/** The names OPA accepts for layouts. */
export const NAMED_LAYOUTS: ReadonlyMap<string, string> = new Map([
  ['ANSIC', 'Mon Jan _2 15:04:05 2006'],
  ['UnixDate', 'Mon Jan _2 15:04:05 MST 2006'],
  ['RubyDate', 'Mon Jan 02 15:04:05 -0700 2006'],
  ['RFC822', '02 Jan 06 15:04 MST'],
  ['RFC822Z', '02 Jan 06 15:04 -0700'],
  ['RFC850', 'Monday, 02-Jan-06 15:04:05 MST'],
  ['RFC1123', 'Mon, 02 Jan 2006 15:04:05 MST'],
  ['RFC1123Z', 'Mon, 02 Jan 2006 15:04:05 -0700'],
  ['RFC3339', '2006-01-02T15:04:05Z07:00'],
  ['RFC3339Nano', '2006-01-02T15:04:05.999999999Z07:00'],
]);
