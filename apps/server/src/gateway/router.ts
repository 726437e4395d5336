/**
 * Finds the route of a request as APISIX's `radixtree_host_uri` does: routes of the exact host first, then of the longest wildcard, then
 * those without a host. Within these an exact path beats all; then the longest literal prefix before `*` or `:name`; among equals the
 * higher `priority`. A route also wants its methods, addresses and variables to fit. Built once a reload.
 */
import type { IsListed } from './addresses.js';
import type { Exchange } from './exchange.js';
import type { Condition } from './expression.js';

export interface RouteMatcher<T> {
  readonly paths: readonly string[];
  readonly hosts: readonly string[];
  readonly methods: readonly string[];
  readonly priority: number;
  readonly isAddress?: IsListed | undefined;
  readonly condition?: Condition | undefined;
  readonly target: T;
}

export interface RouteMatch<T> {
  readonly target: T;
  /** The path that matched, as the route has it. */
  readonly uri: string;
  /** Values of `:name` segments, decoded; `*` holds the rest. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What a route may look at beside method, host and path. */
export type RouteSubject = Pick<Exchange, 'method' | 'host' | 'path'> & Partial<Exchange>;

interface Candidate<T> {
  readonly uri: string;
  /** Undefined: whatever follows the literal prefix. */
  readonly pattern: RegExp | undefined;
  readonly names: readonly string[];
  readonly literal: string;
  readonly isExact: boolean;
  readonly matcher: RouteMatcher<T>;
}

const noParameters: Readonly<Record<string, string>> = Object.freeze({});

export class Router<T> {
  readonly #exactHosts = new Map<string, PathTree<T>>();
  readonly #wildcardHosts: { readonly suffix: string; readonly tree: PathTree<T> }[] = [];
  readonly #anyHost = new PathTree<T>();

  constructor(matchers: readonly RouteMatcher<T>[]) {
    const wildcards = new Map<string, PathTree<T>>();
    for (const matcher of matchers) {
      const hosts = matcher.hosts.length === 0 ? ['*'] : matcher.hosts;
      for (const host of hosts) this.#treeOf(host.toLowerCase(), wildcards).insert(matcher);
    }
    for (const [suffix, tree] of wildcards) this.#wildcardHosts.push({ suffix, tree });
    this.#wildcardHosts.sort((a, b) => b.suffix.length - a.suffix.length);
  }

  #treeOf(host: string, wildcards: Map<string, PathTree<T>>): PathTree<T> {
    if (host === '*') return this.#anyHost;
    const [map, key] = host.startsWith('*')
      ? ([wildcards, host.slice(1)] as const)
      : ([this.#exactHosts, host] as const);
    const known = map.get(key);
    if (known) return known;
    const tree = new PathTree<T>();
    map.set(key, tree);
    return tree;
  }

  /** `path` is decoded once and free of dot segments; `host` is in lower case and without its port. */
  find(subject: RouteSubject): RouteMatch<T> | undefined {
    const { host } = subject;
    const exact = this.#exactHosts.size > 0 ? this.#exactHosts.get(host)?.find(subject) : undefined;
    if (exact) return exact;
    for (const { suffix, tree } of this.#wildcardHosts) {
      if (host.length <= suffix.length || !host.endsWith(suffix)) continue;
      const found = tree.find(subject);
      if (found) return found;
    }
    return this.#anyHost.find(subject);
  }
}

/** A node of the compressed tree: `label` leads to it from its parent. */
interface TreeNode<T> {
  label: string;
  children: TreeNode<T>[];
  /** Candidates whose literal prefix ends here, in the order in which they are tried. */
  open: Candidate<T>[];
}

class PathTree<T> {
  readonly #exact = new Map<string, Candidate<T>[]>();
  readonly #root: TreeNode<T> = { label: '', children: [], open: [] };

  insert(matcher: RouteMatcher<T>): void {
    for (const path of matcher.paths) {
      const candidate = candidateOf(path, matcher);
      if (candidate.isExact) {
        const list = this.#exact.get(path) ?? [];
        this.#exact.set(path, insertInOrder(list, candidate));
      } else insertInOrder(nodeFor(this.#root, candidate.literal).open, candidate);
    }
  }

  find(subject: RouteSubject): RouteMatch<T> | undefined {
    const exact = this.#exact.get(subject.path);
    const found = exact ? firstFitting(exact, subject) : undefined;
    return found ?? descend(this.#root, 0, subject);
  }
}

/** Deepest first: the longest literal prefix wins. */
function descend<T>(node: TreeNode<T>, at: number, subject: RouteSubject): RouteMatch<T> | undefined {
  const { path } = subject;
  for (const child of node.children) {
    if (!path.startsWith(child.label, at)) continue;
    const found = descend(child, at + child.label.length, subject);
    if (found) return found;
    break;
  }
  return node.open.length > 0 ? firstFitting(node.open, subject) : undefined;
}

function firstFitting<T>(candidates: readonly Candidate<T>[], subject: RouteSubject): RouteMatch<T> | undefined {
  for (const candidate of candidates) {
    if (!fits(candidate.matcher, subject)) continue;
    const { matcher, uri, pattern, names, literal } = candidate;
    if (candidate.isExact) return { target: matcher.target, uri, parameters: noParameters };
    if (!pattern) return { target: matcher.target, uri, parameters: { '*': subject.path.slice(literal.length) } };
    const match = pattern.exec(subject.path);
    if (match)
      return {
        target: matcher.target,
        uri,
        parameters: Object.fromEntries(names.map((name, index) => [name, match[index + 1] ?? ''])),
      };
  }
  return undefined;
}

function fits<T>(matcher: RouteMatcher<T>, subject: RouteSubject): boolean {
  if (matcher.methods.length > 0 && !matcher.methods.includes(subject.method)) return false;
  if (matcher.isAddress && !matcher.isAddress(subject.remoteAddress ?? '')) return false;
  return !matcher.condition || matcher.condition(subject as Exchange);
}

/** Higher priority first; parameters before a bare prefix; else as written. */
function insertInOrder<T>(list: Candidate<T>[], candidate: Candidate<T>): Candidate<T>[] {
  const before = (a: Candidate<T>, b: Candidate<T>): boolean =>
    a.matcher.priority !== b.matcher.priority
      ? a.matcher.priority > b.matcher.priority
      : a.pattern !== undefined && b.pattern === undefined;
  let at = list.length;
  while (at > 0 && before(candidate, list[at - 1] as Candidate<T>)) at -= 1;
  list.splice(at, 0, candidate);
  return list;
}

function nodeFor<T>(root: TreeNode<T>, text: string): TreeNode<T> {
  let node = root;
  let rest = text;
  while (rest !== '') {
    const child = node.children.find((one) => one.label[0] === rest[0]);
    if (!child) {
      const leaf: TreeNode<T> = { label: rest, children: [], open: [] };
      node.children.push(leaf);
      return leaf;
    }
    const shared = sharedLength(child.label, rest);
    if (shared < child.label.length) split(child, shared);
    node = child;
    rest = rest.slice(shared);
  }
  return node;
}

function split<T>(node: TreeNode<T>, at: number): void {
  const lower: TreeNode<T> = { label: node.label.slice(at), children: node.children, open: node.open };
  node.label = node.label.slice(0, at);
  node.children = [lower];
  node.open = [];
}

function sharedLength(a: string, b: string): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at += 1;
  return at;
}

function candidateOf<T>(path: string, matcher: RouteMatcher<T>): Candidate<T> {
  const names: string[] = [];
  // A star counts at the end only, a parameter after a slash only.
  const special = path.search(/\/:[A-Za-z_]|\*$/);
  if (special < 0) return { uri: path, pattern: undefined, names, literal: path, isExact: true, matcher };
  const literal = path.slice(0, path[special] === '*' ? special : special + 1);
  const source = path
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\/:([A-Za-z_]\w*)/g, (_whole, name: string) => {
      names.push(name);
      return '/([^/]+)';
    })
    .replace(/\*$/, () => {
      names.push('*');
      return '(.*)';
    });
  const isPrefix = names.length === 1 && names[0] === '*';
  return {
    uri: path,
    pattern: isPrefix ? undefined : new RegExp(`^${source}$`, 's'),
    names,
    literal,
    isExact: false,
    matcher,
  };
}
