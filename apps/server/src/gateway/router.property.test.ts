/** The tree finds what a plain list finds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RouteMatcher, Router } from './router.js';

const segment = fc.constantFrom('a', 'b', 'ab', 'abc', 'x');
const literal = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const pattern = fc.oneof(
  literal,
  literal.map((path) => `${path}/*`),
  literal.map((path) => `${path}*`),
  fc.constant('/*'),
  fc.tuple(literal, segment).map(([path, last]) => `${path}/:id/${last}`),
  literal.map((path) => `${path}/:id`),
);
const host = fc.constantFrom('a.example', 'b.a.example', '*.example', '*.a.example', '*');
const matcher = fc.record({
  paths: fc.array(pattern, { minLength: 1, maxLength: 2 }),
  hosts: fc.array(host, { maxLength: 2 }),
  methods: fc.subarray(['GET', 'POST']),
  priority: fc.integer({ min: 0, max: 2 }),
});
const subject = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT'),
  host: fc.constantFrom('a.example', 'b.a.example', 'c.example', 'other'),
  path: fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`),
});

/** The rules as one sorted list: host group, then exactness, then length of the literal, then priority, then parameters, then order. */
function reference(
  routes: readonly RouteMatcher<number>[],
  asked: { method: string; host: string; path: string },
): number | undefined {
  const all = routes.flatMap((route) =>
    route.paths.flatMap((path) =>
      (route.hosts.length === 0 ? ['*'] : route.hosts).map((name) => {
        const special = path.search(/\/:[A-Za-z_]|\*$/);
        const isExact = special < 0;
        const literalLength = isExact ? path.length : path[special] === '*' ? special : special + 1;
        const source = path.replace(/\/:[a-z]+/g, '/[^/]+').replace(/\*$/, '.*');
        const hostRank = name === '*' ? 0 : name.startsWith('*') ? name.length : 1_000;
        const fitsHost =
          name === '*' ||
          (name.startsWith('*')
            ? asked.host.endsWith(name.slice(1)) && asked.host.length > name.length - 1
            : name === asked.host);
        return {
          route,
          isExact,
          literalLength,
          hostRank,
          hasParameter: path.includes(':'),
          fits: fitsHost && new RegExp(`^${source}$`).test(asked.path),
        };
      }),
    ),
  );
  const fitting = all.filter(
    ({ route, fits }) => fits && (route.methods.length === 0 || route.methods.includes(asked.method)),
  );
  fitting.sort(
    (a, b) =>
      b.hostRank - a.hostRank ||
      Number(b.isExact) - Number(a.isExact) ||
      (a.isExact ? 0 : b.literalLength - a.literalLength) ||
      b.route.priority - a.route.priority ||
      Number(b.hasParameter) - Number(a.hasParameter),
  );
  return fitting[0]?.route.target;
}

describe('Router', () => {
  it('finds what a sorted list finds, for any routes and requests', () => {
    fc.assert(
      fc.property(
        fc.array(matcher, { maxLength: 8 }),
        fc.array(subject, { minLength: 1, maxLength: 10 }),
        (definitions, subjects) => {
          const routes = definitions.map((definition, target) => ({ ...definition, target }));
          const router = new Router(routes);
          for (const asked of subjects) expect(router.find(asked)?.target).toBe(reference(routes, asked));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
