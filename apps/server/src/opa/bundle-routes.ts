/** What a real OPA asks of its control plane: bundles with ETag and long polling, discovery, status and decision-log uploads. */

import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { BailiwickError } from '@bailiwick/contract';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DecisionLog } from '../decisions/decision-log.js';
import type { Enforcer } from '../decisions/enforcer.js';
import { parseStrictJson } from '../http/strict-json.js';
import type { StoredDecision } from '../ports/decision-store.port.js';
import { bundleType, makeBundle, makeDiscoveryBundle } from './bundle.js';
import { tenantSet } from './tenant-modules.js';

export interface BundleRouteParts {
  readonly enforcer: Enforcer;
  readonly decisionLog: DecisionLog;
}

const unzip = promisify(gunzip);
const maxWaitSeconds = 300;
const maxLogBytes = 16 * 1024 * 1024;
const maxStatuses = 1000;
const tags = ['opa'];

export function bundleRoutes(app: FastifyInstance, parts: BundleRouteParts): void {
  const bundles = new Bundles(parts.enforcer);
  const statuses = new Map<string, { readonly received_at: string; readonly status: unknown }>();
  const access = (action: string) => ({ access: { action } });

  app.get(
    '/bundles/bailiwick.tar.gz',
    {
      config: access('bundle.read'),
      schema: { tags, summary: 'Every policy in force as one bundle; long polling with `Prefer: wait=N`' },
    },
    async (request, reply) => await bundles.answer(request, reply),
  );
  app.get(
    '/opa/discovery.tar.gz',
    {
      config: access('bundle.read'),
      schema: { tags, summary: 'The configuration of a real OPA, as a discovery bundle' },
    },
    async (request, reply) => {
      const body = await makeDiscoveryBundle(discovery(request));
      return reply
        .type(bundleType)
        .header('etag', '"1"')
        .serializer((value: unknown) => value as string)
        .send(body);
    },
  );
  app.register(async (scope) => {
    scope.addContentTypeParser(
      'application/gzip',
      { parseAs: 'buffer', bodyLimit: maxLogBytes },
      (_request, body, done) => done(null, body),
    );
    scope.addHook('preParsing', async (request, _reply, payload) => {
      // OPA names the type `application/json` and the encoding `gzip`.
      if (request.headers['content-encoding'] === 'gzip') request.headers['content-type'] = 'application/gzip';
      return payload;
    });
    for (const path of ['/logs', '/logs/*']) {
      scope.post(
        path,
        {
          config: access('opa.upload'),
          bodyLimit: maxLogBytes,
          schema: { tags, summary: 'Decision logs of a real OPA' },
        },
        async (request, reply) => {
          await parts.decisionLog.import(await readLogs(request.body));
          return reply.status(200).send({});
        },
      );
    }
  });
  for (const path of ['/status', '/status/*']) {
    app.post(
      path,
      { config: access('opa.upload'), schema: { tags, summary: 'Status of a real OPA' } },
      async (request, reply) => {
        const { labels } = (request.body ?? {}) as { labels?: { id?: unknown } };
        if (statuses.size >= maxStatuses) statuses.delete(statuses.keys().next().value ?? '');
        statuses.set(String(labels?.id ?? request.ip), { received_at: new Date().toISOString(), status: request.body });
        return reply.status(200).send({});
      },
    );
  }
  app.get(
    '/api/v1/opas',
    {
      config: access('opa.list'),
      schema: {
        tags,
        summary: 'Real OPAs that sent their status, and what they run',
        response: {
          200: Type.Object({
            items: Type.Array(Type.Object({ id: Type.String(), received_at: Type.String(), status: Type.Unknown() })),
          }),
        },
      },
    },
    async () => ({
      items: [...statuses].map(([id, entry]) => ({ id, ...entry })),
    }),
  );
}

/** The newest bundle, made once a revision however many ask. */
class Bundles {
  readonly #enforcer: Enforcer;
  #made: { readonly revision: number; readonly bundle: Promise<Buffer> } | undefined;

  constructor(enforcer: Enforcer) {
    this.#enforcer = enforcer;
  }

  async answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const known = etagsOf(request.headers['if-none-match']);
    const wait = waitSeconds(request.headers['prefer']);
    if (known.includes(this.#revision()) && wait > 0) await this.#change(wait, request);
    const revision = this.#revision();
    reply
      .type(bundleType)
      .header('etag', `"${revision}"`)
      .serializer((value: unknown) => value as string);
    if (known.includes(revision)) return reply.status(304).send();
    return reply.send(await this.#bundle());
  }

  /** The newest change of a policy; other changes of the store make no new bundle. */
  #revision(): string {
    const revisions = this.#enforcer.names().map((name) => this.#enforcer.entry(name)?.document.revision ?? 0);
    return `${Math.max(0, ...revisions)}-${revisions.length}`;
  }

  async #bundle(): Promise<Buffer> {
    const { revision } = this.#enforcer;
    if (this.#made?.revision !== revision) this.#made = { revision, bundle: makeBundle(tenantSet(this.#enforcer)) };
    return await this.#made.bundle;
  }

  async #change(seconds: number, request: FastifyRequest): Promise<void> {
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      const stop = this.#enforcer.onApplied((change) => {
        if (change.policies.length > 0) finish();
      });
      const timer = setTimeout(finish, seconds * 1000);
      request.raw.once('close', finish);
    });
  }
}

function etagsOf(header: string | undefined): readonly string[] {
  return (header ?? '').split(',').map((tag) => tag.trim().replace(/^(?:W\/)?"|"$/g, ''));
}

/** `Prefer: modes=snapshot,delta;wait=N` → N, bounded. */
function waitSeconds(prefer: string | string[] | undefined): number {
  const wait = /(?:^|[;,\s])wait=(\d+)/.exec(Array.isArray(prefer) ? prefer.join(';') : (prefer ?? ''))?.[1];
  return wait === undefined ? 0 : Math.min(Number(wait), maxWaitSeconds);
}

/** What an OPA that knows only our address is to do. */
function discovery(request: FastifyRequest): object {
  const service = String((request.query as { service?: string }).service ?? 'bailiwick');
  return {
    bundles: {
      bailiwick: { service, resource: 'bundles/bailiwick.tar.gz', polling: { long_polling_timeout_seconds: 30 } },
    },
    status: { service },
    decision_logs: { service, reporting: { min_delay_seconds: 1, max_delay_seconds: 5 } },
    default_decision: 'bailiwick/authz/allow',
  };
}

async function readLogs(body: unknown): Promise<readonly StoredDecision[]> {
  const parsed = Buffer.isBuffer(body) ? parseStrictJson(await inflate(body), { maxDepth: 128 }) : body;
  if (!Array.isArray(parsed))
    throw new BailiwickError('invalid', { reason: 'opa.bad_logs', message: 'Decision logs come as a JSON array.' });
  return parsed.flatMap((entry: unknown) =>
    typeof entry === 'object' && entry !== null && 'decision_id' in entry
      ? [importedEntry(entry as Record<string, unknown>)]
      : [],
  );
}

async function inflate(body: Buffer): Promise<Buffer> {
  try {
    return await unzip(body, { maxOutputLength: maxLogBytes });
  } catch (cause) {
    throw new BailiwickError('invalid', {
      reason: 'opa.bad_logs',
      message: 'The upload is not gzip, or larger than 16 MiB unpacked.',
      cause,
    });
  }
}

function importedEntry(entry: Record<string, unknown>): StoredDecision {
  const input = (entry['input'] ?? {}) as { project?: unknown; claims?: { sub?: unknown } };
  const result = entry['result'];
  const isAllowed =
    result === true ||
    (typeof result === 'object' && result !== null && (result as { allow?: unknown }).allow === true);
  return {
    metrics: {},
    bundles: {},
    path: '',
    ...entry,
    decision_id: String(entry['decision_id']),
    timestamp: String(entry['timestamp'] ?? new Date().toISOString()),
    labels: (entry['labels'] ?? {}) as Record<string, string>,
    input: entry['input'] ?? null,
    result: result ?? null,
    requested_by: typeof input.claims?.sub === 'string' ? input.claims.sub : String(entry['requested_by'] ?? 'opa'),
    allowed: isAllowed,
    ...(typeof input.project === 'string' ? { project: input.project } : {}),
    control_plane: false,
  };
}
