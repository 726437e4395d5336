/** Semantic Versioning 2.0.0 (semver.org): strict parsing and precedence; build metadata does not order. */

export interface SemanticVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** The dot-separated parts after `-`; numbers where they are numeric. */
  readonly prerelease: readonly (string | number)[];
}

const STRICT =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;
const PARTIAL = /^\d+(\.\d+)?$/;
/** The longest version read, in code units; node-semver has the same bound. */
const MAX_LENGTH = 256;

/** A strict version, or undefined. Numbers past 2^53 − 1 are no versions. */
export function parseVersion(text: string): SemanticVersion | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const match = STRICT.exec(text);
  if (match === null) return undefined;
  const [major = 0, minor = 0, patch = 0] = match.slice(1, 4).map(Number);
  if (![major, minor, patch].every(Number.isSafeInteger)) return undefined;
  const prerelease = (match[4] ?? '')
    .split('.')
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) && Number.isSafeInteger(Number(part)) ? Number(part) : part));
  return { major, minor, patch, prerelease };
}

/** As flagd reads versions: numbers too, a leading `v`, spaces around, and `1` or `1.2` for `1.0.0` and `1.2.0`. */
export function parseLenientVersion(value: unknown): SemanticVersion | undefined {
  const text = String(value).replace(/^[vV]/, '');
  const strict = parseVersion(text.trim().replace(/^v/, ''));
  if (strict !== undefined || !PARTIAL.test(text)) return strict;
  return parseVersion(text.includes('.') ? `${text}.0` : `${text}.0.0`);
}

/** Negative, zero or positive as `a` comes before, with or after `b` (precedence, section 11). */
export function compareVersions(a: SemanticVersion, b: SemanticVersion): number {
  const core = a.major - b.major || a.minor - b.minor || a.patch - b.patch;
  if (core !== 0) return core;
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return b.prerelease.length - a.prerelease.length;
  for (let index = 0; ; index += 1) {
    const left = a.prerelease[index];
    const right = b.prerelease[index];
    if (left === undefined || right === undefined) return a.prerelease.length - b.prerelease.length;
    if (left === right) continue;
    if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1;
    return left < right ? -1 : 1;
  }
}
