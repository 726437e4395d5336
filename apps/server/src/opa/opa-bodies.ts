/** Bodies as OPA takes them: JSON whatever their content type says, and compressed with gzip. */
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { BailiwickError } from '@bailiwick/contract';
import type { FastifyInstance, RequestPayload } from 'fastify';
import { strictJsonParser } from '../http/application.js';

/** Fastify measures a body against its limit as it comes out of here. */
export function acceptOpaBodies(app: FastifyInstance, maxJsonDepth: number): void {
  const read = strictJsonParser(maxJsonDepth);
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (request, body, done) =>
    request.is404 ? done(null) : read(request, body, done),
  );
  app.addHook('preParsing', async (request, _reply, payload) => {
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding === 'identity') return payload;
    if (encoding !== 'gzip')
      throw new BailiwickError('invalid', {
        reason: 'opa.encoding',
        message: `A body is plain or compressed with gzip, not '${encoding}'.`,
      });
    return decompressed(payload);
  });
}

function decompressed(payload: RequestPayload): RequestPayload {
  const unpacked = createGunzip();
  const body: RequestPayload = Readable.from(
    (async function* () {
      try {
        for await (const chunk of unpacked) yield chunk as Buffer;
      } catch (cause) {
        throw new BailiwickError('invalid', { reason: 'opa.bad_gzip', message: 'The body is not gzip.', cause });
      }
    })(),
  );
  let received = 0;
  payload.on('data', (chunk: Buffer) => {
    received += chunk.length;
    body.receivedEncodedLength = received;
  });
  payload.on('error', (error) => unpacked.destroy(error)).pipe(unpacked);
  return body;
}
