/**
 * Random programs: a module or two, base documents and inputs. A program is text from the start, so
 * that what is compared, shrunk and printed is the same thing.
 */
import { body, statements } from './bodies.js';
import { Random } from './random.js';
import {
  closed,
  freshName,
  KINDS,
  type Kind,
  type KnownRule,
  literal,
  type Scope,
  term,
  type Variable,
} from './terms.js';

export interface Program {
  readonly version: 'v0' | 'v1';
  /** The second one, if any, is `lib`, which the first imports. */
  readonly modules: readonly string[];
  readonly data: unknown;
  readonly inputs: readonly unknown[];
  readonly strictBuiltinErrors: boolean;
}

class ModuleWriter {
  private readonly random: Random;
  private readonly isModern: boolean;
  private readonly isV1: boolean;
  private readonly names = { next: 0 };
  private readonly known: KnownRule[] = [];
  private readonly lines: string[] = [];

  constructor(random: Random, isModern: boolean, isV1: boolean, imported: readonly KnownRule[]) {
    this.random = random;
    this.isModern = isModern;
    this.isV1 = isV1;
    this.known.push(...imported);
  }

  private scope(variables: readonly Variable[] = []): Scope {
    const { random, isV1, names } = this;
    return { random, variables, rules: this.known, isV1, names, body, isClosed: false };
  }

  private head(text: string): string {
    return this.isModern ? `${text} if {` : `${text} {`;
  }

  private block(head: string, lines: readonly string[]): void {
    this.lines.push(this.head(head), ...lines.map((line) => `  ${line}`), '}');
  }

  private size(): number {
    return 1 + this.random.below(4);
  }

  private complete(name: string, kind: Kind): void {
    const { random } = this;
    const assignment = random.pick([':=', '=']);
    if (random.chance(0.3))
      this.lines.push(`default ${name} := ${random.pick(['false', '0', '[]', '"none"', '{x | x := [1, 2][_]}'])}`);
    if (random.chance(0.1)) {
      this.lines.push(`${name} := ${term(kind, closed(this.scope()), 2)}`);
      return;
    }
    for (let i = random.chance(0.3) ? 2 : 1; i > 0; i--) {
      const { lines, scope } = statements(this.scope(), this.size());
      const isTrue = kind === 'boolean' && random.chance(0.6);
      this.block(isTrue ? name : `${name} ${assignment} ${term(kind, closed(scope), 1)}`, lines);
      while (random.chance(0.2)) {
        const branch = statements(this.scope(), this.size());
        const closing = this.lines.pop() ?? '}';
        this.block(`${closing} else := ${term(kind, closed(branch.scope), 1)}`, branch.lines);
      }
    }
  }

  private partialSet(name: string, kind: Kind): void {
    for (let i = this.random.chance(0.3) ? 2 : 1; i > 0; i--) {
      const { lines, scope } = statements(this.scope(), this.size());
      const element = term(kind, closed(scope), 1);
      this.block(this.isModern ? `${name} contains ${element}` : `${name}[${element}]`, lines);
    }
  }

  private partialObject(name: string, kind: Kind): void {
    const { random } = this;
    for (let i = random.chance(0.3) ? 2 : 1; i > 0; i--) {
      const { lines, scope } = statements(this.scope(), this.size());
      const made = term(random.chance(0.8) ? 'string' : 'any', closed(scope), random.chance(0.9) ? 0 : 1);
      // With a collection written as the key, OPA holds bodies for true that are not (`with … as f(…)` undefined).
      const key = /^[[{]/.test(made) ? '"k"' : made;
      const assignment = this.isModern ? ':=' : '=';
      const suffix =
        this.isModern && random.chance(0.15) ? random.pick(['.s', '["t"]', `[${term('any', closed(scope), 0)}]`]) : '';
      if (this.isModern && random.chance(0.1))
        this.block(`${name}[${key}] contains ${term(kind, closed(scope), 1)}`, lines);
      else this.block(`${name}[${key}]${suffix} ${assignment} ${term(kind, closed(scope), 1)}`, lines);
    }
  }

  private definition(name: string, kind: Kind, args: readonly Kind[]): void {
    const { random } = this;
    if (random.chance(0.15))
      this.lines.push(`default ${name}(${args.map(() => '_').join(', ')}) := ${random.pick(['0', 'false', '"d"'])}`);
    for (let i = random.chance(0.3) ? 2 : 1; i > 0; i--) {
      const variables: Variable[] = [];
      const parameters = args.map((arg) =>
        random.weighted([
          [
            8,
            () => {
              const variable = { name: freshName(this.scope()), kind: arg };
              variables.push(variable);
              return variable.name;
            },
          ],
          [1, () => literal(arg, random)],
          [
            1,
            () => {
              const variable = { name: freshName(this.scope()), kind: 'any' as const };
              variables.push(variable);
              return random.pick([`[${variable.name}, _]`, `{"a": ${variable.name}}`, `[${variable.name}]`]);
            },
          ],
          [0.5, () => '_'],
        ]),
      );
      const { lines, scope } = statements(this.scope(variables), this.size());
      this.block(`${name}(${parameters.join(', ')}) := ${term(kind, closed(scope), 1)}`, lines);
      if (random.chance(0.15)) {
        const branch = statements(this.scope(variables), 1);
        this.block(`${this.lines.pop() ?? '}'} else := ${term(kind, closed(branch.scope), 1)}`, branch.lines);
      }
    }
  }

  rule(index: number): void {
    const { random } = this;
    const kind = random.pick(KINDS);
    const plainName = random.chance(0.98) ? `r${index}` : `r${random.below(index + 1)}`;
    const name = this.isModern && random.chance(0.06) ? `${plainName}.${random.pick(['f', 'g.h'])}` : plainName;
    const args = Array.from({ length: 1 + random.below(2) }, () => random.pick(KINDS));
    const form = random.weighted<KnownRule['form']>([
      [5, () => 'complete'],
      [3, () => 'set'],
      [2.5, () => 'object'],
      [2.5, () => 'function'],
    ]);
    if (random.chance(0.01)) this.known.push({ name, form, kind, args });
    if (form === 'complete') this.complete(name, kind);
    else if (form === 'set') this.partialSet(name, kind);
    else if (form === 'object') this.partialObject(name, kind);
    else this.definition(name, kind, args);
    this.known.push({ name, form, kind, args: form === 'function' ? args : [] });
  }

  text(header: readonly string[], rules: number): string {
    for (let i = 0; i < rules; i++) this.rule(i);
    return `${header.join('\n')}\n${this.withoutUnused(this.lines.join('\n'))}\n`;
  }

  /** Unused declared variables are errors: most become wildcards. */
  private withoutUnused(text: string): string {
    const counts = new Map<string, number>();
    for (const [name] of text.matchAll(/\b[a-z]\d+\b/g)) counts.set(name, (counts.get(name) ?? 0) + 1);
    const replace = (part: string): string =>
      part.replaceAll(/\b[kvxyz]\d+\b/g, (name) => (counts.get(name) === 1 && this.random.chance(0.99) ? '_' : name));
    return text
      .replaceAll(/\b(?:some|every) [^\n;]*? in /g, replace)
      .replaceAll(/\bsome ([kvxyz]\d+), ([kvxyz]\d+);/g, (whole, a: string, b: string) => {
        const used = [a, b].filter((name) => (counts.get(name) ?? 0) > 1);
        return used.length === 2 ? whole : used.length === 1 ? `some ${used[0]};` : '';
      });
  }

  exported(): readonly KnownRule[] {
    return this.known.filter(({ name }) => /^r\d+$/.test(name)).map((rule) => ({ ...rule, name: `lib.${rule.name}` }));
  }
}

function makeData(random: Random): unknown {
  const user = (age: number, roles: readonly string[]): unknown => ({
    age,
    roles,
    ...(random.chance(0.3) ? { a: 1 } : {}),
  });
  return {
    base: {
      nums: random.pick([[1, 2, 3], [3, 1], [], [0, 0.5, -2]]),
      names: random.pick([['a', 'b'], ['alice', 'é', 'a'], []]),
      users: {
        alice: user(30, ['admin', 'dev']),
        ...(random.chance(0.8) ? { bob: user(random.below(40), ['dev']) } : {}),
      },
      flag: random.chance(0.6),
      nested: random.pick<unknown>([{ a: { b: { c: 1 } } }, { a: { b: {} }, k: [1, 'x'] }, { a: [1, { b: 2 }] }]),
    },
    test: {
      extra: random.pick<unknown>([{ a: 1 }, [1, 2], 'x', {}]),
      ...(random.chance(0.2) ? { other: { a: 1 } } : {}),
    },
  };
}

function makeInput(random: Random): unknown {
  const all: Record<string, unknown> = {
    a: random.pick<unknown>([1, 2, 0, 'a', 1.5]),
    b: random.pick(['a', 'x', '']),
    user: random.pick(['alice', 'bob', 'eve']),
    flag: random.pick<unknown>([true, false, null]),
    list: random.pick<unknown>([[1, 2, 3], [], ['a', 'b'], [1, 'a', null, [1]], [3, 3]]),
    obj: random.pick<unknown>([{ n: 1, s: 'a', t: true }, { a: 1, b: 2 }, {}, { n: 2, k: [1] }]),
    deep: random.pick<unknown>([[[1, 2], [3]], [{ a: 1 }, { a: 2 }], [['a', 'b']]]),
    nul: null,
  };
  for (const key of Object.keys(all)) if (random.chance(0.1)) delete all[key];
  return all;
}

/** The program of a seed. */
export function makeProgram(seed: number): Program {
  const random = new Random(seed);
  const version = random.chance(0.35) ? 'v0' : 'v1';
  const style = version === 'v1' ? 'v1' : random.pick(['plain', 'keywords', 'rego.v1']);
  const isModern = style !== 'plain' && (style !== 'keywords' || random.chance(0.7));
  const imports =
    style === 'rego.v1'
      ? ['import rego.v1']
      : style === 'v1'
        ? []
        : [`import future.keywords${random.chance(0.9) ? '' : '.in'}`];
  const modules: string[] = [];
  let imported: readonly KnownRule[] = [];
  if (random.chance(0.15)) {
    const lib = new ModuleWriter(random, isModern, version === 'v1', []);
    modules.push(lib.text(['package lib', ...imports], 1 + random.below(3)));
    imported = lib.exported();
    imports.push('import data.lib');
  }
  const main = new ModuleWriter(random, isModern, version === 'v1', imported);
  modules.unshift(
    main.text([`package ${random.chance(0.95) ? 'test' : 'test.inner'}`, ...imports], 1 + random.below(5)),
  );
  return {
    version,
    modules,
    data: makeData(random),
    inputs: [makeInput(random), makeInput(random)],
    strictBuiltinErrors: random.chance(0.2),
  };
}
