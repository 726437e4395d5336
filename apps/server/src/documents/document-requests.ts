/** What routes hand to the documents' services: who asks, about which project, in the policies' words. */
import type { FastifyRequest } from 'fastify';
import type { DocumentRequest } from './visibility.js';

export function documentRequest(request: FastifyRequest): DocumentRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  return {
    caller: request.caller,
    project: (request.params as { project: string }).project,
    method: request.method,
    path: request.url.split('?', 1)[0] ?? '',
    headers,
    requestId: request.id,
    clientIp: request.ip,
  };
}
