/**
 * `opa`: asks the policy whether a request may pass. Against our own engine in this process; against an OPA's address by HTTP with exactly
 * APISIX's input document. Whatever goes wrong is a refusal.
 */
import { BailiwickError } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import { Pool } from 'undici';
import { addGate } from '../ai/gates.js';
import type { Exchange } from '../exchange.js';
import { type OpaInputOptions, opaInput, queryObject } from '../opa-input.js';
import type { Outcome, Plugin, PluginHooks, PluginScope } from '../plugin.js';
import { closed } from '../resource-schemas.js';

/** Stands for the engine in this process; no request is ever sent there. */
export const ownEngine = 'http://decide.bailiwick.internal';

const schema = Type.Object(
  {
    host: Type.String({ pattern: '^https?://' }),
    policy: Type.String({ minLength: 1 }),
    ssl_verify: Type.Boolean({ default: true }),
    /** Milliseconds. */
    timeout: Type.Integer({ minimum: 1, maximum: 60_000, default: 3000 }),
    keepalive: Type.Boolean({ default: true }),
    keepalive_timeout: Type.Integer({ minimum: 1000, default: 60_000 }),
    keepalive_pool: Type.Integer({ minimum: 1, default: 5 }),
    with_route: Type.Boolean({ default: false }),
    with_service: Type.Boolean({ default: false }),
    with_consumer: Type.Boolean({ default: false }),
    send_headers_upstream: Type.Optional(Type.Array(Type.String({ pattern: '^[^:\\s]+$' }), { minItems: 1 })),
  },
  closed,
);

type Configuration = Static<typeof schema>;

export const opa: Plugin<Configuration> = {
  name: 'opa',
  priority: 2001,
  schema,
  check: ({ host, policy, send_headers_upstream: headers }) => {
    if (host !== ownEngine) return undefined;
    if (policy !== 'bailiwick/authz') return "against this process's own engine the policy is 'bailiwick/authz'";
    return headers ? "send_headers_upstream is for an OPA's address" : undefined;
  },
  compile: (configuration, scope) =>
    configuration.host === ownEngine ? inProcess(scope.services.decisions) : overHttp(configuration, scope),
};

function inProcess(decisions: PluginScope['services']['decisions']): PluginHooks {
  const judged = (exchange: Exchange): Outcome => {
    const decision = decisions.decide({
      caller: exchange.caller ?? { actor: 'anonymous', claims: {} },
      method: exchange.method,
      path: exchange.path,
      headers: exchange.request.headers,
      query: queryObject(exchange.query),
      project: projectOf(exchange),
      requestId: exchange.requestId,
      ...(exchange.llm ? { facts: { llm: exchange.llm.facts() } } : {}),
    });
    exchange.decisionId = decision.id;
    if (decision.allowed) return undefined;
    const extra = { decision_id: decision.id, ...(decision.reasons.length > 0 ? { reasons: decision.reasons } : {}) };
    return decision.decidedBy === 'error' ? notAsked(extra) : denied(extra);
  };
  return { access: (exchange) => judged(exchange) ?? judgeFallbacks(exchange, judged) };
}

/** The policy has allowed one instance of a model; whichever is asked in its place is another question. */
function judgeFallbacks(exchange: Exchange, judge: (exchange: Exchange) => Outcome | Promise<Outcome>): undefined {
  const { llm } = exchange;
  if (!llm) return undefined;
  const { instance, provider, model, maxTokens } = llm;
  addGate(exchange, (asked) => {
    const now = asked.llm;
    const isAllowed =
      now?.instance === instance && now.provider === provider && now.model === model && now.maxTokens === maxTokens;
    return isAllowed ? undefined : judge(asked);
  });
  return undefined;
}

const notAsked = (extra: Readonly<Record<string, unknown>>): Outcome => ({
  status: 503,
  body: new BailiwickError('unavailable', {
    reason: 'decision.failed',
    message: 'The policy could not be asked, so the request is refused.',
    extra,
    retryAfterSeconds: 1,
  }),
});

const denied = (extra: Readonly<Record<string, unknown>>): Outcome => ({
  status: 403,
  body: new BailiwickError('forbidden', {
    reason: 'decision.denied',
    message: 'The policy does not allow this request.',
    extra,
  }),
});

/** The route's label, else its path parameter, else the token's claim. */
export function projectOf(exchange: Exchange): string | undefined {
  const named = exchange.route?.labels['project'] ?? exchange.parameters['project'];
  if (named !== undefined) return named;
  const claimed = exchange.caller?.claims['project'];
  return typeof claimed === 'string' ? claimed : undefined;
}

interface OpaResult {
  readonly allow?: unknown;
  readonly reason?: unknown;
  readonly status_code?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

const maxAnswerBytes = 1024 * 1024;

function overHttp(configuration: Configuration, scope: PluginScope): PluginHooks {
  const { host, timeout, keepalive } = configuration;
  const address = new URL(`${host.replace(/\/$/, '')}/v1/data/${configuration.policy}`);
  const pool = new Pool(address.origin, {
    connections: Math.max(64, configuration.keepalive_pool),
    pipelining: keepalive ? 1 : 0,
    keepAliveTimeout: configuration.keepalive_timeout,
    connect: { timeout, rejectUnauthorized: configuration.ssl_verify },
    headersTimeout: timeout,
    bodyTimeout: timeout,
  });
  const options: OpaInputOptions = {
    withRoute: configuration.with_route,
    withService: configuration.with_service,
    withConsumer: configuration.with_consumer,
  };
  const ask = async (exchange: Exchange): Promise<Outcome> => {
    let text: string;
    try {
      const answer = await pool.request({
        method: 'POST',
        path: address.pathname + address.search,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ input: opaInput(exchange, options) }),
        signal: AbortSignal.timeout(timeout),
      });
      text = await limitedText(answer.body);
    } catch (error) {
      scope.logger.error({ request_id: exchange.requestId, error }, 'OPA cannot be asked: the request is refused');
      return { status: 403 };
    }
    const result = resultOf(text);
    if (!result) {
      scope.logger.error({ request_id: exchange.requestId }, "OPA's answer has no result: the request is refused");
      return { status: 503 };
    }
    return judge(exchange, result, configuration.send_headers_upstream ?? []);
  };
  return {
    access: async (exchange) => (await ask(exchange)) ?? judgeFallbacks(exchange, ask),
    close: async () => await pool.close(),
  };
}

async function limitedText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new RangeError(`OPA answered more than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function resultOf(text: string): OpaResult | undefined {
  try {
    const { result } = JSON.parse(text) as { readonly result?: unknown };
    return typeof result === 'object' && result !== null && !Array.isArray(result) ? (result as OpaResult) : undefined;
  } catch {
    return undefined;
  }
}

function judge(exchange: Exchange, result: OpaResult, upstreamHeaders: readonly string[]): Outcome {
  if (result.allow !== true) {
    const { status_code: status, reason } = result;
    const isStatus = typeof status === 'number' && Number.isInteger(status) && status >= 200 && status <= 599;
    return {
      status: isStatus ? status : 403,
      headers: Object.fromEntries(Object.entries(result.headers ?? {}).map(([name, value]) => [name, String(value)])),
      ...(reason === undefined ? {} : { body: typeof reason === 'string' ? reason : JSON.stringify(reason) }),
    };
  }
  for (const name of upstreamHeaders) {
    const value = Object.entries(result.headers ?? {}).find(
      ([given]) => given.toLowerCase() === name.toLowerCase(),
    )?.[1];
    // What the policy does not say, the client may not say in its place.
    exchange.upstreamHeaders.set(name.toLowerCase(), value === undefined ? undefined : String(value));
  }
  return undefined;
}
