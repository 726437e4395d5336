/**
 * Finds the route of a request: exact paths first, then parameters and prefixes, the longest first; `priority` above all, then host and
 * method must fit. Built once a reload; a look-up allocates nothing but the parameters.
 */
export interface RouteMatcher<T> {
  readonly paths: readonly string[];
  readonly hosts: readonly string[];
  readonly methods: readonly string[];
  readonly priority: number;
  readonly target: T;
}

export interface RouteMatch<T> {
  readonly target: T;
  /** Values of `:name` segments, decoded; `*` holds the rest. */
  readonly parameters: Readonly<Record<string, string>>;
}

interface Candidate<T> {
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly specificity: number;
  readonly matcher: RouteMatcher<T>;
}

const noParameters: Readonly<Record<string, string>> = Object.freeze({});

export class Router<T> {
  readonly #exact = new Map<string, RouteMatcher<T>[]>();
  readonly #candidates: readonly Candidate<T>[];

  constructor(matchers: readonly RouteMatcher<T>[]) {
    const candidates: Candidate<T>[] = [];
    for (const matcher of matchers) {
      for (const path of matcher.paths) {
        if (!/[:*]/.test(path)) this.#exact.set(path, [...(this.#exact.get(path) ?? []), matcher]);
        candidates.push(candidateOf(path, matcher));
      }
    }
    for (const list of this.#exact.values()) list.sort((a, b) => b.priority - a.priority);
    this.#candidates = candidates.sort(
      (a, b) => b.matcher.priority - a.matcher.priority || b.specificity - a.specificity,
    );
  }

  /** `path` is decoded once and free of dot segments. */
  find(method: string, host: string, path: string): RouteMatch<T> | undefined {
    const exact = this.#exact.get(path)?.find((matcher) => fits(matcher, method, host));
    const highest = this.#candidates[0]?.matcher.priority ?? 0;
    if (exact && exact.priority >= highest) return { target: exact.target, parameters: noParameters };
    for (const candidate of this.#candidates) {
      if (!fits(candidate.matcher, method, host)) continue;
      const match = candidate.pattern.exec(path);
      if (match)
        return {
          target: candidate.matcher.target,
          parameters: Object.fromEntries(candidate.names.map((name, index) => [name, match[index + 1] ?? ''])),
        };
    }
    return undefined;
  }
}

function fits<T>(matcher: RouteMatcher<T>, method: string, host: string): boolean {
  if (matcher.methods.length > 0 && !matcher.methods.includes(method)) return false;
  return (
    matcher.hosts.length === 0 ||
    matcher.hosts.some((pattern) => (pattern.startsWith('*') ? host.endsWith(pattern.slice(1)) : pattern === host))
  );
}

function candidateOf<T>(path: string, matcher: RouteMatcher<T>): Candidate<T> {
  const names: string[] = [];
  const source = path
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:([A-Za-z_]\w*)/g, (_whole, name: string) => {
      names.push(name);
      return '([^/]+)';
    })
    .replace(/\*$/, () => {
      names.push('*');
      return '(.*)';
    });
  const literal = path.search(/[:*]/);
  // An exact path beats parameters, and those beat a prefix of the same length.
  const specificity = literal < 0 ? Number.MAX_SAFE_INTEGER : literal * 2 + (path[literal] === ':' ? 1 : 0);
  return { pattern: new RegExp(`^${source}$`), names, specificity, matcher };
}
