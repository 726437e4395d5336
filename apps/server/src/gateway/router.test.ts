import { describe, expect, it } from 'vitest';
import { type RouteMatcher, Router } from './router.js';

const route = (target: string, paths: string[], more: Partial<RouteMatcher<string>> = {}): RouteMatcher<string> => ({
  paths,
  hosts: [],
  methods: [],
  priority: 0,
  target,
  ...more,
});
const find = (router: Router<string>, path: string, method = 'GET', host = 'a.example') =>
  router.find({ method, host, path })?.target;

describe('Router', () => {
  it('prefers an exact path, then parameters, then the longest prefix', () => {
    const router = new Router([
      route('all', ['/*']),
      route('prefix', ['/a/*']),
      route('parameter', ['/a/:id']),
      route('exact', ['/a/b']),
    ]);
    expect(find(router, '/a/b')).toBe('exact');
    expect(find(router, '/a/c')).toBe('parameter');
    expect(find(router, '/a/c/d')).toBe('prefix');
    expect(find(router, '/x')).toBe('all');
  });

  it('hands the parameters over', () => {
    expect(
      new Router([route('r', ['/p/:project/files/*'])]).find({ method: 'GET', host: '', path: '/p/demo/files/a/b' })
        ?.parameters,
    ).toEqual({
      project: 'demo',
      '*': 'a/b',
    });
  });

  it('lets priority settle it among routes of the same path, and an exact path beat it, as APISIX does', () => {
    expect(find(new Router([route('low', ['/a']), route('high', ['/a'], { priority: 1 })]), '/a')).toBe('high');
    expect(find(new Router([route('exact', ['/a']), route('urgent', ['/*'], { priority: 1 })]), '/a')).toBe('exact');
  });

  it('tries the exact host first, then the longest wildcard, then routes without a host', () => {
    const router = new Router([
      route('any', ['/a']),
      route('wide', ['/*'], { hosts: ['*.example'] }),
      route('narrow', ['/*'], { hosts: ['*.b.example'] }),
      route('exact', ['/*'], { hosts: ['a.b.example'] }),
    ]);
    expect(['a.b.example', 'c.b.example', 'c.example', 'other'].map((host) => find(router, '/a', 'GET', host))).toEqual(
      ['exact', 'narrow', 'wide', 'any'],
    );
  });

  it('looks at method and host, wildcards included', () => {
    const router = new Router([
      route('post', ['/a'], { methods: ['POST'] }),
      route('host', ['/a'], { hosts: ['*.example'] }),
    ]);
    expect(find(router, '/a', 'POST', 'other')).toBe('post');
    expect(find(router, '/a')).toBe('host');
    expect(find(router, '/a', 'GET', 'other')).toBeUndefined();
  });

  it('does not take a dot in a path for a wildcard', () => {
    expect(find(new Router([route('r', ['/a.b/*'])]), '/axb/c')).toBeUndefined();
  });
});
