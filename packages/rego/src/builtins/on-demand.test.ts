import { describe, expect, it } from 'vitest';
import { parseModuleSource } from '../syntax/parser.js';
import { coreBuiltins } from './core.js';
import { builtins as all } from './index.js';
import { builtins, loadBuiltinsFor } from './on-demand.js';
import { rareFamilies } from './rare-families.js';

const load = (text: string): Promise<void> =>
  loadBuiltinsFor([`package p\n${text}\n`], (source) => parseModuleSource('p.rego', source, { version: 'v1' }));

describe('rare families', () => {
  it('are found by prefixes that no other family has', async () => {
    const names = new Set(coreBuiltins.map((builtin) => builtin.name));
    for (const { prefixes, load: loadFamily } of rareFamilies) {
      const own = (await loadFamily()).map((builtin) => builtin.name);
      for (const name of own)
        expect(
          prefixes.some((prefix) => name.startsWith(prefix)),
          name,
        ).toBe(true);
      for (const name of names)
        expect(
          prefixes.some((prefix) => name.startsWith(prefix)),
          name,
        ).toBe(false);
      for (const name of own) names.add(name);
    }
    expect([...names].sort()).toEqual([...all.keys()].sort());
  });
});

describe('the table that grows', () => {
  it('starts with the core', () => {
    expect(builtins.size).toBe(coreBuiltins.length);
  });

  it('loads nothing for words that are no calls', async () => {
    await load('allow if input.yaml == "graphql.parse" # io.jwt.decode');
    expect(builtins.size).toBe(coreBuiltins.length);
  });

  it.each([
    ['a call', 'x := graphql.is_valid("", "")', 'graphql.is_valid'],
    ['a quoted name', 'x := io["jwt"].decode("")', 'io.jwt.decode'],
    ['a replacement in `with`', 'x if true with json.match_schema as true', 'json.match_schema'],
    ['what replaces in `with`', 'x if true with http.send as yaml.marshal', 'yaml.marshal'],
    ['a call in a template', 'x := $"{strings.render_template(input.a, {})}"', 'strings.render_template'],
    [
      'a call in a default of a function',
      'f(x) := [y | some y in [crypto.parse_private_keys(x)]]',
      'crypto.parse_private_keys',
    ],
    ['an else branch', 'x := 1 if false else := providers.aws.sign_req({}, {}, 0)', 'providers.aws.sign_req'],
  ])('loads a family for %s', async (_title, text, name) => {
    await load(text);
    expect(builtins.has(name)).toBe(true);
  });
});
