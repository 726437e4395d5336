/**
 * `deps`: the documents a query depends on, base (from outside) and virtual (from rules). Follows
 * OPA's `v1/dependencies`: references split over variables are joined again, then followed through
 * the rules they reach. References are cut where they stop being constant.
 */

import { builtins } from '../builtins/index.js';
import { allRules, isEquality, type WorkRule } from '../compile/model.js';
import { type CompiledModules, compileModules } from '../compile/stages.js';
import { varsOf, walkBody, walkTerm } from '../compile/walk.js';
import {
  type Body,
  type Expression,
  isComprehension,
  isWildcard,
  type Module,
  NOWHERE,
  operatorName,
  type Term,
} from '../syntax/ast.js';
import { parseQuery } from '../syntax/parser.js';
import { compare, formatTerm, keyOf, type Value } from '../values/index.js';
import { type OrderedJson, orderedJson, RegoJson } from './ordered-json.js';
import { drawTable } from './table.js';

/** A path from `data` or `input`, its root first. */
export type DependencyPath = readonly Value[];

export interface Dependencies {
  readonly base: readonly DependencyPath[];
  readonly virtual: readonly DependencyPath[];
}

type Ref = readonly Term[];
type Joined = ReadonlyMap<string, Map<string, Ref>>;

const ROOTS: ReadonlySet<string> = new Set(['data', 'input']);

function termKey(term: Term): string {
  if (term.kind === 'scalar') return `s${String(keyOf(term.value))}:${typeof term.value}`;
  if (term.kind === 'var') return `v${term.name}`;
  if (term.kind === 'ref') return `r[${refKey(term.terms)}]`;
  return `${term.kind}@${term.location.file}:${term.location.offset}`;
}
const refKey = (ref: Ref): string => ref.map(termKey).join('\u0000');

const headName = (ref: Ref): string | undefined => (ref[0]?.kind === 'var' ? ref[0].name : undefined);
const isRooted = (ref: Ref): boolean => ROOTS.has(headName(ref) ?? '');

function hasPrefix(ref: Ref, prefix: Ref): boolean {
  return prefix.length <= ref.length && prefix.every((term, index) => termKey(term) === termKey(ref[index] as Term));
}

function refsIn(expression: Expression, visit: (ref: Ref) => void): void {
  walkBody([expression], {
    term: (term) => {
      if (term.kind === 'ref') visit(term.terms);
      return undefined;
    },
  });
}

const asRef = (term: Term | undefined): Ref | undefined => (term?.kind === 'ref' ? term.terms : undefined);
const asVar = (term: Term | undefined): string | undefined => (term?.kind === 'var' ? term.name : undefined);

/** Equalities of a variable and a reference, by variable; what is no such equality is in `others`. */
function extractEqualities(body: Body): { vars: Map<string, Ref[]>; others: Expression[] } {
  const vars = new Map<string, Ref[]>();
  for (const name of varsOf(body)) vars.set(name, []);
  const others: Expression[] = [];
  for (const expression of body) {
    const args = expression.kind === 'call' && isEquality(expression) && !expression.negated ? expression.args : [];
    const [left, right] = args;
    const [name, ref] = asVar(left) === undefined ? [asVar(right), asRef(left)] : [asVar(left), asRef(right)];
    if (name !== undefined && ref !== undefined) vars.get(name)?.push(ref);
    else others.push(expression);
  }
  return { vars, others };
}

/** By variable: every rooted reference it may stand for. */
function joinReferences(vars: ReadonlyMap<string, readonly Ref[]>): Joined {
  const joined = new Map([...vars.keys()].map((name) => [name, new Map<string, Ref>()]));
  for (let changed = true; changed; ) {
    changed = false;
    for (const [name, refs] of vars) {
      const into = joined.get(name) as Map<string, Ref>;
      for (const ref of refs.flatMap((each) => expand(each, joined))) {
        // A reference longer than this only comes from variables defined by each other.
        if (ref.length > 100 || into.has(refKey(ref))) continue;
        into.set(refKey(ref), ref);
        changed = true;
      }
    }
  }
  return joined;
}

function expand(ref: Ref, joined: Joined): readonly Ref[] {
  if (isRooted(ref)) return [ref];
  const known = joined.get(headName(ref) ?? '');
  return known === undefined ? [] : [...known.values()].map((start) => [...start, ...ref.slice(1)]);
}

/** The references inside a reference's own steps. */
function innerRefs(ref: Ref, visit: (inner: Ref) => void): void {
  for (const term of ref) {
    walkTerm(term, {
      term: (child) => {
        if (child.kind === 'ref') visit(child.terms);
        return undefined;
      },
    });
  }
}

function usedVars(body: Body, others: readonly Expression[]): Set<string> {
  const used = varsOf(others, { skipRefHead: true });
  for (const expression of body) {
    refsIn(expression, (ref) => {
      for (const term of ref.slice(1)) if (term.kind === 'var') used.add(term.name);
    });
  }
  return used;
}

interface RuleLike {
  readonly body: Body;
  readonly headVars: ReadonlySet<string>;
}

/** Every reference a body with its head depends on. */
function referencesOf({ body, headVars }: RuleLike): readonly Ref[] {
  const { vars, others } = extractEqualities(body);
  const joined = joinReferences(vars);
  const resolved: Ref[] = [];
  const resolve = (ref: Ref): void => void resolved.push(...expand(ref, joined));
  const headRefs: Ref[] = [];
  const leftover = others.filter((expression) => {
    const ref = expression.kind === 'term' ? asRef(expression.term) : undefined;
    const last = ref?.at(-1);
    if (ref === undefined || last?.kind !== 'var' || !headVars.has(last.name)) return true;
    headRefs.push(...expand(ref, joined));
    return false;
  });
  for (const expression of leftover) refsIn(expression, resolve);
  for (const ref of headRefs) {
    if (!resolved.some((each) => hasPrefix(each, ref))) resolved.push(ref);
    innerRefs(ref, resolve);
  }
  const used = usedVars(body, leftover);
  const aliases: Ref[] = [];
  for (const [name, refs] of joined) {
    const isAlias = refs.size === 1 && !headVars.has(name) && !used.has(name);
    for (const ref of refs.values()) {
      if (isAlias) aliases.push(ref);
      else resolve(ref);
      innerRefs(ref, resolve);
    }
  }
  const before = [...resolved];
  for (const ref of aliases) {
    if (!before.some((each) => hasPrefix(each, ref) || hasPrefix(ref, each))) resolved.push(ref);
  }
  return resolved.filter(isRooted);
}

/** The path up to the first step that is no constant. */
function constantPath(ref: Ref): DependencyPath {
  const path: Value[] = [headName(ref) ?? ''];
  for (const term of ref.slice(1)) {
    if (term.kind !== 'scalar') break;
    path.push(term.value);
  }
  return path;
}

const startsWith = (path: DependencyPath, prefix: DependencyPath): boolean =>
  prefix.length <= path.length && prefix.every((step, index) => compare(step, path[index] as Value) === 0);

class DependencyFinder {
  private readonly rules: readonly (readonly [WorkRule, DependencyPath])[];
  private readonly base = new Map<string, DependencyPath>();
  private readonly virtual = new Map<string, DependencyPath>();
  private readonly visited = new Set<WorkRule>();

  constructor(compiled: CompiledModules) {
    const branches = new Set([...allRules(compiled.context)].flatMap((rule) => rule.otherwise));
    this.rules = [...allRules(compiled.context)]
      .filter((rule) => !branches.has(rule))
      .map((rule) => [rule, constantPath(rule.ref)]);
  }

  follow(like: RuleLike): void {
    for (const ref of minimal(referencesOf(like))) {
      const path = constantPath(ref);
      const reached = this.rules.filter(([, of]) => startsWith(of, path) || startsWith(path, of));
      if (reached.length === 0) this.base.set(keyText(path), path);
      for (const [rule, of] of reached) {
        if (this.visited.has(rule)) continue;
        this.visited.add(rule);
        this.virtual.set(keyText(of), of);
        for (const branch of [rule, ...rule.otherwise]) this.follow(ruleLike(branch));
      }
    }
  }

  result(): Dependencies {
    const sorted = (paths: Iterable<DependencyPath>): readonly DependencyPath[] => [...paths].sort(compare);
    return { base: sorted(this.base.values()), virtual: sorted(this.virtual.values()) };
  }
}

const keyText = (path: DependencyPath): string => String(keyOf(path));

function ruleLike(rule: WorkRule): RuleLike {
  const head = [...(rule.args ?? []), rule.key, rule.value, ...rule.ref.slice(1)].filter((term) => term !== undefined);
  const headVars = new Set(head.flatMap((term) => [...varsOf(term, { skipRefHead: true })]));
  // References in the head itself are read as well.
  const extra = head.flatMap((term): Expression[] =>
    term.kind === 'ref' || term.kind === 'call' || isComprehension(term)
      ? [{ kind: 'term', term, negated: false, with: [], location: NOWHERE }]
      : [],
  );
  return { body: [...rule.body, ...extra], headVars };
}

/** Without references another one is a prefix of; compared as sorted neighbours, as OPA does. */
function minimal(refs: readonly Ref[]): readonly Ref[] {
  const unique = new Map(refs.map((ref) => [refKey(ref), ref]));
  const sorted = [...unique.values()].sort(compareRefs);
  const kept: Ref[] = [];
  for (const ref of sorted) {
    const last = kept.at(-1);
    if (last === undefined || !hasPrefix(ref, last)) kept.push(ref);
  }
  return kept;
}

function compareRefs(a: Ref, b: Ref): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [left, right] = [termKey(a[i] as Term), termKey(b[i] as Term)];
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

/** Errors: `RegoErrors`. */
export function findDependencies(query: string, modules: readonly Module[]): Dependencies {
  const compiled = compileModules({
    modules,
    strict: false,
    prints: false,
    optimize: false,
    builtins,
    isAllowed: () => true,
  });
  const body = parseQuery(query, { version: 'v1' });
  const plain = body.map((expression) => unassigned(expression));
  const names = [...varsOf(plain)].filter((name) => !isWildcard(name) && !ROOTS.has(name));
  const finder = new DependencyFinder(compiled);
  finder.follow({ body: plain, headVars: new Set(names) });
  return finder.result();
}

/** In a query as written `:=` binds as `=` does. */
function unassigned(expression: Expression): Expression {
  if (expression.kind !== 'call' || operatorName(expression.operator) !== 'assign') return expression;
  const { location } = expression;
  return {
    ...expression,
    operator: { kind: 'ref', terms: [{ kind: 'var', name: 'eq', location }], location },
    infix: '=',
  };
}

const pathJson = (path: DependencyPath): OrderedJson =>
  path.map((step, index) => ({
    type: index === 0 ? 'var' : typeof step === 'object' ? 'number' : typeof step,
    value: new RegoJson(step),
  }));

export function dependenciesJson({ base, virtual }: Dependencies): string {
  return orderedJson({
    base: base.length === 0 ? undefined : base.map(pathJson),
    virtual: virtual.length === 0 ? undefined : virtual.map(pathJson),
  });
}

function pathText(path: DependencyPath): string {
  const [root, ...steps] = path;
  const isName = (step: Value): step is string => typeof step === 'string' && /^[A-Za-z_]\w*$/.test(step);
  return String(root) + steps.map((step) => (isName(step) ? `.${step}` : `[${formatTerm(step)}]`)).join('');
}

/** A table of one or two columns; empty when nothing is depended on. */
export function prettyDependencies({ base, virtual }: Dependencies): string {
  const columns = [
    { title: 'BASE DOCUMENTS', texts: base.map(pathText) },
    { title: 'VIRTUAL DOCUMENTS', texts: virtual.map(pathText) },
  ].filter(({ texts }) => texts.length > 0);
  if (columns.length === 0) return '';
  const length = Math.max(...columns.map(({ texts }) => texts.length));
  const rows = Array.from({ length }, (_, row) => columns.map(({ texts }) => texts[row] ?? ''));
  return drawTable(rows, { header: columns.map(({ title }) => title) });
}
