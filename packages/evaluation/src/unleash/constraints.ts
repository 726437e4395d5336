/** Unleash's constraints, compiled: values are cleaned, numbers, versions and ranges read once. */
import { compareVersions, parseVersion } from '../versions/semver.js';
import { isWithin, parseIpRange } from './ip-range.js';
import type { UnleashConstraint, UnleashContext, UnleashWorld } from './unleash-definition.js';

export type Predicate = (context: UnleashContext, world: UnleashWorld) => boolean;

/** A field of the context or of its properties, as text. */
export function fieldOf(context: UnleashContext, field: string): string | undefined {
  const own = Object.hasOwn(context, field) ? context[field] : undefined;
  const properties = context.properties;
  const value = own ?? (properties && Object.hasOwn(properties, field) ? properties[field] : undefined);
  return value === undefined || value === null ? undefined : String(value);
}

const cleaned = ({ values }: UnleashConstraint): readonly string[] =>
  (values ?? []).filter((value) => value !== '' && value !== null).map((value) => String(value).trim());

type Build = (constraint: UnleashConstraint) => Predicate;

const never: Predicate = () => false;

const membership =
  (expected: boolean): Build =>
  (constraint) => {
    const values = new Set(cleaned(constraint));
    const { contextName } = constraint;
    return (context) => {
      const value = fieldOf(context, contextName);
      return (value !== undefined && values.has(value)) === expected;
    };
  };

const textual =
  (test: (text: string, part: string) => boolean): Build =>
  (constraint) => {
    const { contextName, caseInsensitive = false } = constraint;
    const fold = (text: string): string => (caseInsensitive ? text.toLowerCase() : text);
    const values = cleaned(constraint).map(fold);
    return (context) => {
      const value = fieldOf(context, contextName);
      return value !== undefined && values.some((part) => test(fold(value), part));
    };
  };

const numeric =
  (test: (left: number, right: number) => boolean): Build =>
  ({ contextName, value }) => {
    const right = Number(value);
    if (Number.isNaN(right)) return never;
    return (context) => {
      const left = Number(fieldOf(context, contextName));
      return !Number.isNaN(left) && test(left, right);
    };
  };

const versioned =
  (test: (order: number) => boolean): Build =>
  ({ contextName, value }) => {
    const right = parseVersion(String(value).trim().replace(/^v/, ''));
    if (right === undefined) return never;
    return (context) => {
      const left = parseVersion(fieldOf(context, contextName)?.trim() ?? '');
      return left !== undefined && test(compareVersions(left, right));
    };
  };

const dated =
  (test: (now: number, then: number) => boolean): Build =>
  ({ value }) => {
    const then = new Date(String(value)).getTime();
    return (context, { nowMs }) => {
      const { currentTime } = context;
      const now = currentTime ? new Date(currentTime as string | number | Date).getTime() : nowMs;
      return now !== undefined && test(now, then);
    };
  };

const ranged: Build = (constraint) => {
  const ranges = cleaned(constraint).flatMap((text) => parseIpRange(text) ?? []);
  return (context) => {
    const address = parseIpRange(fieldOf(context, constraint.contextName) ?? '');
    return address !== undefined && ranges.some((range) => isWithin(address, range));
  };
};

/** What Unleash's RE2 has not: a pattern with it matches nothing there, and nothing here. */
const NOT_RE2 = /\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</;
/** Whether a quantified group holds a quantifier: JavaScript may need exponential time for it. */
const NESTED_QUANTIFIER = /\([^()]*[*+}][^()]*\)\s*[*+{]/;
/** The longest text a pattern is tried on, in code units. */
const MAX_SUBJECT = 1_024;

/**
 * Reads a pattern; undefined when it is none. Patterns that could take a backtracking matcher exponential time are
 * refused: Unleash uses RE2, and JavaScript has no linear matcher.
 */
export function readPattern(text: string, caseInsensitive: boolean): RegExp | undefined {
  if (NOT_RE2.test(text) || NESTED_QUANTIFIER.test(text)) return undefined;
  const inline = /^\(\?([ims]+)\)/.exec(text);
  const flags = new Set(`u${caseInsensitive ? 'i' : ''}${inline?.[1] ?? ''}`);
  try {
    return new RegExp(text.slice(inline?.[0].length ?? 0).replaceAll('(?P<', '(?<'), [...flags].join(''));
  } catch {
    return undefined;
  }
}

const matching: Build = ({ contextName, value = '', caseInsensitive = false }) => {
  const pattern = readPattern(value, caseInsensitive);
  if (pattern === undefined) return never;
  return (context) => {
    const text = fieldOf(context, contextName);
    return text !== undefined && text.length <= MAX_SUBJECT && pattern.test(text);
  };
};

const OPERATORS: Readonly<Record<string, Build>> = {
  IN: membership(true),
  NOT_IN: membership(false),
  STR_STARTS_WITH: textual((text, part) => text.startsWith(part)),
  STR_ENDS_WITH: textual((text, part) => text.endsWith(part)),
  STR_CONTAINS: textual((text, part) => text.includes(part)),
  NUM_EQ: numeric((left, right) => left === right),
  NUM_GT: numeric((left, right) => left > right),
  NUM_GTE: numeric((left, right) => left >= right),
  NUM_LT: numeric((left, right) => left < right),
  NUM_LTE: numeric((left, right) => left <= right),
  DATE_AFTER: dated((now, then) => now > then),
  DATE_BEFORE: dated((now, then) => now < then),
  SEMVER_EQ: versioned((order) => order === 0),
  SEMVER_GT: versioned((order) => order > 0),
  SEMVER_GTE: versioned((order) => order >= 0),
  SEMVER_LT: versioned((order) => order < 0),
  SEMVER_LTE: versioned((order) => order <= 0),
  IN_CIDR: ranged,
  REGEX: matching,
};

/** Every operator that is known. */
export const UNLEASH_OPERATORS: readonly string[] = Object.keys(OPERATORS);

/** Compiles a constraint. An unknown operator never holds, inverted or not, as in Unleash's own clients. */
export function compileConstraint(constraint: UnleashConstraint): Predicate {
  const build = Object.hasOwn(OPERATORS, constraint.operator) ? OPERATORS[constraint.operator] : undefined;
  if (build === undefined) return never;
  const holds = build(constraint);
  return constraint.inverted === true ? (context, world) => !holds(context, world) : holds;
}
