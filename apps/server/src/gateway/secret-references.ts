/** `$secret://vault/NAME/PATH/KEY`, `$secret://local/PATH/KEY` and `$env://NAME[/KEY]` in the values of resources. */
import type { At } from './file-lines.js';

export type Reference =
  | {
      readonly kind: 'vault';
      readonly text: string;
      readonly manager: string;
      readonly path: string;
      readonly key: string;
    }
  | { readonly kind: 'local'; readonly text: string; readonly path: string; readonly key: string }
  | { readonly kind: 'env'; readonly text: string; readonly name: string; readonly key: string | undefined }
  | { readonly kind: 'malformed'; readonly text: string };

/** Undefined when the text is no reference at all. APISIX reads both prefixes without regard to case. */
export function parseReference(text: string): Reference | undefined {
  if (/^\$env:\/\//i.test(text)) {
    const [, name, key] = /^\$env:\/\/([A-Za-z_][A-Za-z0-9_]*)(?:\/(.+))?$/i.exec(text) ?? [];
    return name === undefined ? { kind: 'malformed', text } : { kind: 'env', text, name, key };
  }
  if (!/^\$secret:\/\//i.test(text)) return undefined;
  const [manager, ...rest] = text.slice('$secret://'.length).split('/');
  if (rest.some((part) => part === '' || part === '.' || part === '..')) return { kind: 'malformed', text };
  const key = rest.at(-1);
  if (manager === 'local' && rest.length >= 2 && key !== undefined)
    return { kind: 'local', text, path: rest.slice(0, -1).join('/'), key };
  const [name, ...path] = rest;
  if (manager === 'vault' && name !== undefined && path.length >= 2 && key !== undefined)
    return { kind: 'vault', text, manager: name, path: path.slice(0, -1).join('/'), key };
  return { kind: 'malformed', text };
}

export interface FoundReference {
  readonly reference: Reference;
  readonly at: At;
}

/** Every reference among a value's texts. */
export function referencesIn(value: unknown, at: At = []): readonly FoundReference[] {
  if (typeof value === 'string') {
    const reference = value.startsWith('$') ? parseReference(value) : undefined;
    return reference ? [{ reference, at }] : [];
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => referencesIn(item, [...at, index]));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, item]) => referencesIn(item, [...at, key]));
  return [];
}

/** The value with its references replaced; `lookUp` throws for one that has no value. */
export function withResolved<T>(value: T, lookUp: (text: string) => string): T {
  if (typeof value === 'string') return (value.startsWith('$') && parseReference(value) ? lookUp(value) : value) as T;
  if (Array.isArray(value)) return value.map((item) => withResolved(item, lookUp)) as T;
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withResolved(item, lookUp)])) as T;
  return value;
}
