/** Calls of one person to the RAG service of one project. */
import { setTimeout as pause } from 'node:timers/promises';
import type { QueryAnswer, RagDocument, SearchAnswer } from '@bailiwick/contract';
import { SignJWT } from 'jose';
import { expect } from 'vitest';
import { bootstrapIssuer } from '../../apps/server/src/identity/local-keys.js';
import type { TestServer } from './harness.js';

export interface RagClient {
  readonly token: string;
  call(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly json: unknown }>;
  raw(path: string, headers: Record<string, string>, body: string): Promise<Response>;
  /** Labels as form fields: lists are repeated, objects are JSON. */
  upload(
    name: string,
    content: string | Uint8Array,
    labels: Readonly<Record<string, unknown>>,
  ): Promise<{
    readonly status: number;
    readonly outcome: string | null;
    readonly document: RagDocument;
    readonly json: unknown;
  }>;
  ended(id: string): Promise<RagDocument>;
  ready(id: string): Promise<RagDocument>;
  list(): Promise<readonly RagDocument[]>;
  search(query: string, more?: object): Promise<SearchAnswer>;
  query(question: string, more?: object): Promise<QueryAnswer>;
  stream(question: string): Promise<readonly { readonly event: string; readonly data: unknown }[]>;
  events(id: string): Promise<readonly { readonly event: string; readonly data: unknown }[]>;
}

const endedWithinMs = 30_000;

export async function ragClient(
  server: Pick<TestServer, 'url' | 'running'>,
  project: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<RagClient> {
  const keys = server.running.platform.localKeys;
  const token = await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: keys.tokenKeyId })
    .setIssuer(bootstrapIssuer)
    .setAudience('bailiwick')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(keys.tokenKey);
  const base = `${server.url}/rag/${project}`;
  const authorization = `Bearer ${token}`;
  const call: RagClient['call'] = async (method, path, body) => {
    const response = await fetch(base + path, {
      method,
      headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: text === '' ? undefined : JSON.parse(text) };
  };
  const successful = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const { status, json } = await call(method, path, body);
    expect(status, JSON.stringify(json)).toBeLessThan(300);
    return json as T;
  };
  const ended: RagClient['ended'] = async (id) => {
    for (const until = Date.now() + endedWithinMs; Date.now() < until; await pause(20)) {
      const document = await successful<RagDocument>('GET', `/documents/${id}`);
      if (document.state === 'ready' || document.state === 'failed') return document;
    }
    throw new Error(`document ${id} is not read after ${endedWithinMs} ms`);
  };
  const eventsOf = async (response: Response) => {
    const text = await response.text();
    return text
      .split('\n\n')
      .filter((frame) => frame !== '')
      .map((frame) => {
        const [event = '', data = ''] = frame.split('\n');
        return { event: event.replace('event: ', ''), data: JSON.parse(data.replace('data: ', '')) as unknown };
      });
  };
  return {
    ...{ token, call, ended },
    raw: async (path, headers, body) =>
      await fetch(base + path, { method: 'POST', headers: { authorization, ...headers }, body }),
    async upload(name, content, labels) {
      const form = new FormData();
      form.set('file', new Blob([content as string]), name);
      for (const [field, value] of Object.entries(labels))
        if (Array.isArray(value)) for (const item of value) form.append(field, String(item));
        else form.set(field, typeof value === 'object' ? JSON.stringify(value) : String(value));
      const response = await fetch(`${base}/documents`, { method: 'POST', headers: { authorization }, body: form });
      const json: unknown = await response.json();
      const outcome = response.headers.get('x-outcome');
      return { status: response.status, outcome, document: json as RagDocument, json };
    },
    async ready(id) {
      const document = await ended(id);
      expect(document.fault).toBeNull();
      return document;
    },
    list: async () => (await successful<{ items: RagDocument[] }>('GET', '/documents?limit=500')).items,
    search: async (query, more = {}) => await successful('POST', '/search', { query, ...more }),
    query: async (question, more = {}) => await successful('POST', '/query', { question, ...more }),
    stream: async (question) =>
      await eventsOf(
        await fetch(`${base}/query`, {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/json' },
          body: JSON.stringify({ question, stream: true }),
        }),
      ),
    events: async (id) => await eventsOf(await fetch(`${base}/documents/${id}/events`, { headers: { authorization } })),
  };
}
