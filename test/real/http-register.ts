/** A policy behind the public API as a register: what the recorder of histories drives, over HTTP instead of the store. */
import { BailiwickError } from '@bailiwick/contract';
import type {
  Compare,
  KeyValue,
  Operation,
  TransactionResult,
} from '../../apps/server/src/ports/key-value-store.port.js';
import type { TestServer } from '../system/harness.js';

const unavailable = (status: number): BailiwickError =>
  new BailiwickError('unavailable', { reason: 'store.unavailable', message: `answered ${status}` });

/** Keys are names of projects; a value is the mark in the policy's data. */
export class HttpRegister {
  readonly #server: TestServer;

  constructor(server: TestServer) {
    this.#server = server;
  }

  async get(key: string): Promise<KeyValue | undefined> {
    const answer = await this.#call('GET', key);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw unavailable(answer.status);
    const modRevision = Number((answer.headers.get('etag') ?? '').replaceAll('"', ''));
    return { key, value: answer.json.data.mark as string, createRevision: modRevision, modRevision };
  }

  async transact(conditions: readonly Compare[], operations: readonly Operation[]): Promise<TransactionResult> {
    const [condition] = conditions;
    const [operation] = operations;
    if (!condition || operation?.kind !== 'put') throw new Error('one condition and one put');
    const headers: Record<string, string> =
      condition.modRevision === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${condition.modRevision}"` };
    const body = { rego: 'package register\n\nallow := true\n', data: { mark: operation.value } };
    const answer = await this.#call('PUT', operation.key, { headers, body });
    if (answer.status === 409) return { succeeded: false, revision: 0 };
    if (answer.status !== 200 && answer.status !== 201) throw unavailable(answer.status);
    return { succeeded: true, revision: answer.json.revision as number };
  }

  #call(method: string, key: string, options = {}): ReturnType<TestServer['call']> {
    return this.#server.call(method, `/policies/${key}`, options).catch(() => {
      throw unavailable(0);
    });
  }
}
