/**
 * Idempotency-Key for writes of configuration, as policies have it (`policies/idempotency.ts`). The answer is kept in the write's own transaction,
 * so that there are both or neither, whatever ends in between and whichever instance is asked again. Two at once become one: commits come
 * one after another, and the second finds the first one's answer.
 */
import { createHash } from 'node:crypto';
import { stringifyJson, type Value } from '@bailiwick/rego';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { keyReused, rememberedName } from '../policies/idempotency.js';
import type { RememberedAnswer, ResourceStore } from '../ports/resource-store.port.js';
import type { EncryptedValue } from './config-content.js';
import { type Once, type Written, WrittenBefore } from './write-plan.js';

/** What a write answers; `body` undefined: nothing. */
export interface WriteAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Further members of the body that are secrets: the answer is kept with what they are encrypted to. */
  readonly secrets?: Readonly<Record<string, Secret>>;
}

export interface Secret {
  readonly plain: string;
  readonly encrypted: EncryptedValue;
}

/** As it is kept: without anything plain of its secrets. */
interface KeptAnswer extends Omit<WriteAnswer, 'secrets'> {
  readonly sealed?: Readonly<Record<string, EncryptedValue>>;
}

/** Opens what an answer was kept with. Errors: of the secret store. */
type Open = (encrypted: EncryptedValue) => Promise<unknown>;

type Pending = Omit<Once, 'answer'>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Writes that may come with an Idempotency-Key. */
    readonly isOnce?: boolean;
  }
  interface FastifyRequest {
    pendingOnce: Pending | undefined;
  }
  interface FastifyInstance {
    openKeptSecret: Open;
  }
}

/** Before the routes are added. */
export function idempotentWrites(
  app: FastifyInstance,
  store: Pick<ResourceStore, 'remembered'>,
  {
    keptHours,
    open,
    nowMs = Date.now,
  }: { readonly keptHours: number; readonly open: Open; readonly nowMs?: () => number },
): void {
  app.decorateRequest('pendingOnce', undefined);
  app.decorate('openKeptSecret', open);
  app.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string' || request.routeOptions.config.isOnce !== true) return;
    const name = rememberedName(request.caller.actor, key);
    const pending = { key: name, fingerprint: fingerprintOf(request), expiresMs: nowMs() + keptHours * 3_600_000 };
    const known = await store.remembered(name);
    if (known !== undefined && known.expiresMs > nowMs()) return await replay(reply, known, pending.fingerprint);
    request.pendingOnce = pending;
  });
}

/** Everything that makes the request what it is. */
function fingerprintOf({ method, url, body, headers }: FastifyRequest): string {
  const text = stringifyJson([method, url, headers['if-match'] ?? null, (body ?? null) as Value]);
  return createHash('sha256').update(text).digest('base64url');
}

async function replay(
  reply: FastifyReply,
  { answer, fingerprint }: RememberedAnswer,
  asked: string,
): Promise<FastifyReply> {
  if (fingerprint !== asked) throw keyReused();
  const { status, headers = {}, body, sealed = {} } = JSON.parse(answer) as KeptAnswer;
  const secrets: Record<string, unknown> = {};
  for (const [name, encrypted] of Object.entries(sealed)) secrets[name] = await reply.server.openKeptSecret(encrypted);
  reply.status(status).headers(headers).header('idempotent-replayed', 'true');
  if (body === undefined) return reply.send();
  return reply.serializer(JSON.stringify).send({ ...(body as object), ...secrets });
}

function toKept({ secrets, ...answer }: WriteAnswer): KeptAnswer {
  if (secrets === undefined) return answer;
  const sealed = Object.fromEntries(Object.entries(secrets).map(([name, { encrypted }]) => [name, encrypted]));
  return { ...answer, sealed };
}

/** For the write's context: its answer is kept when the request has a key. */
export function onceOf(request: FastifyRequest, answer: (written: Written) => WriteAnswer): { readonly once?: Once } {
  const pending = request.pendingOnce;
  if (pending === undefined) return {};
  return { once: { ...pending, answer: (written) => JSON.stringify(toKept(answer(written))) } };
}

/** Carries a write out and answers it, with the first answer when it was carried out before. */
export async function answerOnce(
  request: FastifyRequest,
  reply: FastifyReply,
  write: () => Promise<WriteAnswer>,
): Promise<FastifyReply> {
  try {
    const { status, headers = {}, body, secrets = {} } = await write();
    reply.status(status).headers(headers);
    const shown = Object.entries(secrets).map(([name, { plain }]) => [name, plain]);
    return body === undefined ? reply.send() : reply.send({ ...(body as object), ...Object.fromEntries(shown) });
  } catch (error) {
    if (!(error instanceof WrittenBefore)) throw error;
    return await replay(reply, error.remembered, request.pendingOnce?.fingerprint ?? '');
  }
}
