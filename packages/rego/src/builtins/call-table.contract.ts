/**
 * Table tests of built-ins: one line per call, written in Rego, with OPA 1.22's answer as compact
 * JSON, as `code: message` for an error, or `undefined`. Test support only.
 */
import { describe, expect, it } from 'vitest';
import { EMPTY_SET, makeObject, makeSet, parseNumber, stringifyJson, type Value } from '../values/index.js';
import { BuiltinError, builtins, createContext } from './index.js';

/** Reads the literal terms of a call: JSON, raw strings, sets and objects with any keys. */
class CallReader {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  call(): { readonly name: string; readonly args: readonly Value[] } {
    const open = this.text.indexOf('(');
    this.at = open + 1;
    return { name: this.text.slice(0, open), args: this.list(')') };
  }

  private skipSpace(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++;
  }

  private list(close: string): Value[] {
    const items: Value[] = [];
    for (this.skipSpace(); this.text[this.at] !== close; this.skipSpace()) {
      if (this.text[this.at] === ',') this.at++;
      items.push(this.term());
    }
    this.at++;
    return items;
  }

  private term(): Value {
    this.skipSpace();
    const rest = this.text.slice(this.at);
    if (rest.startsWith('set()')) {
      this.at += 5;
      return EMPTY_SET;
    }
    if (rest.startsWith('[')) {
      this.at++;
      return this.list(']');
    }
    if (rest.startsWith('{')) return this.braces();
    const token = /^(?:"(?:[^"\\]|\\.)*"|`[^`]*`|[-\w.+]+)/.exec(rest)?.[0];
    if (token === undefined) throw new SyntaxError(`no term at ${rest}`);
    this.at += token.length;
    if (token.startsWith('`')) return token.slice(1, -1);
    return /^[-\d]/.test(token) ? (parseNumber(token) as Value) : (JSON.parse(token) as Value);
  }

  private braces(): Value {
    this.at++;
    this.skipSpace();
    if (this.text[this.at] === '}') {
      this.at++;
      return {};
    }
    const first = this.term();
    this.skipSpace();
    if (this.text[this.at] !== ':') return makeSet([first, ...this.list('}')]);
    this.at++;
    const entries: [Value, Value][] = [[first, this.term()]];
    for (this.skipSpace(); this.text[this.at] !== '}'; this.skipSpace()) {
      this.at++;
      const key = this.term();
      this.skipSpace();
      this.at++;
      entries.push([key, this.term()]);
    }
    this.at++;
    return makeObject(entries);
  }
}

/** The answer of a call, in the notation of the tables. */
export function answerOf(call: string): string {
  const { name, args } = new CallReader(call).call();
  const builtin = builtins.get(name);
  if (builtin === undefined) return `unknown built-in ${name}`;
  try {
    const value = builtin.evaluate(args, createContext({ seed: 'table' }));
    return value === undefined ? 'undefined' : stringifyJson(value);
  } catch (error) {
    if (error instanceof BuiltinError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

/** Declares a test for each call. */
export function expectCalls(family: string, rows: readonly (readonly [call: string, answer: string])[]): void {
  describe(`${family} answers as OPA does`, () => {
    it.each(rows)('%s', (call, answer) => {
      expect(answerOf(call)).toBe(answer);
    });
  });
}
