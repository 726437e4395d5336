/** Semantic versions, with the leading `v` OPA tolerates. */
import { quote, type Value } from '../values/index.js';
import { type Builtin, family } from './builtin.js';
import { fail } from './errors.js';
import { stringOperand } from './operands.js';
import { any, boolean, number, string } from './type-decl.js';

interface Version {
  readonly numbers: readonly bigint[];
  readonly preRelease: readonly string[];
}

const IDENTIFIERS = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
const VERSION = new RegExp(
  `^v?(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-(${IDENTIFIERS}))?(?:\\+${IDENTIFIERS})?$`,
);
const MAX_INT64 = 2n ** 63n - 1n;

function parse(text: string): Version | undefined {
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const numbers = match.slice(1, 4).map(BigInt);
  const preRelease = match[4]?.split('.') ?? [];
  if (numbers.some((value) => value > MAX_INT64)) return undefined;
  return preRelease.some((part) => /^0\d+$/.test(part)) ? undefined : { numbers, preRelease };
}

function compareIdentifiers(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  if (isNumberA) return BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0;
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareVersions(a: Version, b: Version): number {
  for (const [i, value] of a.numbers.entries()) {
    const other = b.numbers[i] as bigint;
    if (value !== other) return value < other ? -1 : 1;
  }
  if (a.preRelease.length === 0 || b.preRelease.length === 0) {
    return Math.sign(b.preRelease.length) - Math.sign(a.preRelease.length);
  }
  for (let i = 0; ; i++) {
    const [x, y] = [a.preRelease[i], b.preRelease[i]];
    if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? -1 : 1;
    const order = compareIdentifiers(x, y);
    if (order !== 0) return order;
  }
}

function versionOperand(args: readonly Value[], position: number): Version {
  const text = stringOperand(args, position);
  return parse(text) ?? fail(`operand ${position}: string ${quote(text)} is not a valid SemVer`);
}

export const semverBuiltins: readonly Builtin[] = family('semver', {
  'semver.compare': {
    about: '-1, 0 or 1 as the first version precedes, equals or follows the second.',
    args: { a: string, b: string },
    result: { result: number },
    evaluate(args) {
      stringOperand(args, 2);
      return compareVersions(versionOperand(args, 1), versionOperand(args, 2));
    },
  },
  'semver.is_valid': {
    about: 'Whether a value is a semantic version.',
    args: { vsn: any },
    result: { result: boolean },
    evaluate: ([text]) => typeof text === 'string' && parse(text) !== undefined,
  },
});
