/** `/api/v1/environment/bootstrap`: an environment signed by this installation, for an application to be shipped with. */
import { type KeyObject, sign } from 'node:crypto';
import { SignedEnvironment } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { type EnvironmentRouteParts, environmentFacts, ScopeQuery } from './environment-routes.js';
import { snapshotText } from './environment-streams.js';
import { scopeOfCaller } from './scope.js';

/** What is signed begins with this, so that a signature for something else is none for a bootstrap file. */
const signedPrefix = 'bailiwick-bootstrap-v1\n';

interface BootstrapKeys {
  /** Ed25519. */
  readonly bootstrapKey: KeyObject;
  readonly bootstrapPublicKeyPem: string;
}

export function bootstrapRoutes(
  app: FastifyInstance,
  { feed, environments }: Pick<EnvironmentRouteParts, 'feed' | 'environments'>,
  { bootstrapKey, bootstrapPublicKeyPem }: BootstrapKeys,
): void {
  const tags = ['configs'];
  app.get<{ Querystring: Static<typeof ScopeQuery> }>(
    '/api/v1/environment/bootstrap',
    {
      config: { access: { action: 'environment.read', facts: environmentFacts } },
      schema: {
        tags,
        summary: 'The environment as a signed file for the SDK’s start without a server; it holds sensitive values',
        querystring: ScopeQuery,
        response: { 200: SignedEnvironment },
      },
    },
    async (request, reply) => {
      const snapshot = snapshotText(feed.epoch, environments.view(scopeOfCaller(request)));
      const signature = sign(null, Buffer.from(signedPrefix + snapshot), bootstrapKey).toString('base64url');
      reply.header('cache-control', 'no-store');
      return reply.send({ snapshot, signature });
    },
  );
  app.get(
    '/api/v1/environment/bootstrap/public-key',
    {
      config: { access: { action: 'public' } },
      schema: { tags, summary: 'The key that verifies bootstrap files (PEM)', response: { 200: Type.String() } },
    },
    async (_request, reply) => reply.type('application/x-pem-file').serializer(String).send(bootstrapPublicKeyPem),
  );
}
