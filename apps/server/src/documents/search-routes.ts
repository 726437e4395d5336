/** `/rag/{project}/search`, `/query` (streamed as server-sent events where asked) and feedback on answers. */
import {
  FeedbackBody,
  FeedbackEntry,
  isBailiwickError,
  QueryAnswer,
  QueryBody,
  SearchAnswer,
  SearchBody,
} from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toProblem } from '../http/problems.js';
import type { AnswerEvent, AnswerService } from './answers/answer-service.js';
import { documentRequest } from './document-requests.js';
import { InProject, projectPattern, sendEvent, startEvents } from './document-routes.js';
import type { Documents } from './documents.js';

const OneAnswer = Type.Object({
  project: Type.String({ pattern: projectPattern }),
  id: Type.String({ format: 'uuid' }),
});
const tags = ['rag'];

export function searchRoutes(app: FastifyInstance, documents: Documents): void {
  app.post<{ Params: Static<typeof InProject>; Body: SearchBody }>(
    '/rag/:project/search',
    {
      config: { access: { action: 'rag.search', isOfProject: true } },
      schema: {
        ...{ tags, params: InProject, body: SearchBody },
        summary: 'The passages that fit best, of documents the caller may see',
        response: { 200: SearchAnswer },
      },
    },
    async (request) => {
      const { query, filter, limit = 10, mode = 'hybrid' } = request.body;
      const found = await documents.search.search(documentRequest(request), { query, filter, limit, mode });
      const { passages, notes, ...rest } = found;
      return { items: passages, retrieval: { ...rest, notes } };
    },
  );
  queryRoute(app, documents.answers);
  feedbackRoutes(app, documents);
}

function queryRoute(app: FastifyInstance, answers: AnswerService): void {
  app.post<{ Params: Static<typeof InProject>; Body: QueryBody }>(
    '/rag/:project/query',
    {
      config: { access: { action: 'rag.query', isOfProject: true } },
      schema: {
        ...{ tags, params: InProject, body: QueryBody },
        summary: 'An answer with citations from documents the caller may see',
        description:
          'With `stream` as server-sent events: `context` (the passages), `text` (pieces), `answer` (the whole), or `error` (a problem).',
        response: { 200: QueryAnswer },
      },
    },
    async (request, reply) => {
      const left = new AbortController();
      reply.raw.once('close', () => left.abort());
      const { question, conversation = [], filter, limit = 6, stream = false } = request.body;
      const { authorization } = request.headers;
      const asked = { question, conversation, filter, limit };
      const events = answers.answer(documentRequest(request), asked, authorization, left.signal);
      if (stream) return await sendStream(request, reply, events);
      for await (const event of events) if (event.kind === 'answer') return event.answer;
      throw new Error('an answer without an end');
    },
  );
}

/** What is refused before the first event is an ordinary answer with its status; later ones are an event. */
async function sendStream(
  request: FastifyRequest,
  reply: FastifyReply,
  events: AsyncGenerator<AnswerEvent>,
): Promise<FastifyReply> {
  let next = await events.next();
  startEvents(reply);
  try {
    for (; !next.done; next = await events.next()) {
      const { kind, ...data } = next.value;
      sendEvent(reply, kind, 'answer' in data ? data.answer : data);
    }
  } catch (error) {
    if (!reply.raw.destroyed) sendEvent(reply, 'error', toProblem(error, request.id).body);
    if (!isBailiwickError(error) && !reply.raw.destroyed) request.log.error(error);
  }
  reply.raw.end();
  return reply;
}

function feedbackRoutes(app: FastifyInstance, { feedback }: Documents): void {
  app.put<{ Params: Static<typeof OneAnswer>; Body: FeedbackBody }>(
    '/rag/:project/answers/:id/feedback',
    {
      config: { access: { action: 'rag.feedback', isOfProject: true, isWrite: true } },
      schema: {
        ...{ tags, params: OneAnswer, body: FeedbackBody },
        summary: 'What you think of an answer; again replaces',
        response: { 200: FeedbackEntry },
      },
    },
    async (request) =>
      await feedback.rate(request.params.project, request.params.id, request.caller.actor, request.body),
  );
  app.get<{ Params: Static<typeof InProject> }>(
    '/rag/:project/feedback',
    {
      config: { access: { action: 'rag.feedback.read', isOfProject: true } },
      schema: {
        ...{ tags, params: InProject },
        summary: 'What people thought of answers, newest first',
        response: { 200: Type.Object({ items: Type.Array(FeedbackEntry) }) },
      },
    },
    async (request) => ({ items: await feedback.list(request.params.project, 500) }),
  );
}
