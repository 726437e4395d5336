import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compile,
  type Filter,
  isPartialEvaluationError,
  matchesFilter,
  mountModuleText,
  partialDecision,
  partialFilter,
  RegoSet,
  type Value,
} from '../index.js';

const MODULE = `package f
default include := false
include if input.doc.owner == input.user
include if { input.doc.public; not input.doc.archived }
include if { input.doc.level < data.levels[input.doc.kind]; input.doc.team in data.teams[input.user] }
include if { startswith(input.doc.path, "/pub/"); input.doc.level != 3 }
include if { some t in input.doc.tags; t == "open" }
include if is_admin
is_admin if input.user == "root"`;
const DATA = { teams: { u1: ['a', 'b'] }, levels: { x: 1, y: 3 } };
const policy = compile({ modules: [{ name: 'f.rego', text: MODULE }], data: DATA });

describe('partial evaluation', () => {
  it('agrees with full evaluation on every document', () => {
    const doc = fc.record(
      {
        owner: fc.constantFrom('u1', 'u2', null),
        public: fc.constantFrom(true, false, 'yes'),
        archived: fc.boolean(),
        level: fc.integer({ min: 0, max: 4 }),
        kind: fc.constantFrom('x', 'y', 'z'),
        team: fc.constantFrom('a', 'c'),
        path: fc.constantFrom('/pub/a', '/priv', 7),
        tags: fc.array(fc.constantFrom('open', 'closed')),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(doc, fc.constantFrom('u1', 'u2', 'root'), (document, user) => {
        const filter = partialFilter(policy, 'data.f.include', { unknowns: ['input.doc'], input: { user } });
        const full = policy.evaluate('data.f.include', { user, doc: document as Value });
        expect(matchesFilter(filter, document as Value)).toBe(full === true);
      }),
      { numRuns: 500 },
    );
  });

  it('answers whether an allow is true and a deny holds as the decision does, on every document', () => {
    const rules = [
      'default allow := false',
      'allow if { some group in input.document.groups; group in input.claims.groups }',
      'allow if input.document.metadata.level <= input.claims.level',
      'allow if object.get(input.document.metadata, "level", 0) <= input.claims.level',
      'allow if not "secret" in input.document.tags',
      'allow := "yes" if input.document.metadata.level == 3',
      'allow := input.document.metadata.open',
      'allow := false if input.document.metadata.level == 1',
      'allow if { input.document.metadata.team == input.claims.team } else := false if input.claims.level > 2',
      'deny contains "secret" if "secret" in input.document.tags',
      'deny contains tag if { some tag in input.document.tags; tag in data.closed }',
      'deny contains "level" if { input.document.metadata.level > input.claims.level; not override }',
      'override if input.document.metadata.team == "a"',
    ];
    const tags = fc.uniqueArray(fc.constantFrom('secret', 'open', 'a'));
    const metadata = fc.record(
      { level: fc.nat(4), open: fc.boolean(), team: fc.constantFrom('a', 'b') },
      { requiredKeys: [] },
    );
    const document = fc.record({ groups: tags, tags, metadata });
    const claims = fc.record({ groups: tags, level: fc.nat(3), team: fc.constantFrom('a', 'b') });
    let translated = 0;
    fc.assert(
      fc.property(fc.subarray(rules, { minLength: 1 }), fc.array(document), claims, (some, documents, who) => {
        const text = `package p\n\n${['override if input.claims.level == 3', ...some].join('\n')}`;
        const one = compile({ modules: [{ name: 'p.rego', text }], data: { closed: ['a'] } });
        const options = { input: { claims: who }, unknowns: ['input.document'] };
        let filters: { readonly allow: Filter; readonly deny: Filter };
        try {
          filters = {
            allow: partialDecision(one, 'data.p.allow', 'true', options),
            deny: partialDecision(one, 'data.p.deny', 'holds', options),
          };
        } catch (error) {
          if (!isPartialEvaluationError(error)) throw error;
          return;
        }
        translated += 1;
        for (const each of documents) {
          const input = { claims: who, document: each as Value };
          let allow: Value | undefined;
          try {
            allow = one.evaluate('data.p.allow', input);
          } catch {
            allow = undefined;
          }
          const deny = one.evaluate('data.p.deny', input);
          expect(matchesFilter(filters.allow, each as Value)).toBe(allow === true);
          expect(matchesFilter(filters.deny, each as Value)).toBe(deny instanceof RegoSet && [...deny].length > 0);
        }
      }),
      { numRuns: 1000 },
    );
    expect(translated).toBeGreaterThan(900);
  });

  it('leaves nothing where everything is decided', () => {
    expect(partialFilter(policy, 'data.f.include', { unknowns: ['input.doc'], input: { user: 'root' } })).toEqual({
      op: 'true',
    });
  });

  it('says where what cannot be translated stands', () => {
    const hard = compile({ modules: [{ name: 'h.rego', text: 'package h\n\np if count(input.xs) > 2' }] });
    try {
      partialFilter(hard, 'h/p', { unknowns: ['input'] });
      expect.unreachable();
    } catch (error) {
      if (!isPartialEvaluationError(error)) throw error;
      expect(error.message).toContain('count of an unknown value cannot be translated');
      expect(error.location).toMatchObject({ file: 'h.rego', row: 3 });
    }
  });
});

describe('mounting', () => {
  it('moves a module and its references under a prefix', () => {
    const text =
      'package app\n\nimport data.lib\nimport data.shared.tools\n\np if {\n\tdata.app.q\n\tlib.f(data.shared.x)\n\tdata[input.k] == 1\n}\n\nq := 1\n';
    const mounted = mountModuleText(text, 'tenants.acme', { shared: ['shared'] });
    expect(mounted).toContain('package tenants.acme.app');
    expect(mounted).toContain('import data.tenants.acme.lib');
    expect(mounted).toContain('import data.shared.tools');
    expect(mounted).toContain('data.tenants.acme.app.q');
    expect(mounted).toContain('lib.f(data.shared.x)');
    expect(mounted).toContain('data.tenants.acme[input.k] == 1');
  });
});
