/** Header changes as `proxy-rewrite` and `response-rewrite` write them: add, set, remove, with variables in the values. */
import type { Exchange } from './exchange.js';
import { templateOf } from './variables.js';

type Scalar = string | number;

export interface HeaderChanges {
  readonly add: readonly (readonly [name: string, values: readonly Template[]])[];
  readonly set: readonly (readonly [name: string, values: readonly Template[]])[];
  readonly remove: readonly string[];
}

type Template = (exchange: Exchange) => string;

interface Written {
  readonly add?: Readonly<Record<string, Scalar | readonly Scalar[]>> | readonly string[];
  readonly set?: Readonly<Record<string, Scalar | readonly Scalar[]>>;
  readonly remove?: readonly string[];
}

/** The old form, a plain table of names, means `set`. `make` turns a text into a template. */
export function headerChanges(
  written: unknown,
  make: (text: string) => Template = templateOf,
): HeaderChanges | undefined {
  if (written === undefined) return undefined;
  const table = written as Record<string, unknown>;
  const isNew = Object.keys(table).every(
    (key) => ['add', 'set', 'remove'].includes(key) && typeof table[key] === 'object',
  );
  const { add = {}, set = {}, remove = [] } = (isNew ? table : { set: table }) as Written;
  const templates = (value: Scalar | readonly Scalar[]): readonly Template[] =>
    (Array.isArray(value) ? (value as readonly Scalar[]) : [value as Scalar]).map((one) => make(String(one)));
  const adds = Array.isArray(add)
    ? (add as readonly string[]).map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).trim(), [make(line.slice(colon + 1).trim())]] as const;
      })
    : Object.entries(add as Record<string, Scalar | readonly Scalar[]>).map(
        ([name, value]) => [name, templates(value)] as const,
      );
  return { add: adds, set: Object.entries(set).map(([name, value]) => [name, templates(value)] as const), remove };
}
