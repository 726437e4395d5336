/** `/openapi.json`, generated from the schemas that validate, and Swagger UI at `/docs` from files of our own: no request leaves the site. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fastifySwagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

const files = new Map([
  ['swagger-ui.css', 'text/css'],
  ['swagger-ui-bundle.js', 'text/javascript'],
]);

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Bailiwick API</title><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>
`;
const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true });\n`;
const contentPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/** Call before the routes: the document is made of those that come after. */
export async function openApiRoutes(app: FastifyInstance): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bailiwick',
        version: '0.1.0',
        description:
          'Policies, decisions and their history. Errors are problem details (RFC 9457) with `code` and `reason`.',
        license: { name: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'A JWT of an accepted issuer, or an API key.' },
        },
      },
      security: [{ token: [] }],
    },
    hideUntagged: true,
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json['$id'] ?? `def-${index}`) },
  });
}

/** Only the files: importing the package would run the whole page's script in here. */
const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

/** Call after the routes. */
export function docsRoutes(app: FastifyInstance): void {
  const config = { access: { action: 'public' } } as const;
  app.get('/openapi.json', { config, schema: { hide: true } as object }, async () => app.swagger());
  const send = (path: string, type: string, body: () => string): void => {
    app.get(path, { config, schema: { hide: true } as object }, async (_request, reply) =>
      reply.type(type).header('content-security-policy', contentPolicy).serializer(String).send(body()),
    );
  };
  send('/docs', 'text/html; charset=utf-8', () => page);
  send('/docs/start.js', 'text/javascript', () => start);
  for (const [name, type] of files) send(`/docs/${name}`, type, () => readFileSync(join(assets, name), 'utf8'));
}
