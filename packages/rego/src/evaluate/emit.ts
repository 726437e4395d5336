/**
 * Writes the JavaScript of bodies. Failing is leaving the labelled block one is in (or going on with
 * the next round of the innermost loop), so a body without loops is straight-line code. Locals are
 * declared at the head of the function; constants come in from outside by index.
 */
import type { Atom, Comprehension, Op, Step } from '../compile/plan.js';
import { isPlainObject, keyOf, RegoSet, type Value } from '../values/index.js';
import { CLASS_MEMBER_NAMES } from './containers.js';
import { ALONE, FOR_ALL } from './groups.js';
import { questionOf } from './probe.js';

/** What happens at the end of a body. `stop` leaves everything; without it the body goes on. */
export interface Done {
  readonly action: string;
  readonly stop: string | undefined;
}

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** Built-ins written inline for plain arguments; `undefined` arguments cannot come here. */
const INLINE: Readonly<
  Record<string, (args: readonly string[]) => { readonly when: string; readonly fast: string } | undefined>
> = {
  startswith: ([a, b]) => ({ when: `typeof ${a}==='string'&&typeof ${b}==='string'`, fast: `${a}.startsWith(${b})` }),
  endswith: ([a, b]) => ({ when: `typeof ${a}==='string'&&typeof ${b}==='string'`, fast: `${a}.endsWith(${b})` }),
  contains: ([a, b]) => ({ when: `typeof ${a}==='string'&&typeof ${b}==='string'`, fast: `${a}.includes(${b})` }),
  is_string: ([a]) => ({ when: `typeof ${a}==='string'`, fast: 'true' }),
  is_boolean: ([a]) => ({ when: `typeof ${a}==='boolean'`, fast: 'true' }),
  count: ([a]) => ({ when: `Array.isArray(${a})`, fast: `${a}.length` }),
};

export class Emitter {
  /** Values the code refers to as `K[i]`. */
  readonly constants: unknown[];
  private readonly constantIndex: Map<unknown, number>;
  private names: Set<string> = new Set();
  private counter = 0;
  /** Whether code of definitions is written, which call each other by name, or a query's, which asks the engine. */
  private readonly isLinked: boolean;
  /** The functions the code calls by name: `r` and a rule set's index, `f` and a function's, `l` and a lookup's. */
  readonly called = new Set<string>();

  constructor(constants: unknown[], isLinked: boolean) {
    this.constants = constants;
    this.constantIndex = new Map(constants.map((value, index) => [value, index]));
    this.isLinked = isLinked;
  }

  private function(name: string): string {
    this.called.add(name);
    return name;
  }

  /** Starts a function: forgets the locals of the one before. */
  begin(): void {
    this.names = new Set();
  }

  declarations(): string {
    return this.names.size === 0 ? '' : `let ${[...this.names].join(',')};`;
  }

  fresh(prefix: string): string {
    this.counter += 1;
    return `${prefix}${this.counter}`;
  }

  private local(prefix: string): string {
    const name = this.fresh(prefix);
    this.names.add(name);
    return name;
  }

  slot(slot: number): string {
    const name = `s${slot}`;
    this.names.add(name);
    return name;
  }

  world(world: number): string {
    if (world > 0) this.names.add(`w${world}`);
    return `w${world}`;
  }

  constant(value: unknown): string {
    let index = this.constantIndex.get(value);
    if (index === undefined) {
      index = this.constants.length;
      this.constants.push(value);
      this.constantIndex.set(value, index);
    }
    return `K[${index}]`;
  }

  literal(value: Value): string {
    if (typeof value === 'string')
      return JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
    if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value);
    if (value === null || typeof value === 'boolean') return String(value);
    return this.constant(value);
  }

  atom(atom: Atom): string {
    return atom.op === 'const' ? this.literal(atom.value) : this.slot(atom.slot);
  }

  atoms(atoms: readonly Atom[]): string {
    return atoms.map((atom) => this.atom(atom)).join(',');
  }

  /** The code of steps from `index` on. `fail` is the statement that gives this way up. */
  body(steps: readonly Step[], fail: string, done: Done, index = 0): string {
    let code = '';
    for (let i = index; i < steps.length; i++) {
      const step = steps[i] as Step;
      if (step.step === 'iterate' || step.step === 'relation' || step.step === 'probe') {
        return code + this.loop(step, (next) => this.body(steps, next, done, i + 1));
      }
      if (step.step === 'choice') return code + this.choice(step, steps, i, done);
      code += this.simple(step, fail);
    }
    return `${code}${done.action}${done.stop ?? ''}`;
  }

  private loop(step: Step & { step: 'iterate' | 'relation' | 'probe' }, rest: (fail: string) => string): string {
    const out: string[] = [];
    const from = this.value(step.from, out);
    if (step.step === 'probe') {
      const { key, value } = step;
      const find = key < 0 ? 'probe' : 'probeEntries';
      const items = `H.${find}(${from},${this.constant(questionOf(step))},[${this.atoms(step.keys)}])`;
      const slot = this.slot(value);
      const apart = key < 0 ? '' : `${this.slot(key)}=${slot}[0];${slot}=${slot}[1];`;
      return out.join('') + this.loopOver(items, -1, value, (fail) => apart + rest(fail));
    }
    return out.join('') + this.loopOver(from, step.step === 'iterate' ? step.key : -1, step.value, rest);
  }

  private loopOver(from: string, key: number, value: number, rest: (fail: string) => string): string {
    const [items, index, label] = [this.local('a'), this.local('i'), this.fresh('L')];
    let code = '';
    let readKey = '';
    if (key >= 0) {
      const [keys, source] = [this.local('k'), this.local('c')];
      code = `${source}=${from};${keys}=H.keysOf(${source});${items}=H.elements(${source});`;
      readKey = `${this.slot(key)}=${keys}===undefined?${index}:${keys}[${index}];`;
    } else code = `${items}=H.elements(${from});`;
    const inner = rest(`continue ${label};`);
    return `${code}${label}:for(${index}=0;${index}<${items}.length;${index}++){if(--q.left<0)q.exhausted();${readKey}${this.slot(value)}=${items}[${index}];${inner}}`;
  }

  private choice(step: Step & { step: 'choice' }, steps: readonly Step[], at: number, done: Done): string {
    const next = this.fresh('n');
    const label = this.fresh('X');
    const inner: Done = { action: done.action, stop: done.stop === undefined ? undefined : 'return true;' };
    let code = `const ${next}=()=>{${label}:{${this.body(steps, `break ${label};`, inner, at + 1)}}return false;};`;
    for (const branch of step.branches) {
      const branchLabel = this.fresh('B');
      const call: Done =
        done.stop === undefined
          ? { action: `${next}();`, stop: undefined }
          : { action: `if(${next}()){${done.stop}}`, stop: undefined };
      code += `${branchLabel}:{${this.body(branch, `break ${branchLabel};`, call)}}`;
    }
    return `{${code}}`;
  }

  private simple(step: Step, fail: string): string {
    const out: string[] = [];
    switch (step.step) {
      case 'let': {
        const value = this.value(step.value, out);
        const slot = this.slot(step.slot);
        const check = isAlwaysDefined(step.value) ? '' : `if(${slot}===undefined)${fail}`;
        return `${out.join('')}${slot}=${value};${check}`;
      }
      case 'test': {
        const value = this.value(step.value, out);
        if (isBoolean(step.value)) return `${out.join('')}if(!(${value}))${fail}`;
        const name = this.local('t');
        return `${out.join('')}${name}=${value};if(${name}===undefined||${name}===false)${fail}`;
      }
      case 'equal':
        return this.equal(step, fail);
      case 'has': {
        const from = this.value(step.from, out);
        return `${out.join('')}if(!H.has(${from},${this.atom(step.value)}))${fail}`;
      }
      case 'array-shape':
        return `if(!H.hasArrayShape(${this.value(step.value, out)},${step.size}))${fail}`;
      case 'object-shape':
        return `if(!H.hasObjectShape(${this.value(step.value, out)},${step.size}))${fail}`;
      case 'not-key': {
        const value = this.value(step.value, out);
        const keys = new RegoSet(new Map(step.keys.map((key) => [keyOf(key), key])));
        return `${out.join('')}if(${this.constant(keys)}.has(${value}))${fail}`;
      }
      case 'not':
        return this.exists([step.steps], (found) => `if(${found})${fail}`);
      case 'some':
        return this.exists(step.branches, (found) => `if(!${found})${fail}`);
      case 'every':
        return this.every(step, fail);
      case 'with':
        return this.modify(step);
      case 'fail':
        return fail;
      default:
        throw new Error(`unexpected step ${step.step}`);
    }
  }

  private exists(branches: readonly (readonly Step[])[], then: (found: string) => string): string {
    const found = this.local('e');
    let code = `${found}=false;`;
    for (const [index, branch] of branches.entries()) {
      const label = this.fresh('X');
      const done: Done = { action: `${found}=true;`, stop: `break ${label};` };
      const block = `${label}:{${this.body(branch, `break ${label};`, done)}}`;
      code += index === 0 ? block : `if(!${found}){${block}}`;
    }
    return code + then(found);
  }

  private every(step: Step & { step: 'every' }, fail: string): string {
    const out: string[] = [];
    const from = this.value(step.from, out);
    const [all, label, domain] = [this.local('e'), this.fresh('X'), this.local('c')];
    const round = (): string => this.exists([step.steps], (found) => `if(!${found}){${all}=false;break ${label};}`);
    const loop = this.loopOver(domain, step.key, step.value, round);
    return `${out.join('')}${domain}=${from};if(!H.isCollection(${domain}))${fail}${all}=true;${label}:{${loop}}if(!${all})${fail}`;
  }

  private equal(step: Step & { step: 'equal' }, fail: string): string {
    const out: string[] = [];
    const left = this.value(step.left, out);
    const right = this.value(step.right, out);
    if (isPrimitive(step.left) || isPrimitive(step.right)) return `${out.join('')}if(${left}!==${right})${fail}`;
    const [a, b] = [this.local('t'), this.local('t')];
    const check = `if(${a}===undefined||${a}!==(${b}=${right})&&(${b}===undefined||!H.equal(${a},${b})))${fail}`;
    return `${out.join('')}${a}=${left};${check}`;
  }

  private modify(step: Step & { step: 'with' }): string {
    const { modifiers } = step;
    const atoms = [
      ...modifiers.input.flatMap(({ path, value }) => [...path, value]),
      ...modifiers.data.flatMap(({ value }) => (value === undefined ? [] : [value])),
      ...modifiers.functions.flatMap(({ by }) => (by.value === undefined ? [] : [by.value])),
    ];
    const cases = atoms
      .filter((atom) => atom.op === 'local')
      .map((atom) => `x===${this.constant(atom)}?${this.atom(atom)}:`);
    const read = `(x)=>${cases.join('')}x.value`;
    return `${this.world(step.world)}=E.modify(${this.world(step.outer)},${this.constant(modifiers)},${read});`;
  }

  /** An expression for the operation; statements it needs first go to `out`. */
  value(op: Op, out: string[]): string {
    switch (op.op) {
      case 'const':
      case 'local':
        return this.atom(op);
      case 'input':
        return `${this.world(op.world)}.input`;
      case 'base':
        if (this.isLinked) return `${this.world(op.world)}.snapshot.bases[${op.path}]`;
        return `E.base(${this.world(op.world)},${op.path})`;
      case 'rule':
        return this.isLinked
          ? `${this.function(`r${op.set}`)}(${this.world(op.world)})`
          : `E.rule(${this.world(op.world)},${op.set})`;
      case 'extent':
        return `E.extent(${this.world(op.world)},${op.extent})`;
      case 'lookup': {
        const [first] = op.keys;
        if (this.isLinked && op.keys.length === 1 && first !== undefined) {
          return `${this.function(`l${op.lookup}`)}(${this.world(op.world)},${this.atom(first)})`;
        }
        return `E.lookup(${this.world(op.world)},${op.lookup},[${this.atoms(op.keys)}])`;
      }
      case 'get':
        return this.get(op, out);
      case 'builtin':
        return this.builtin(op);
      case 'call':
        if (this.isLinked) {
          return `${this.function(`f${op.set}`)}(${[this.world(op.world), ...op.args.map((arg) => this.atom(arg))].join(',')})`;
        }
        return `E.call(${this.world(op.world)},${op.set},[${this.atoms(op.args)}],${this.constant(op.at)})`;
      case 'compare':
        return this.compare(op);
      case 'member':
        return this.member(op);
      case 'array':
        return `[${this.atoms(op.items)}]`;
      case 'set':
        return `H.setOf([${this.atoms(op.items)}])`;
      case 'object':
        return this.object(op);
      case 'comprehension':
      case 'object-comprehension':
        return this.comprehension(op, out);
      case 'grouped':
        return this.grouped(op, out);
    }
  }

  private comprehension(op: Comprehension, out: string[]): string {
    const [result, label] = [this.local('b'), this.fresh('X')];
    const collect = (start: string, action: string): void => {
      const body = this.body(op.steps, `break ${label};`, { action, stop: undefined });
      out.push(`${result}=${start};${label}:{${body}}`);
    };
    if (op.op === 'object-comprehension') {
      const entry = [this.atom(op.key), this.atom(op.value), this.constant(op.at)].join(',');
      collect('new H.ObjectBuilder()', `q.grow();H.putUnique(${result},${entry});`);
      return `${result}.build()`;
    }
    const item = this.atom(op.item);
    if (op.of === 'array') {
      collect('[]', `q.grow();${result}.push(${item});`);
      return result;
    }
    collect('new H.SetBuilder()', `if(${result}.add(${item}))q.grow();`);
    return `${result}.build()`;
  }

  /** Keys of groups: of one value its own, of several that of their list. */
  private groupKey(values: readonly string[]): string {
    const [only] = values;
    return values.length === 1 ? `H.keyOf(${only})` : `H.keyOf([${values.join(',')}])`;
  }

  private grouped(op: Op & { op: 'grouped' }, out: string[]): string {
    const [group, key, way, result, label] = [
      this.local('g'),
      this.local('k'),
      this.local('y'),
      this.local('b'),
      this.fresh('X'),
    ];
    const asked = op.asked.map((part) => {
      const value = this.value(part, out);
      if (part.op === 'local') return value;
      const name = this.local('t');
      out.push(`${name}=${value};`);
      return name;
    });
    const known = asked.map((name) => `${name}!==undefined`).join('&&');
    out.push(`${key}=${known}?${this.groupKey(asked)}:undefined;`);
    out.push(`${group}=${this.world(op.world)}.group(${op.index});${way}=${group}.next(${key});`);
    const keys = this.groupKey(op.keys.map((atom) => this.atom(atom)));
    const { method, collected, empty } = this.keeping(op.plain);
    const action = `if(${group}.${method}(${keys},${collected}))break ${label};`;
    const all = this.body(op.steps, `break ${label};`, { action, stop: undefined });
    out.push(`if(${way}===${FOR_ALL}){${group}.open(${key});${label}:{${all}}${way}=${group}.close();}`);
    const plain: string[] = [];
    const alone = this.comprehension(op.plain, plain);
    out.push(
      `if(${way}===${ALONE}){${plain.join('')}${result}=${alone};}`,
      `else{${result}=${group}.find(${key});if(${result}===undefined)${result}=${empty};}`,
    );
    return result;
  }

  /** How `Groups` keeps what the comprehension collects, and what it is where nothing was. */
  private keeping(op: Comprehension): { readonly method: string; readonly collected: string; readonly empty: string } {
    if (op.op === 'object-comprehension') {
      const collected = [this.atom(op.key), this.atom(op.value), this.constant(op.at)].join(',');
      return { method: 'put', collected, empty: '{}' };
    }
    const collected = this.atom(op.item);
    return op.of === 'set'
      ? { method: 'add', collected, empty: 'H.setOf([])' }
      : { method: 'push', collected, empty: '[]' };
  }

  private get(op: Op & { op: 'get' }, out: string[]): string {
    const from = this.value(op.from, out);
    if (op.key.op === 'const' && typeof op.key.value === 'string') {
      const name = op.key.value;
      if (IDENTIFIER.test(name) && !CLASS_MEMBER_NAMES.has(name)) {
        const [o, v] = [this.local('o'), this.local('v')];
        return `((${o}=${from})!=null&&(${v}=${o}.${name})!==undefined?${v}:H.missing(${o},${JSON.stringify(name)}))`;
      }
    }
    return `H.element(${from},${this.atom(op.key)})`;
  }

  private object(op: Op & { op: 'object' }): string {
    const names = op.entries.map(([key]) =>
      key.op === 'const' && typeof key.value === 'string' ? key.value : undefined,
    );
    const isPlain =
      names.every((name) => name !== undefined && name !== '__proto__') && new Set(names).size === names.length;
    if (isPlain) {
      const fields = op.entries.map(([, value], index) => `${JSON.stringify(names[index])}:${this.atom(value)}`);
      return `{${fields.join(',')}}`;
    }
    return `H.objectOf([${op.entries.map(([key, value]) => `${this.atom(key)},${this.atom(value)}`).join(',')}])`;
  }

  private builtin(op: Op & { op: 'builtin' }): string {
    const world = this.world(op.world);
    const args = op.args.map((arg) => this.atom(arg));
    const general = `E.builtin(${world},${this.constant(op.builtin)},[${args.join(',')}],${this.constant(op.at)})`;
    const inline = INLINE[op.builtin.name]?.(args);
    return inline === undefined ? general : `(${world}.mocks===undefined&&${inline.when}?${inline.fast}:${general})`;
  }

  private compare(op: Op & { op: 'compare' }): string {
    const [a, b] = [this.atom(op.left), this.atom(op.right)];
    const isPlain = isPrimitive(op.left) || isPrimitive(op.right);
    if (op.by === 'equal') return isPlain ? `${a}===${b}` : `(${a}===${b}||H.equal(${a},${b}))`;
    const world = this.world(op.world);
    const general = `E.compare(${world},${JSON.stringify(op.by)},${a},${b},${this.constant(op.at)})`;
    if (op.by === 'neq') {
      const test = isPlain ? `${a}!==${b}` : `!(${a}===${b}||H.equal(${a},${b}))`;
      return `(${world}.mocks===undefined?${test}:${general})`;
    }
    const sign = { lt: '<', lte: '<=', gt: '>', gte: '>=' }[op.by];
    return `(typeof ${a}==='number'&&typeof ${b}==='number'&&${world}.mocks===undefined?${a}${sign}${b}:${general})`;
  }

  private member(op: Op & { op: 'member' }): string {
    const [value, of] = [this.atom(op.value), this.atom(op.of)];
    if (op.key !== undefined) return `H.isMemberAt(${this.atom(op.key)},${value},${of})`;
    const plain = op.of.op === 'const' ? plainMembers(op.of.value) : undefined;
    return plain === undefined ? `H.isMember(${value},${of})` : `${this.constant(plain)}.has(${value})`;
  }
}

/** A JavaScript Set of a constant collection's members when all are primitives. */
function plainMembers(value: Value): ReadonlySet<unknown> | undefined {
  let members: readonly Value[];
  if (Array.isArray(value)) members = value as readonly Value[];
  else if (value instanceof RegoSet) members = value.sorted();
  else if (isPlainObject(value)) members = Object.values(value);
  else return undefined;
  return members.every((member) => typeof member !== 'object' || member === null)
    ? new Set<unknown>(members)
    : undefined;
}

function isPrimitive(op: Op): boolean {
  return op.op === 'const' && (typeof op.value !== 'object' || op.value === null);
}

function isAlwaysDefined(op: Op): boolean {
  return [
    'const',
    'local',
    'array',
    'set',
    'object',
    'comprehension',
    'grouped',
    'object-comprehension',
    'member',
  ].includes(op.op);
}

/** Whether the expression is true or false, never undefined. */
function isBoolean(op: Op): boolean {
  return op.op === 'member' || (op.op === 'compare' && op.by === 'equal');
}
