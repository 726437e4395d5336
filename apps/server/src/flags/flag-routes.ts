/** `/api/v1/flags` and `/api/v1/segments`: the routes of every resource. */
import { Flag, FlagBody, NewFlag, NewSegment, Segment, SegmentBody } from '@bailiwick/contract';
import type { FastifyInstance } from 'fastify';
import { resourceRoutes } from '../configs/resource-routes.js';
import type { FlagService } from './flag-service.js';

export function flagRoutes(app: FastifyInstance, service: FlagService): void {
  resourceRoutes(app, {
    ...{ name: 'flags', noun: 'flag', resources: service.flags },
    ...{ newSchema: NewFlag, contentSchema: FlagBody, answerSchema: Flag },
    toContent: (body: FlagBody) => service.flagContent(body),
  });
  resourceRoutes(app, {
    ...{ name: 'segments', noun: 'segment', resources: service.segments },
    ...{ newSchema: NewSegment, contentSchema: SegmentBody, answerSchema: Segment },
    toContent: (body: SegmentBody) => service.segmentContent(body),
  });
}
