/** What is read as a plain call is read in the same way by Node's parser: one request, the same path, the same body. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPlainHead } from './plain-call.js';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly requestId: string | string[] | undefined;
  readonly body: string;
}

let server: Server;
let port = 0;
beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const seen = { method, url, requestId: headers['x-request-id'], body: Buffer.concat(chunks).toString('latin1') };
      response.end(`${JSON.stringify(seen)}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => server.close());

/** What Node makes of a text, after which the client says no more. */
const seenByNode = (piece: Buffer): Promise<readonly Seen[]> =>
  new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(piece));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () =>
      resolve(
        answer
          .split('\n')
          .flatMap((line) => (line.startsWith('{') ? [line] : []))
          .map((line) => JSON.parse(line) as Seen),
      ),
    );
  });

const odd = fc.constantFrom(
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  '\0',
  ':',
  ',',
  '?',
  '#',
  '%',
  '\x0b',
  '\x7f',
  '\u00e9',
  'chunked',
  '0',
  '+',
);
const name = fc.constantFrom(
  ...[
    'Host',
    'Content-Length',
    'content-length',
    'X-Request-Id',
    'Connection',
    'Transfer-Encoding',
    'X',
    'Content_Length',
    'Expect',
  ],
);
const value = fc.oneof(
  fc.constantFrom('a', '0', '2', '5', '05', 'keep-alive', 'close', 'chunked', '', 'a b'),
  fc.string({ unit: 'binary-ascii', maxLength: 6 }),
);
const line = fc.tuple(name, fc.constantFrom(': ', ':', ' : ', ':\t'), value).map((parts) => parts.join(''));

interface Parts {
  readonly path: string;
  readonly lines: readonly string[];
  readonly body: string;
  readonly edits: readonly (readonly [at: number, text: string])[];
}

const parts = fc.record({
  path: fc.oneof(
    fc.constantFrom('a/b', '', 'a%2Fb', 'x//y', 'a;b=c'),
    fc.string({ unit: 'grapheme-ascii', maxLength: 5 }),
  ),
  lines: fc.array(line, { maxLength: 4 }),
  body: fc.constantFrom('', '{}', '{"a"', '\r\n', 'POST /v1/data/x HTTP/1.1\r\nHost: a\r\n\r\n'),
  edits: fc.array(fc.tuple(fc.nat(), odd), { maxLength: 2 }),
});

/** A good call with further lines and texts put in anywhere. */
function textOf({ path, lines, body, edits }: Parts): Buffer {
  const good = [`POST /v1/data/${path} HTTP/1.1`, 'Host: a', `Content-Length: ${body.length}`];
  let text = `${[...good, ...lines].join('\r\n')}\r\n\r\n${body}`;
  for (const [at, inserted] of edits) {
    const place = at % (text.length + 1);
    text = text.slice(0, place) + inserted + text.slice(place);
  }
  return Buffer.from(text, 'latin1');
}

describe('plain calls beside Node’s parser', () => {
  it('are the same', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(parts, async (given) => {
        const piece = textOf(given);
        const head = readPlainHead(piece, undefined);
        if (head === undefined || piece.length < head.headBytes + head.bodyBytes) return;
        accepted += 1;
        const body = piece.toString('latin1', piece.length - head.bodyBytes);
        const expected = { method: 'POST', url: `/v1/data/${head.path}`, requestId: head.requestId, body };
        expect(await seenByNode(piece)).toEqual([JSON.parse(JSON.stringify(expected))]);
      }),
      { numRuns: 4_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  }, 60_000);
});
