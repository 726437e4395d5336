/**
 * Modules: packages, imports and rules, from the tokens up, and the public entry points
 * `parseModule` and `parseQuery`. Which forms a version allows (`if`, `contains`, v0's `p[x] { … }`)
 * is decided here, with OPA's messages.
 *
 * Over 500 lines: one layer of the grammar, whose readings call each other.
 */

import { type RegoError, RegoErrors } from '../errors.js';
import { atOnce, type Steps } from '../steps.js';
import type { Body, Head, HeadKeyword, Import, Location, Module, Package, RegoVersion, Rule, Term } from './ast.js';
import { BASE_KEYWORDS, type Token } from './lexer.js';
import { BodyParser } from './parse-bodies.js';
import { termKindName } from './parse-terms.js';
import { type Dialect, FUTURE_KEYWORDS_V0, FUTURE_KEYWORDS_V1 } from './parser-state.js';
import {
  checkRuleV1,
  errorAt,
  HeadError,
  missingKeywordHint,
  ruleFromBody,
  type Statement,
  trueBody,
  trueTerm,
} from './rule-forms.js';

const RULE_FOLLOWERS: readonly Token[] = ['assign', 'eq', 'if', 'contains', '('];
const OPERATOR_FOLLOWERS: readonly Token[] = ['assign', 'eq', 'if', 'contains'];
const PATH_FOLLOWERS: readonly Token[] = ['assign', 'eq', '('];
/** After these keywords, these tokens mean that a rule was meant to be named after the keyword. */
const KEYWORD_RULE_FOLLOWERS: Readonly<Partial<Record<Token, readonly Token[]>>> = {
  every: RULE_FOLLOWERS,
  if: RULE_FOLLOWERS,
  in: RULE_FOLLOWERS,
  some: RULE_FOLLOWERS,
  as: RULE_FOLLOWERS,
  package: PATH_FOLLOWERS,
  import: PATH_FOLLOWERS,
  not: OPERATOR_FOLLOWERS,
  and: OPERATOR_FOLLOWERS,
  or: OPERATOR_FOLLOWERS,
  contains: ['if', 'contains'],
};

function isGround(term: Term): boolean {
  switch (term.kind) {
    case 'scalar':
      return true;
    case 'array':
    case 'set':
      return term.items.every(isGround);
    case 'object':
      return term.entries.every(([key, value]) => isGround(key) && isGround(value));
    case 'ref':
      return term.terms.slice(1).every(isGround);
    default:
      return false;
  }
}

/** A copy of which every node stands at one place: a head shared by further bodies stands where they begin. */
function relocated<T>(node: T, location: Location): T {
  if (Array.isArray(node)) return node.map((each: unknown) => relocated(each, location)) as T;
  if (typeof node !== 'object' || node === null || !('location' in node)) return node;
  const copy = Object.entries(node).map(([key, value]) => [key, relocated<unknown>(value, location)] as const);
  return { ...Object.fromEntries(copy), location } as T;
}

/** Of each `rego` import, the features of which one must be there. */
const REGO_IMPORT_FEATURES = {
  'rego.v1': ['rego_v1_import', 'rego_v1', 'rego_v2'],
  'rego.v2': ['rego_v2_import', 'rego_v2'],
} as const;

class ModuleParser extends BodyParser {
  /** Pauses after each statement. */
  *parse(skipRules: boolean): Steps<Statement[]> {
    const statements: Statement[] = [];
    this.scan();
    while (this.token !== 'eof') {
      if (!skipRules && this.reportKeywordRuleName(false)) break;
      const parsed = this.parseStatement(skipRules);
      if (parsed === undefined) break;
      statements.push(...parsed);
      yield;
    }
    return statements;
  }

  private parseStatement(skipRules: boolean): readonly Statement[] | undefined {
    // No reading goes back behind a statement.
    this.termCache.clear();
    for (const keyword of ['package', 'import'] as const) {
      if (this.token !== keyword) continue;
      const state = this.save();
      const statement = keyword === 'package' ? this.parsePackage() : this.parseImport();
      if (statement !== undefined) {
        if ((this.token as Token) === 'minus') {
          this.illegal();
          return undefined;
        }
        return [statement];
      }
      if (this.hasErrors) return undefined;
      this.restore(state);
    }
    if (!skipRules) {
      const state = this.save();
      const rules = this.parseRules();
      if (rules !== undefined) return rules;
      if (this.hasErrors) return undefined;
      this.restore(state);
    }
    const location = this.location;
    const body = this.parseQuery(true, 'eof');
    return body && [{ kind: 'body', body, location }];
  }

  private reportKeywordRuleName(isDefault: boolean): boolean {
    const followers = KEYWORD_RULE_FOLLOWERS[this.token];
    if (followers === undefined) return false;
    if (!isDefault && !followers.includes(this.peek(false))) return false;
    this.error(this.location, `${this.token} keyword cannot be used for rule name`);
    return true;
  }

  private acceptPathStart(): boolean {
    if (this.token === 'identifier') return true;
    if (!this.isReferenceKeyword(this.token)) return false;
    this.token = 'identifier';
    return true;
  }

  /** After the keyword; undefined without an error when a reference was meant (`package.x`). */
  private startPath(): boolean {
    this.scanWhitespace();
    if (this.token === '.' || this.token === '[') return false;
    if (this.token === 'whitespace') this.scan();
    if (this.acceptPathStart()) return true;
    this.illegal();
    return false;
  }

  private parsePackage(): Package | undefined {
    const start = this.location;
    if (!this.startPath()) return undefined;
    const term = this.parseTerm();
    if (term === undefined) return undefined;
    const terms = term.kind === 'ref' ? term.terms : [term];
    const path: string[] = [];
    for (const [index, part] of terms.entries()) {
      if (index === 0 && part.kind === 'var') path.push(part.name);
      else if (index > 0 && part.kind === 'scalar' && typeof part.value === 'string') path.push(part.value);
      else if (index === 0 && term.kind !== 'ref') {
        this.illegal();
        return undefined;
      } else {
        this.error(
          part.location,
          `unexpected ${termKindName(part)} token: expecting ${index === 0 ? 'var' : 'string'}`,
        );
        return undefined;
      }
    }
    return { kind: 'package', path, location: this.spanFrom(start) };
  }

  private parseImport(): Import | undefined {
    const start = this.location;
    if (!this.startPath()) return undefined;
    // Keywords already known must not hide the same word in `import future.keywords.in`.
    const known = [...this.lexer.keywords];
    for (const keyword of [...FUTURE_KEYWORDS_V0, 'and', 'or']) this.lexer.keywords.delete(keyword);
    this.termCache.clear();
    this.isInImport = true;
    const term = this.parseTerm();
    this.isInImport = false;
    for (const [keyword, token] of known) this.lexer.keywords.set(keyword, token);
    this.reclassify();
    if (term === undefined || (term.kind !== 'ref' && term.kind !== 'var')) {
      this.error(this.location, 'expected path');
      return undefined;
    }
    const path = this.importPath(term);
    if (path === undefined) return undefined;
    let alias: string | undefined;
    let aliasLocation = this.location;
    if (this.token === 'as') {
      this.scan();
      aliasLocation = this.location;
      const parsed = (this.token as Token) === 'identifier' ? this.parseTerm() : undefined;
      if (parsed?.kind !== 'var') {
        if (parsed?.kind === 'ref' && parsed.terms.length === 1 && parsed.terms[0]?.kind === 'var') {
          const name = parsed.terms[0].name;
          this.error(parsed.location, `unexpected import alias, must not be a reserved name, got: ${name}`);
        } else this.illegal('expected var');
        return undefined;
      }
      alias = parsed.name;
    } else this.checkImportTail(path, term);
    const statement: Import = {
      kind: 'import',
      path,
      alias,
      location: this.spanFrom(start),
      pathLocation: term.location,
    };
    if (path[0] === 'rego') this.applyRegoImport(statement, aliasLocation);
    else if (path[0] === 'future') this.applyFutureImport(statement, aliasLocation);
    this.reclassify();
    return statement;
  }

  private importPath(term: Term): readonly string[] | undefined {
    const terms = term.kind === 'ref' ? term.terms : [term];
    const [head] = terms;
    const path: string[] = [];
    for (const part of terms.slice(1)) {
      if (part.kind !== 'scalar' || typeof part.value !== 'string') {
        this.error(part.location, `unexpected ${termKindName(part)} token: expecting string`);
        return undefined;
      }
      path.push(part.value);
    }
    const root = head?.kind === 'var' ? head.name : '';
    if (!['data', 'input', 'future', 'rego'].includes(root)) {
      this.hint('if this is unexpected, try updating OPA');
      this.error(
        term.location,
        `unexpected import path, must begin with one of: {data, future, input, rego}, got: ${root}`,
      );
      return undefined;
    }
    return [root, ...path];
  }

  private checkImportTail(path: readonly string[], term: Term): void {
    const last = path.at(-1) ?? '';
    if (path[0] === 'future' || path.length === 1) return;
    const keywords = this.version === 'v1' ? [...BASE_KEYWORDS, ...FUTURE_KEYWORDS_V0] : BASE_KEYWORDS;
    if (!keywords.includes(last as Token)) return;
    this.hint('import a different path or use an alias');
    const at = term.kind === 'ref' ? (term.terms.at(-1)?.location ?? term.location) : term.location;
    this.error(at, `unexpected import path, must not end with a keyword, got: ${last}`);
  }

  /** The token after an import was read before the import's keywords were known. */
  private reclassify(): void {
    if (this.token !== 'identifier') return;
    const token = this.lexer.keywords.get(this.literal);
    const isFuture = [...FUTURE_KEYWORDS_V0, ...FUTURE_KEYWORDS_V1].includes(this.literal as Token);
    if (token !== undefined && (isFuture || BASE_KEYWORDS.includes(token))) this.token = token;
  }

  private applyRegoImport(statement: Import, aliasLocation: Location): void {
    const name = statement.path.join('.');
    if (name !== 'rego.v1' && name !== 'rego.v2') {
      this.error(statement.pathLocation, `invalid import \`${name}\`, must be one of: \`rego.v1\`, \`rego.v2\``);
    } else if (!this.may(...REGO_IMPORT_FEATURES[name])) {
      this.error(statement.pathLocation, `invalid import, \`${name}\` is not supported by current capabilities`);
    } else if (statement.alias !== undefined) {
      this.error(aliasLocation, '`rego` imports cannot be aliased');
    } else {
      for (const keyword of FUTURE_KEYWORDS_V0) this.lexer.addKeyword(keyword, keyword);
      if (name === 'rego.v1') return;
      for (const keyword of FUTURE_KEYWORDS_V1) this.lexer.addKeyword(keyword, keyword);
      this.notBodies = true;
    }
  }

  private applyFutureImport(statement: Import, aliasLocation: Location): void {
    const [, keywords, one] = statement.path;
    if (keywords !== 'keywords') {
      this.error(statement.pathLocation, 'invalid import, must be `future.keywords`');
      return;
    }
    if (statement.alias !== undefined) {
      this.error(aliasLocation, '`future` imports cannot be aliased');
      return;
    }
    const allowed = this.importableKeywords();
    if (one !== undefined && !allowed.includes(one as Token)) {
      const names = [...allowed].sort();
      this.error(statement.pathLocation, `unexpected keyword, must be one of [${names.join(' ')}]`);
      return;
    }
    for (const keyword of one === undefined ? allowed : [one as Token]) {
      if (keyword === 'not') this.notBodies = true;
      this.lexer.addKeyword(keyword, keyword);
    }
  }

  private parseRules(): Rule[] | undefined {
    const start = this.location;
    this.scanAheadReference();
    const isDefault = this.token === 'default';
    if (isDefault) {
      this.scan();
      this.scanAheadReference();
    }
    if (this.token !== 'identifier') {
      if (isDefault) this.reportKeywordRuleName(true);
      return undefined;
    }
    const parsed = this.parseHead(isDefault);
    if (parsed === undefined) return undefined;
    if (isDefault) return this.finishDefaultRule(parsed, start);
    return this.finishRule(parsed, start);
  }

  private finishDefaultRule(head: Head, start: Location): Rule[] | undefined {
    const location = this.spanFrom(start);
    const refuse = (reason: string): undefined => {
      this.error(start, `illegal default rule (${reason})`);
      return undefined;
    };
    if (head.value === undefined) return refuse('must have a value');
    const illegal = illegalDefaultPart(head.value);
    if (illegal !== undefined) return refuse(`value cannot contain ${illegal}`);
    const seen = new Set<string>();
    for (const arg of head.args ?? []) {
      if (arg.kind !== 'var') return refuse(`arguments cannot contain ${termKindName(arg)}`);
      if (seen.has(arg.name)) return refuse(`arguments cannot be repeated ${arg.name}`);
      seen.add(arg.name);
    }
    const body = trueBody(start);
    return [{ kind: 'rule', default: true, head, body, generatedBody: false, otherwise: [], location }];
  }

  private finishRule(parsed: Head, start: Location): Rule[] | undefined {
    const usesContains = parsed.keywords.includes('contains');
    const hasIf = this.token === 'if';
    let hasKey = usesContains;
    let head = parsed;
    const last = head.ref[1];
    if (!usesContains && head.args === undefined && head.ref.length === 2 && last !== undefined) {
      if (hasIf) {
        hasKey = !isGround(last) || last.kind === 'ref';
      } else {
        hasKey = true;
        if (head.value === undefined) head = { ...head, ref: head.ref.slice(0, 1), key: last };
      }
    }
    if (hasIf && head.value === undefined && !usesContains) {
      head = { ...head, value: trueTerm(head.location), generatedValue: true };
    }
    let body: Body | undefined;
    let generatedBody = false;
    if (hasIf) {
      head = { ...head, keywords: [...head.keywords, 'if'] };
      body = this.parseIfBody();
    } else if (this.token === '{') {
      this.scan();
      body = this.parseBody('}');
      if (body !== undefined) this.scan();
    } else if (usesContains) {
      body = trueBody(start);
      generatedBody = true;
    }
    if (body === undefined) return undefined;
    const otherwise = generatedBody ? [] : this.parseOtherwise(head, hasKey);
    if (otherwise === undefined) return undefined;
    const location = this.spanFrom(start);
    const rules: Rule[] = [{ kind: 'rule', default: false, head, body, generatedBody, otherwise, location }];
    return generatedBody ? rules : this.parseChainedBodies(rules, head, otherwise.length > 0);
  }

  private parseIfBody(): Body | undefined {
    this.scan();
    const state = this.save();
    const leadingBrace = this.token === '{';
    const expression = this.parseLiteral();
    const isSetLiteral = leadingBrace && expression?.kind === 'term' && expression.term.kind === 'set';
    if (expression !== undefined && !isSetLiteral) return [expression];
    if (!leadingBrace) return undefined;
    this.restore(state);
    this.scan();
    const body = this.parseBody('}');
    if (body !== undefined) this.scan();
    return body;
  }

  private parseChainedBodies(rules: Rule[], head: Head, hasElse: boolean): Rule[] | undefined {
    while (this.token === '{') {
      if (hasElse) {
        this.error(this.location, 'expected else keyword');
        return undefined;
      }
      const start = this.location;
      this.scan();
      const body = this.parseBody('}');
      if (body === undefined) return undefined;
      this.scan();
      const location = this.spanFrom(start);
      const next = this.freshWildcards(relocated(head, start));
      rules.push({ kind: 'rule', default: false, head: next, body, generatedBody: false, otherwise: [], location });
    }
    return rules;
  }

  private freshWildcards(head: Head): Head {
    if (head.args === undefined) return head;
    const args = head.args.map((arg) =>
      arg.kind === 'var' && arg.name.startsWith('$') ? this.newWildcard(arg.location) : arg,
    );
    return { ...head, args };
  }

  private parseOtherwise(head: Head, hasKey: boolean): Rule[] | undefined {
    const branches: Rule[] = [];
    while (this.token === 'else' && !this.scanAheadReference()) {
      if (branches.length === 0) {
        if (head.ref.length > 1 && !head.ref.slice(1).every(isGround)) {
          this.error(this.location, 'else keyword cannot be used on rules with variables in head');
          return undefined;
        }
        if (hasKey) {
          this.error(this.location, 'else keyword cannot be used on multi-value rules');
          return undefined;
        }
      }
      const branch = this.parseElse(head);
      if (branch === undefined) return undefined;
      branches.push(branch);
      if (branch.generatedBody) break;
    }
    return branches;
  }

  private parseElse(ruleHead: Head): Rule | undefined {
    const start = this.location;
    let head: Head = this.freshWildcards({ ...ruleHead, generatedValue: false, keywords: [], location: start });
    this.scan();
    if (this.token === '{' || this.token === 'if') {
      head = { ...head, value: trueTerm(start), generatedValue: true };
    } else if (this.token === 'assign' || this.token === 'eq') {
      const assign = this.token === 'assign';
      this.scan();
      const value = this.parseInfix();
      if (value === undefined) return undefined;
      head = { ...head, assign, value };
    } else {
      this.illegal('expected else value term or rule body');
      return undefined;
    }
    const finish = (body: Body, generatedBody: boolean): Rule => {
      return { kind: 'rule', default: false, head, body, generatedBody, otherwise: [], location: this.spanFrom(start) };
    };
    const token = this.token as Token;
    if (token !== 'if' && token !== '{') return finish(trueBody(start), true);
    if (token === 'if') {
      head = { ...head, keywords: ['if'] };
      this.scan();
    }
    if ((this.token as Token) === '{') {
      this.scan();
      const body = this.parseBody('}');
      if (body === undefined) return undefined;
      this.scan();
      return finish(body, false);
    }
    if ((this.token as Token) === 'eof') {
      this.illegal('rule body expected');
      return undefined;
    }
    const expression = this.parseLiteral();
    return expression && finish([expression], false);
  }

  private parseHead(isDefault: boolean): Head | undefined {
    const start = this.location;
    const term = this.finishHead(this.variable());
    if (term === undefined) {
      this.illegal('expected rule head name');
      return undefined;
    }
    let ref: readonly Term[];
    let args: readonly Term[] | undefined;
    if (term.kind === 'call') {
      args = term.args;
      ref = term.operator.kind === 'ref' ? term.operator.terms : [term.operator];
      if (ref[0]?.kind !== 'var') {
        this.illegal('rule head ref invalid');
        return undefined;
      }
    } else if (term.kind === 'ref') ref = term.terms;
    else if (term.kind === 'var') ref = [term];
    else return undefined;
    const name = this.textFrom(start.offset).trim();
    const head = (
      key: Term | undefined,
      value: Term | undefined,
      assign: boolean,
      keywords: readonly HeadKeyword[],
    ): Head => {
      const generated = value === undefined && key === undefined && (ref.length !== 2 || args !== undefined);
      const finalValue = generated ? trueTerm(start) : value;
      return {
        ref,
        args,
        key,
        value: finalValue,
        assign,
        generatedValue: generated,
        keywords,
        location: this.spanFrom(start),
      };
    };
    if (this.token === 'contains') {
      if (args !== undefined) {
        this.illegal(
          `the contains keyword can only be used with multi-value rule definitions (e.g., ${name} contains <VALUE> { ... })`,
        );
      }
      this.scan();
      const key = this.parseInfix();
      if (key === undefined) this.illegal(`expected rule key term (e.g., ${name} contains <VALUE> { ... })`);
      return key && head(key, undefined, false, ['contains']);
    }
    if (this.token !== 'eq' && this.token !== 'assign') return head(undefined, undefined, false, []);
    const assign = this.token === 'assign';
    this.scan();
    const value = this.parseInfix();
    if (value === undefined) {
      if (!assign) this.illegal(`expected rule value term (e.g., ${name}[%!s(<nil>)] = <VALUE> { ... })`);
      else if (args !== undefined) this.illegal(`expected function value term (e.g., ${name}(...) := <VALUE> { ... })`);
      else if (isDefault) this.illegal(`expected default rule value term (e.g., default ${name} := <VALUE>)`);
      else this.illegal(`expected rule value term (e.g., ${name} := <VALUE> { ... })`);
    }
    return head(undefined, value, assign, []);
  }
}

/** Names what makes a term unfit as a default's value; comprehensions are allowed whole. */
function illegalDefaultPart(term: Term): string | undefined {
  switch (term.kind) {
    case 'ref':
    case 'var':
    case 'call':
      return term.kind;
    case 'array':
    case 'set':
      return term.items.map(illegalDefaultPart).find((part) => part !== undefined);
    case 'object':
      return term.entries
        .flatMap(([k, v]) => [illegalDefaultPart(k), illegalDefaultPart(v)])
        .find((part) => part !== undefined);
    default:
      return undefined;
  }
}

function assembleModule(parser: ModuleParser, source: string, statements: readonly Statement[]): Module {
  const { file, version } = parser;
  const errors: RegoError[] = [];
  const [first, ...rest] = statements;
  if (first === undefined) throw new RegoErrors([errorAt({ file, row: 0, col: 0, offset: 0, end: 0 }, 'empty module')]);
  if (first.kind !== 'package') errors.push(errorAt(first.location, 'package expected'));
  const imports: Import[] = [];
  const rules: Rule[] = [];
  let strictV1 = version === 'v1';
  for (const [index, statement] of rest.entries()) {
    if (statement.kind === 'import') {
      imports.push(statement);
      if (statement.path[0] === 'rego') strictV1 = true;
    } else if (statement.kind === 'rule') rules.push(statement);
    else if (statement.kind === 'package') errors.push(errorAt(statement.location, 'unexpected package'));
    else {
      try {
        rules.push(ruleFromBody(statement.body));
      } catch (error) {
        if (!(error instanceof HeadError)) throw error;
        const hint = version === 'v0' ? missingKeywordHint(statement, rest[index + 1]) : '';
        errors.push(errorAt(statement.location, error.message + hint));
      }
    }
  }
  if (strictV1) errors.push(...rules.flatMap(checkRuleV1));
  if (errors.length > 0 || first.kind !== 'package') throw new RegoErrors(errors);
  return { file, source, version, strictV1, package: first, imports, rules, comments: parser.comments };
}

export interface ParseOptions {
  /** Default `v1`. */
  readonly version?: RegoVersion;
  /** Default all of the language. */
  readonly dialect?: Dialect | undefined;
}

/** Parses one module. Throws `RegoErrors` (`rego_parse_error`). */
export function parseModuleSource(file: string, source: string, options: ParseOptions = {}): Module {
  return atOnce(parseModuleInSteps(file, source, options));
}

/** The same a statement a step. */
export function* parseModuleInSteps(file: string, source: string, options: ParseOptions = {}): Steps<Module> {
  const parser = new ModuleParser(file, source, options.version ?? 'v1', options.dialect);
  const statements = yield* parser.parse(false);
  if (parser.errors.length > 0) throw new RegoErrors(parser.errors);
  return assembleModule(parser, source, statements);
}

/** Parses a query: expressions separated by `;` or newlines. Throws `RegoErrors`. */
export function parseQuery(source: string, options: ParseOptions = {}): Body {
  const parser = new ModuleParser('', source, options.version ?? 'v1', options.dialect);
  const statements = atOnce(parser.parse(true));
  if (parser.errors.length > 0) throw new RegoErrors(parser.errors);
  const body = statements.flatMap((statement) => (statement.kind === 'body' ? statement.body : []));
  if (body.length === 0)
    throw new RegoErrors([errorAt({ file: '', row: 1, col: 1, offset: 0, end: 0 }, 'empty query')]);
  return body;
}
