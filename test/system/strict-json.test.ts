import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JsonSyntaxError, parseStrictJson, parseStrictJsonInSteps } from '../../apps/server/src/http/strict-json.js';
import { repositoryRoot, startTestServer, type TestServer } from './harness.js';

const folder = join(repositoryRoot, '../shared/conformance/security/json');
const files = existsSync(folder) ? readdirSync(folder) : [];
if (files.length === 0 && process.env['CI'] === 'true') throw new Error(`${folder} is missing`);

const options = { maxDepth: 64 };

describe('the strict JSON reader', () => {
  it.each([
    ['a duplicate key', '{"a":1,"a":2}'],
    ['a duplicate key by escape', '{"a":1,"\\u0061":2}'],
    ['__proto__', '{"__proto__":{}}'],
    ['__proto__ by escape', '{"\\u005f_proto__":{}}'],
    ['a byte order mark', '\ufeff{}'],
    ['nesting beyond the limit', '['.repeat(65) + ']'.repeat(65)],
    ['a bare control character', '"\n"'],
    ['a number that no double holds', '1e999'],
    ['nothing', ''],
    ['two values', '{} {}'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseStrictJson(text, options)).toThrow(JsonSyntaxError);
  });

  it.each(files.filter((name) => name.endsWith('.json')))('says the same of %s in steps', (name) => {
    const bytes = readFileSync(join(folder, name));
    const outcomeOf = (read: () => unknown): unknown => {
      try {
        return { value: read() };
      } catch (error) {
        return String(error);
      }
    };
    const inSteps = outcomeOf(() => {
      const reading = parseStrictJsonInSteps(bytes, options);
      let step = reading.next();
      while (step.done !== true) step = reading.next();
      return step.value;
    });
    expect(inSteps).toEqual(outcomeOf(() => parseStrictJson(bytes, options)));
  });

  it('rests between the steps', () => {
    const text = JSON.stringify(Array.from({ length: 20_000 }, (_unused, id) => ({ id })));
    const reading = parseStrictJsonInSteps(text, options);
    let steps = 1;
    for (let step = reading.next(); step.done !== true; step = reading.next()) steps += 1;
    expect(steps).toBeGreaterThan(10);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseStrictJson(new Uint8Array([0x22, 0xff, 0x22]), options)).toThrow('UTF-8');
  });

  it('says where', () => {
    expect(() => parseStrictJson('{\n  "a": nope\n}', options)).toThrow('line 2, column 8');
  });

  it('reads what JSON.parse reads, `constructor` and `toString` keys included', () => {
    const text = '{"a":[1,-2.5e3,true,false,null,"\\u00e9\\n\\"\\\\/"],"constructor":{"toString":1},"":{}}';
    expect(parseStrictJson(text, options)).toEqual(JSON.parse(text));
  });

  it('hands numbers on that a double would round', () => {
    const seen: string[] = [];
    parseStrictJson('[12345678901234567890, 0.1, 1e5]', { ...options, onBigNumber: (literal) => seen.push(literal) });
    expect(seen).toEqual(['12345678901234567890', '1e5']);
  });
});

describe.skipIf(files.length === 0)('bodies of JSONTestSuite (../shared is needed)', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ demo: 'false' });
  });
  afterAll(async () => {
    await server.stop();
  });

  /** RFC 8259 leaves duplicate keys open; two readers may read them differently, so we refuse them. */
  const refusedOnPurpose = new Set(['y_object_duplicated_key.json', 'y_object_duplicated_key_and_value.json']);

  /** Every JSON route; the ETag and names lead to nothing that exists. */
  const routes: readonly (readonly [method: string, path: string])[] = [
    ['PUT', '/policies/json'],
    ['PATCH', '/policies/json'],
    ['POST', '/policies/json/rollback'],
    ['POST', '/policies/json/check'],
    ['POST', '/api/v1/api-keys'],
    ['POST', '/api/v1/users'],
    ['POST', '/v1/data/x'],
    ['POST', '/v0/data/x'],
    ['POST', '/v1/query'],
    ['POST', '/status'],
    ['POST', '/logs'],
  ];

  it.each(routes)('%s %s refuses every n_ file with 400 and never fails on any', async (method, path) => {
    for (const name of files) {
      const raw = new Uint8Array(readFileSync(join(folder, name)));
      // An empty body is no JSON body: some routes take none.
      if (raw.length === 0) continue;
      const answer = await server.call(method, path, { raw });
      const about = `${name} → ${answer.status} ${answer.text.slice(0, 100)}`;
      expect(answer.status, about).toBeLessThan(500);
      if (name.startsWith('n_')) expect([answer.status, answer.json?.code], about).toEqual([400, 'validation_error']);
      if (name.startsWith('y_') && !refusedOnPurpose.has(name))
        expect(answer.json?.reason, about).not.toBe('request.bad_json');
    }
  });
});
