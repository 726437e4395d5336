import { describe, expect, it } from 'vitest';
import { isRegoErrors, isRegoEvaluationError } from '../errors.js';
import type { Request } from './messages.js';
import { PolicyDesk, toFailure } from './policy-desk.js';
import { RegoWorker } from './rego-worker.js';
import type { WorkerPort } from './worker-line.js';

/** A worker in this very thread; it never answers evaluations of `data.stuck`. */
class LocalWorker implements WorkerPort {
  onmessage: WorkerPort['onmessage'] = null;
  onerror: WorkerPort['onerror'] = null;
  isEnded = false;
  private readonly desk = new PolicyDesk();

  postMessage(message: unknown): void {
    const { id, request } = structuredClone(message) as { id: number; request: Request };
    if (request.kind === 'evaluate' && request.subject === 'stuck') return;
    this.desk.answer(request).then(
      (value) => this.onmessage?.({ data: { id, ok: true, value } }),
      (error: unknown) => this.onmessage?.({ data: { id, ok: false, failure: toFailure(error) } }),
    );
  }

  terminate(): void {
    this.isEnded = true;
  }
}

function start(timeLimitMs = 5_000): { rego: RegoWorker; workers: LocalWorker[] } {
  const workers: LocalWorker[] = [];
  const createWorker = (): WorkerPort => {
    const worker = new LocalWorker();
    workers.push(worker);
    return worker;
  };
  return { rego: new RegoWorker({ createWorker, timeLimitMs }), workers };
}

const modules = [{ name: 'p.rego', text: 'package p\nallow if input.user in data.users\nbig := input.n + 1\n' }];

describe('the client', () => {
  it('compiles, evaluates, queries and explains', async () => {
    const { rego } = start();
    const policy = await rego.compile({ modules, data: { value: { users: ['ann'] } } });
    expect(await policy.evaluate('p/allow', { input: { value: { user: 'ann' } } })).toEqual({
      value: true,
      json: 'true',
    });
    expect((await policy.evaluate('p/allow', { input: { value: {} } })).value).toBeUndefined();
    expect(await policy.query('x = data.users[_]')).toEqual([{ x: 'ann' }]);
    const { trace } = await policy.explain('p/allow', { input: { value: { user: 'eve' } } });
    expect(trace.map(({ expression, outcome }) => [expression, outcome])).toContainEqual([
      'input.user in data.users',
      'false',
    ]);
  });

  it('keeps numbers of any size in JSON text', async () => {
    const { rego } = start();
    const policy = await rego.compile({ modules });
    const { json } = await policy.evaluate('p/big', { input: { text: '{"n": 123456789012345678901234567890}' } });
    expect(json).toBe('123456789012345678901234567891');
  });

  it('rejects with the engine’s errors', async () => {
    const { rego } = start();
    const broken = await rego.compile({ modules: [{ name: 'q.rego', text: 'package q\nx := y\n' }] }).catch((e) => e);
    expect(isRegoErrors(broken) && broken.errors[0]?.code).toBe('rego_unsafe_var_error');
    const policy = await rego.compile({ modules: [{ name: 'q.rego', text: 'package q\nx := 1\nx := 2\n' }] });
    const failed = await policy.evaluate('q/x').catch((error: unknown) => error);
    expect(isRegoEvaluationError(failed) && failed.code).toBe('eval_conflict_error');
  });

  it('checks and formats', async () => {
    const { rego } = start();
    const { errors } = await rego.check({ modules: [{ name: 'q.rego', text: 'package q\nx := f(1)\n' }] });
    expect(errors.map((error) => error.code)).toEqual(['rego_type_error']);
    expect((await rego.check({ modules })).errors).toEqual([]);
    expect(await rego.format('package  p\nx:=1')).toBe('package p\n\nx := 1\n');
  });

  it('loads rare built-ins before it compiles', async () => {
    const { rego } = start();
    const text = 'package y\nx := yaml.unmarshal("a: 1")\n';
    const policy = await rego.compile({ modules: [{ name: 'y.rego', text }] });
    expect((await policy.evaluate('y/x')).value).toEqual({ a: 1 });
  });
});

describe('a worker that is stuck', () => {
  it('is ended after the time limit; policies and their data are in the next one', async () => {
    const { rego, workers } = start(50);
    const policy = await rego.compile({ modules, data: { value: { users: ['ann'] } } });
    await policy.setData('users', { value: ['eve'] });
    const stuck = policy.evaluate('stuck').catch((error: unknown) => error);
    const next = policy.evaluate('p/allow', { input: { value: { user: 'eve' } } });
    const error = await stuck;
    expect(isRegoEvaluationError(error) && error.code).toBe('eval_cancel_error');
    expect((await next).value).toBe(true);
    expect(workers.map((worker) => worker.isEnded)).toEqual([true, false]);
  });

  it('is ended by the signal of the request that runs, and only of that', async () => {
    const { rego, workers } = start();
    const policy = await rego.compile({ modules });
    const [first, second] = [new AbortController(), new AbortController()];
    const stuck = policy.evaluate('stuck', { signal: first.signal }).catch((error: unknown) => error);
    const waiting = policy.evaluate('p/allow', { signal: second.signal }).catch((error: unknown) => error);
    second.abort(new Error('not needed'));
    expect(await waiting).toEqual(new Error('not needed'));
    expect(workers[0]?.isEnded).toBe(false);
    first.abort(new Error('given up'));
    expect(await stuck).toEqual(new Error('given up'));
    expect(workers[0]?.isEnded).toBe(true);
  });

  it('is ended when the client closes, and what waits is told', async () => {
    const { rego } = start();
    const policy = await rego.compile({ modules });
    const stuck = policy.evaluate('stuck').catch((error: unknown) => error);
    rego.close();
    expect(String(await stuck)).toContain('closed');
    await expect(policy.evaluate('p/allow')).rejects.toThrow('closed');
  });
});
