/**
 * `cost_expr` of `ai-rate-limiting`: what a call costs, as Lua would work it out of the provider's own usage fields. Arithmetic alone: numbers,
 * names (0 when the provider does not say them), `+ - * / // % ^`, brackets, and `abs ceil floor max min` with or without `math.` before.
 */

/** Of the usage only numbers count. Throws when the result is no finite number. */
export type CostExpression = (usage: Readonly<Record<string, unknown>>) => number;

type Node = (usage: Readonly<Record<string, unknown>>) => number;

const functions: Readonly<Record<string, (...values: number[]) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  max: Math.max,
  min: Math.min,
};

const token =
  /\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)|(\/\/|[-+*/%^(),]))/y;
const maxDepth = 50;

/** Lua's remainder has the sign of the divisor. */
const remainder = (a: number, b: number): number => a - Math.floor(a / b) * b;

/** Throws with what is wrong. The result is whole and not negative; what is no number throws when it is worked out. */
export function compileCostExpression(text: string): CostExpression {
  const read = new Reader(text);
  const node = read.sum(0);
  if (!read.isAtEnd) throw new SyntaxError(`'${read.shown}' is not expected`);
  return (usage) => {
    const value = node(usage);
    if (!Number.isFinite(value)) throw new RangeError('the cost expression gives no finite number');
    return Math.max(0, Math.floor(value + 0.5));
  };
}

class Reader {
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    token.lastIndex = 0;
    const end = text.trimEnd().length;
    while (token.lastIndex < end) {
      const from = token.lastIndex;
      const found = token.exec(text);
      if (!found) throw new SyntaxError(`'${text.slice(from).trim().slice(0, 20)}' is not understood`);
      this.#tokens.push(found[0].trim());
    }
  }

  get isAtEnd(): boolean {
    return this.#at === this.#tokens.length;
  }

  get shown(): string {
    return this.#tokens[this.#at] ?? 'the end';
  }

  #take(...wanted: readonly string[]): string | undefined {
    const next = this.#tokens[this.#at];
    if (next === undefined || !wanted.includes(next)) return undefined;
    this.#at += 1;
    return next;
  }

  #expect(wanted: string): void {
    if (this.#take(wanted) === undefined) throw new SyntaxError(`'${wanted}' is missing before ${this.shown}`);
  }

  sum(depth: number): Node {
    if (depth > maxDepth) throw new SyntaxError('it is nested too deeply');
    let left = this.#product(depth);
    for (let sign = this.#take('+', '-'); sign !== undefined; sign = this.#take('+', '-')) {
      const [a, b, isPlus] = [left, this.#product(depth), sign === '+'];
      left = isPlus ? (usage) => a(usage) + b(usage) : (usage) => a(usage) - b(usage);
    }
    return left;
  }

  #product(depth: number): Node {
    let left = this.#signed(depth);
    for (let sign = this.#take('*', '/', '//', '%'); sign !== undefined; sign = this.#take('*', '/', '//', '%')) {
      const [a, b] = [left, this.#signed(depth)];
      if (sign === '*') left = (usage) => a(usage) * b(usage);
      else if (sign === '/') left = (usage) => a(usage) / b(usage);
      else if (sign === '//') left = (usage) => Math.floor(a(usage) / b(usage));
      else left = (usage) => remainder(a(usage), b(usage));
    }
    return left;
  }

  /** A power binds more tightly than a sign before it, and from the right. */
  #signed(depth: number): Node {
    if (depth > maxDepth) throw new SyntaxError('it is nested too deeply');
    if (this.#take('-') !== undefined) {
      const value = this.#signed(depth + 1);
      return (usage) => -value(usage);
    }
    const base = this.#value(depth);
    if (this.#take('^') === undefined) return base;
    const exponent = this.#signed(depth + 1);
    return (usage) => base(usage) ** exponent(usage);
  }

  #value(depth: number): Node {
    const next = this.#tokens[this.#at];
    if (next === undefined) throw new SyntaxError('it ends too early');
    this.#at += 1;
    if (next === '(') {
      const inner = this.sum(depth + 1);
      this.#expect(')');
      return inner;
    }
    if (/^[.\d]/.test(next)) {
      const value = Number(next);
      return () => value;
    }
    if (!/^[A-Za-z_]/.test(next)) throw new SyntaxError(`'${next}' is not expected`);
    if (this.#tokens[this.#at] === '(') return this.#call(next, depth);
    if (next.includes('.')) throw new SyntaxError(`'${next}' is not a field of the usage`);
    return (usage) => {
      const value = Object.hasOwn(usage, next) ? usage[next] : 0;
      return typeof value === 'number' ? value : 0;
    };
  }

  #call(name: string, depth: number): Node {
    const bare = name.startsWith('math.') ? name.slice('math.'.length) : name;
    const apply = Object.hasOwn(functions, bare) ? functions[bare] : undefined;
    if (!apply) throw new SyntaxError(`'${name}' is no function that it knows: ${Object.keys(functions).join(', ')}`);
    this.#expect('(');
    const values = [this.sum(depth + 1)];
    while (this.#take(',') !== undefined) values.push(this.sum(depth + 1));
    this.#expect(')');
    return (usage) => apply(...values.map((value) => value(usage)));
  }
}
