/** What speaks to a provider for one attempt: bytes through as they are, or translated by a library. One answer shape for both. */
import type { Exchange } from '../exchange.js';
import type { Instance } from './instance.js';
import type { LlmCall } from './llm-call.js';
import type { Cancellation, ProviderResponse } from './transport.js';
import { UsageReader } from './usage-reader.js';

/** An answer that has begun. Usage is put into the call while `body` is read. */
export interface BackendAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly isStream: boolean;
  readonly body: AsyncIterable<Buffer>;
  /** The whole body at once, where that can be had for less than `body`. Rejects above `maxBytes`. */
  readonly whole?: (maxBytes: number) => Promise<Buffer>;
  /** The answer is not wanted any more. */
  abort(): void;
}

export interface BackendRequest {
  readonly exchange: Exchange;
  readonly call: LlmCall;
  readonly instance: Instance;
  /** The client has gone. */
  readonly leaving: Cancellation;
  /** The same for libraries that want a real one; made when it is asked for. */
  readonly signal: AbortSignal;
}

export type Backend = (request: BackendRequest) => Promise<BackendAnswer>;

/** What of the client's headers goes to a provider: nothing that says who he is or could choose an account or an address. */
const passedOn = ['user-agent', 'anthropic-version', 'anthropic-beta', 'openai-beta'];

/** What of the provider's headers goes to the client. */
const passedBack =
  /^(?:content-type|retry-after|retry-after-ms|request-id|x-request-id|openai-(?:model|processing-ms|version)|x-ratelimit-[a-z-]+|anthropic-ratelimit-[a-z-]+)$/i;

export const native: Backend = async ({ exchange, call, instance, leaving }) => {
  const body = instance.bodyFor(call);
  const bytes = body === call.body && call.bytes ? call.bytes : Buffer.from(JSON.stringify(body));
  const isStream = body['stream'] === true;
  const own = instance.authHeaders;
  const headers = [
    'content-type: application/json',
    `accept: ${isStream ? 'text/event-stream' : 'application/json'}`,
    'accept-encoding: identity',
    ...(own instanceof Promise ? await own : own),
  ];
  for (const name of passedOn) {
    const value = exchange.header(name);
    if (value !== undefined) headers.push(`${name}: ${value}`);
  }
  const isVersionMissing = exchange.header('anthropic-version') === undefined;
  if (instance.provider === 'anthropic' && isVersionMissing) headers.push('anthropic-version: 2023-06-01');
  const answer = await instance.transport.send(instance.nativePath(call.kind) ?? '/', headers, bytes, leaving);
  const isEvents = answer.header('content-type')?.toLowerCase().startsWith('text/event-stream') === true;
  return {
    status: answer.status,
    headers: shownHeaders(answer.raw),
    isStream: isEvents,
    whole: (maxBytes) => readWhole(answer, maxBytes, answer.status < 300 ? call : undefined),
    body: answer.status < 300 ? observed(answer.body, call, isEvents) : answer.body,
    abort: () => answer.abort(),
  };
};

function shownHeaders(raw: readonly string[]): Record<string, string> {
  const shown: Record<string, string> = {};
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    // The exchange's own id is the one that logs have.
    if (passedBack.test(name) && name.toLowerCase() !== 'x-request-id') shown[name.toLowerCase()] = raw[at + 1] ?? '';
  }
  return shown;
}

/** Reads the usage of an answer that a call is given for. */
async function readWhole(answer: ProviderResponse, maxBytes: number, call: LlmCall | undefined): Promise<Buffer> {
  const reader = call && new UsageReader(call, false);
  try {
    return await answer.whole(maxBytes, (chunk) => reader?.feed(chunk));
  } finally {
    reader?.finish();
  }
}

async function* observed(body: AsyncIterable<Buffer>, call: LlmCall, isStream: boolean): AsyncGenerator<Buffer> {
  const reader = new UsageReader(call, isStream);
  try {
    for await (const chunk of body) {
      reader.feed(chunk);
      yield chunk;
    }
  } finally {
    reader.finish();
  }
}
