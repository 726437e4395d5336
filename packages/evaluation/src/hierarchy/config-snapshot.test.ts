/** The hierarchy: which entry wins, where a value came from, references and their bounds. */
import { describe, expect, it } from 'vitest';
import { applyCommand, createRollout } from '../rollouts/apply-command.js';
import type { Rollout } from '../rollouts/rollout.js';
import type { ConfigEntry } from './config-entry.js';
import { compileConfig } from './config-snapshot.js';

const scope = { appId: 'shop', environment: 'prod' };
const at = (key: string, value: ConfigEntry['value'], more: Partial<ConfigEntry> = {}): ConfigEntry => ({
  key,
  value,
  ...more,
});
const get = (entries: readonly ConfigEntry[], key: string): unknown => compileConfig(entries, scope).get(key);

describe('the hierarchy', () => {
  const entries = [
    at('a', 3, { appId: 'shop', environment: 'prod' }),
    at('a', 1),
    at('a', 2, { appId: 'shop' }),
    at('b', 2, { appId: 'shop' }),
    at('b', 1),
    at('c', 1),
    at('c', 9, { appId: 'other' }),
    at('c', 8, { appId: 'shop', environment: 'test' }),
  ];

  it('lets the most specific entry win, whatever the order', () => {
    const snapshot = compileConfig(entries, scope);
    expect(snapshot.effective().map(({ key, value, source }) => [key, value, source.level])).toEqual([
      ['a', 3, 'environment'],
      ['b', 2, 'app'],
      ['c', 1, 'global'],
    ]);
  });

  it('gives global entries only without an app', () => {
    expect(
      compileConfig(entries)
        .effective()
        .map(({ value }) => value),
    ).toEqual([1, 1, 1]);
  });

  it('tells for each path of a merged value which entry gave it', () => {
    const snapshot = compileConfig(
      [
        at('db', { host: 'global', pool: { min: 1, max: 5 } }, { id: 'g' }),
        at('db', { pool: { max: 20 } }, { id: 'e', appId: 'shop', environment: 'prod', merge: 'deep' }),
      ],
      scope,
    );
    const explained = snapshot.explain('db');
    expect(explained?.value).toEqual({ host: 'global', pool: { min: 1, max: 20 } });
    expect(Object.fromEntries([...(explained?.sources ?? [])].map(([path, { entry }]) => [path, entry.id]))).toEqual({
      '/host': 'g',
      '/pool/min': 'g',
      '/pool/max': 'e',
    });
  });

  it('replaces when it is not told to merge, and merges over a text by replacing it', () => {
    expect(get([at('x', { a: 1 }), at('x', { b: 2 }, { appId: 'shop' })], 'x')).toEqual({ b: 2 });
    expect(get([at('x', 'text'), at('x', { b: 2 }, { appId: 'shop', merge: 'deep' })], 'x')).toEqual({ b: 2 });
  });

  it('refuses an environment without an app and a key set twice at one level, and keeps the rest', () => {
    const snapshot = compileConfig([at('a', 1), at('a', 2), at('b', 1, { environment: 'prod' }), at('c', 1)], scope);
    expect(snapshot.faults.map(({ path, code }) => [path, code])).toEqual([
      ['/a', 'config.duplicate'],
      ['/b', 'config.environment_without_app'],
    ]);
    expect(snapshot.get('c')).toBe(1);
    expect(snapshot.get('a')).toBe(1);
  });

  it('refuses a value nested without bound, and keeps the rest', () => {
    let value: ConfigEntry['value'] = 1;
    for (let depth = 0; depth < 50_000; depth += 1) value = [value];
    const snapshot = compileConfig([at('deep', value), at('ok', 1)]);
    expect(snapshot.faults.map(({ code }) => code)).toEqual(['config.too_deep']);
    expect(snapshot.get('ok')).toBe(1);
  });

  it('never lets a key called __proto__ reach a prototype', () => {
    const value = JSON.parse('{"__proto__": {"polluted": true}}') as ConfigEntry['value'];
    const merged = get([at('x', value), at('x', value, { appId: 'shop', merge: 'deep' })], 'x');
    expect(Object.keys(merged as object)).toEqual(['__proto__']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect((merged as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('hands out values nobody can change', () => {
    const value = { a: [1] };
    const got = get([at('x', value)], 'x') as { a: number[] };
    expect(() => got.a.push(2)).toThrow(TypeError);
    value.a.push(3);
    expect(got).toEqual({ a: [1] });
  });
});

describe('references', () => {
  const cases: readonly (readonly [string, Record<string, ConfigEntry['value']>, unknown])[] = [
    ['keeps the type of a whole value', { x: '${n}', n: 5 }, 5],
    ['puts a value inside a text', { x: 'port ${n}!', n: 5 }, 'port 5!'],
    ['follows chains', { x: '${y}', y: '${z}', z: [1, '${w}'], w: true }, [1, true]],
    ['takes a default where a key is missing', { x: '${n:8080}' }, 8080],
    ['takes a text as default', { x: 'http://${host:localhost}:${port:80}' }, 'http://localhost:80'],
    ['takes an empty default', { x: '${n:}' }, ''],
    ['nests defaults', { x: '${a:${b:last}}' }, 'last'],
    ['leaves an escaped reference alone', { x: '$${n} and ${n}', n: 1 }, '${n} and 1'],
    ['reads a path into a value', { x: '${db.pool.max}', db: { pool: { max: 7 } } }, 7],
    ['prefers the longer key', { x: '${db.host}', db: { host: 'inner' }, 'db.host': 'outer' }, 'outer'],
    ['resolves inside objects', { x: { url: 'http://${h}' }, h: 'a' }, { url: 'http://a' }],
    ['keeps dollars that are none', { x: 'cost $5 {a} $' }, 'cost $5 {a} $'],
  ];
  it.each(cases)('%s', (_name, values, expected) => {
    const snapshot = compileConfig(Object.entries(values).map(([key, value]) => at(key, value)));
    expect(snapshot.faults).toEqual([]);
    expect(snapshot.get('x')).toEqual(expected);
  });

  const faulty: readonly (readonly [string, Record<string, ConfigEntry['value']>, string, RegExp])[] = [
    ['names a circle', { x: '${y}', y: 'a${z}', z: { deep: ['${x}'] } }, 'reference.cycle', /x → y → z → x/],
    ['names a circle of one', { x: '${x}' }, 'reference.cycle', /x → x/],
    ['refuses an unknown key', { x: ['${nothing}'] }, 'reference.unknown', /nothing/],
    ['refuses an open reference', { x: 'a ${b' }, 'reference.syntax', /not closed/],
    ['refuses an object inside a text', { x: 'a ${b}', b: {} }, 'reference.not_scalar', /whole value/],
    ['refuses what leads to a fault', { x: '${y}', y: '${nothing}' }, 'reference.faulty', /'y'/],
  ];
  it.each(faulty)('%s', (_name, values, code, message) => {
    const snapshot = compileConfig([...Object.entries(values).map(([key, value]) => at(key, value)), at('ok', 1)]);
    const fault = snapshot.explain('x')?.fault;
    expect(fault?.code).toBe(code);
    expect(fault?.message).toMatch(message);
    expect(snapshot.get('x')).toBeUndefined();
    expect(snapshot.get('ok')).toBe(1);
  });

  it('refuses a value that grows without bound instead of building it', () => {
    const entries = Array.from({ length: 30 }, (_one, index) =>
      at(
        `k${index}`,
        Array.from({ length: 10 }, () => `\${k${index + 1}}`),
      ),
    );
    const snapshot = compileConfig([...entries, at('k30', 'lol')]);
    expect(snapshot.explain('k0')?.fault?.code).toBe('reference.faulty');
    expect(snapshot.faults.some(({ code }) => code === 'reference.too_large')).toBe(true);
    expect(snapshot.get('k29')).toHaveLength(10);
  });

  it('finds the same keys too deep in whatever order they are asked', () => {
    const chain = Array.from({ length: 200 }, (_one, index) => at(`k${index}`, `\${k${index + 1}}`));
    const entries = [...chain, at('k200', 'end')];
    const valued = (list: readonly ConfigEntry[]): string[] => {
      const snapshot = compileConfig(list);
      return snapshot.keys().filter((key) => snapshot.get(key) !== undefined);
    };
    expect(valued(entries)).toEqual(valued(entries.toReversed()));
    expect(valued(entries)).toHaveLength(64);
  });
});

describe('a candidate under a rollout', () => {
  const running = (audience: readonly string[]): Rollout => {
    const created = createRollout({ id: 'r', strategy: { kind: 'targeting', audience: { users: audience } } }, 0);
    if ('error' in created) throw new Error(created.error.message);
    const started = applyCommand(created.rollout, { kind: 'start' }, 0);
    if ('error' in started) throw new Error(started.error.message);
    return started.rollout;
  };

  it('reaches those who are exposed, through references and merges too', () => {
    const snapshot = compileConfig(
      [
        at('host', 'old', { candidate: { value: 'new', rollout: running(['ann']) } }),
        at('url', 'http://${host}/'),
        at('db', { url: '${url}', size: 1 }),
        at(
          'db',
          { size: 2 },
          { appId: 'shop', merge: 'deep', candidate: { value: { size: 3 }, rollout: running(['bob']) } },
        ),
      ],
      scope,
    );
    const ask = (targetingKey: string): unknown => snapshot.get('db', { targetingKey }, 1);
    expect(ask('ann')).toEqual({ url: 'http://new/', size: 2 });
    expect(ask('bob')).toEqual({ url: 'http://old/', size: 3 });
    expect(ask('eve')).toEqual({ url: 'http://old/', size: 2 });
    expect(snapshot.get('db')).toEqual({ url: 'http://old/', size: 2 });
    expect(snapshot.get('url', { targetingKey: 'ann' }, 1)).toBe('http://new/');
  });

  it('makes its own snapshot vary, and neither another one nor the one before', () => {
    const rolling = at('x', 1, { candidate: { value: 2, rollout: running(['ann']) } });
    const plain = at('x', 1);
    const before = compileConfig([plain, at('y', 1)], scope);
    const after = compileConfig([rolling, at('y', 1)], scope, { previous: before });
    const beside = compileConfig([at('x', 3), at('y', 1)], scope, { previous: before });
    expect([before, after, beside].map((one) => [one.isVarying, one.varies('x'), one.varies('y')])).toEqual([
      [false, false, false],
      [true, true, false],
      [false, false, false],
    ]);
    const further = compileConfig([plain, at('y', 2)], scope, { previous: before });
    expect([further.isVarying, further.get('x'), further.get('y')]).toEqual([false, 1, 2]);
    expect(further.identityOf('x')).toBe(before.identityOf('x'));
    expect(further.identityOf('y')).not.toBe(before.identityOf('y'));
    expect(compileConfig([at('x', 1)], scope).isVarying).toBe(false);
  });

  it('finds faults of the candidate before anybody gets it', () => {
    const entry = at('x', 1, { candidate: { value: '${nothing}', rollout: running(['ann']) } });
    expect(compileConfig([entry]).faults.map(({ code }) => code)).toEqual(['reference.unknown']);
  });
});
