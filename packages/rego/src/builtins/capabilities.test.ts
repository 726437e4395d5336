import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { builtins, capabilities } from './index.js';

/** OPA 1.22's own list, where the checkout has the conformance data beside it. */
const OFFICIAL = new URL('../../../../../shared/conformance/rego/capabilities.json', import.meta.url);

interface Document {
  readonly builtins: readonly { readonly name: string }[];
}

const byName = (document: Document): Map<string, unknown> =>
  new Map(document.builtins.map((entry) => [entry.name, JSON.parse(JSON.stringify(entry)) as unknown]));

describe('the table of built-ins', () => {
  it.skipIf(!existsSync(OFFICIAL))('declares what OPA 1.22 declares', () => {
    const wanted = byName(JSON.parse(readFileSync(OFFICIAL, 'utf8')) as Document);
    const found = byName(capabilities());
    expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [name, entry] of wanted) expect(found.get(name), name).toEqual(entry);
  });

  it.skipIf(!existsSync(OFFICIAL))('is published as a document that says what OPA’s says, WebAssembly aside', () => {
    const { wasm_abi_versions: _none, ...wanted } = JSON.parse(readFileSync(OFFICIAL, 'utf8')) as Record<
      string,
      unknown
    >;
    expect(JSON.parse(readFileSync(new URL('../../capabilities.json', import.meta.url), 'utf8'))).toEqual(wanted);
  });

  it('has 206 entries', () => {
    expect(builtins.size).toBe(206);
  });

  it('documents every entry', () => {
    for (const { docs, name } of builtins.values()) {
      expect(docs.description, name).toMatch(/\.$|^The |^Whether /);
      expect(docs.categories.length, name).toBeGreaterThan(0);
    }
  });
});
