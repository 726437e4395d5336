/** For requests that were read without a framework and are not answered so: the application is asked the same, and words the refusal. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** What belongs to the connection that the application believes to have. */
const ofConnection = ['connection', 'keep-alive', 'date'];

/** Sends what the application answers to the same request with these headers. */
export async function answerByApplication(
  application: FastifyInstance,
  { method = 'POST', url = '/' }: IncomingMessage,
  response: ServerResponse,
  { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer },
): Promise<void> {
  const worded = await application.inject({ method: method as 'POST', url, headers, payload: body });
  const sent: OutgoingHttpHeaders = { ...worded.headers };
  for (const name of ofConnection) delete sent[name];
  if (!response.headersSent) response.writeHead(worded.statusCode, sent);
  response.end(worded.rawPayload);
}
