/** The `fetch` that provider libraries are given: their requests go over the instance's own transport, to its address alone. */
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import type { Instance } from '../instance.js';

/** Set by the transport itself, or nobody's business. */
const dropped = new Set(['host', 'content-length', 'connection', 'accept-encoding', 'transfer-encoding']);

/** `pathOf` may put another path in place of the library's. Rejects with `UpstreamError`. */
export function providerFetch(instance: Instance, signal: AbortSignal, pathOf = (path: string) => path): typeof fetch {
  return async (input, init = {}) => {
    const url = new URL(typeof input === 'string' || input instanceof URL ? input : input.url);
    const lines = ['accept-encoding: identity'];
    const given = new Headers(init.headers);
    const token = await instance.token;
    if (token !== undefined) given.set('authorization', `Bearer ${token}`);
    for (const [name, value] of given) if (!dropped.has(name)) lines.push(`${name}: ${value}`);
    const body = Buffer.from(typeof init.body === 'string' ? init.body : '');
    const answer = await instance.transport.send(pathOf(url.pathname + url.search), lines, body, signal);
    const headers = new Headers();
    for (let at = 0; at < answer.raw.length; at += 2) headers.append(answer.raw[at] ?? '', answer.raw[at + 1] ?? '');
    if (answer.status === 204 || answer.status === 304) return new Response(null, { status: answer.status, headers });
    const stream = Readable.toWeb(Readable.from(answer.body, { objectMode: false })) as WebStream<Uint8Array>;
    return new Response(stream as unknown as ReadableStream, { status: answer.status, headers });
  };
}
