/** Requests that two readers could read differently, and what to look at when one goes through a gateway to an upstream that keeps what it saw. */
import { exchangeRaw, type StrictUpstream } from './raw-http.js';

const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
const chunked = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
const post = (headers: string, body: string): string => `POST /outer HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;

/** Ways to write Transfer-Encoding that some parsers take for chunked and others do not. */
const encodings = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: \tchunked',
  'Transfer-Encoding: chunked ',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: CHUNKED',
  'transfer-encoding: chunked',
  'TRANSFER-ENCODING: chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunkedx',
  'Transfer-Encoding: x, chunked',
  'Transfer-Encoding: chunked, x',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: 'chunked'",
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding: [chunked]',
  'Transfer-Encoding:',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: \x0cchunked',
  'Transfer-Encoding: chunked\x00',
  'Transfer-Encoding: \x00chunked',
  'Transfer\x00-Encoding: chunked',
  'Transfer_Encoding: chunked',
  'Transfer Encoding: chunked',
  ' Transfer-Encoding: chunked',
  '\tTransfer-Encoding: chunked',
  'X: y\r\n Transfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'Transfer-Encoding\r\n: chunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding: chun\r\n ked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-\u00e9ncoding: chunked',
  'Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding',
  'Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked',
] as const;

const lengths = [
  'Content-Length: +5',
  'Content-Length: -5',
  'Content-Length: 5 ',
  'Content-Length:\t5',
  'Content-Length: 0x5',
  'Content-Length: 5,5',
  'Content-Length: 5, 6',
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: 0\r\nContent-Length: 5',
  'Content-Length: 05',
  'Content-Length: 5.0',
  'Content-Length: 5e0',
  'Content-Length: ',
  'Content-Length: a',
  'Content-Length: 99999999999999999999',
  'Content-Length: 18446744073709551621',
  'Content-Length : 5',
  'Content_Length: 5',
  'Content-Length: 5\x00',
  'Content-Length: \x0b5',
  'X: y\r\n Content-Length: 5',
  'Content-Length: 5\r\nConnection: Content-Length',
  ' Content-Length: 5',
  'Content-Length: 5\nX: y',
] as const;

const chunkBodies = [
  '0x5\r\nhello\r\n0\r\n\r\n',
  '+5\r\nhello\r\n0\r\n\r\n',
  '-5\r\nhello\r\n0\r\n\r\n',
  ' 5\r\nhello\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5;x\r\nhello\r\n0\r\n\r\n',
  '5;x=\n\r\nhello\r\n0\r\n\r\n',
  '5\nhello\n0\n\n',
  '5\rhello\r0\r\r',
  '5\r\nhello0\r\n\r\n',
  '5\r\nhelloXX0\r\n\r\n',
  '5\r\nhello\r\n0\r\nX: y\r\n\r\n',
  '5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n',
  '5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n',
  'FFFFFFFFFFFFFFFF5\r\nhello\r\n0\r\n\r\n',
  '100000000000000005\r\nhello\r\n0\r\n\r\n',
  'g\r\nhello\r\n0\r\n\r\n',
  '\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n00000\r\n\r\n',
  '005\r\nhello\r\n0\r\n\r\n',
  '5;a="\r\n"\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\r\n',
  '0\r\n\r\n',
  '5\r\nhell',
] as const;

const others = [
  `GET /outer HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  `GET /outer HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
  `POST /outer HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST /outer HTTP/0.9\r\nHost: a\r\n\r\n${hidden}`,
  `POST /outer HTTP/2.0\r\nHost: a\r\n\r\n${hidden}`,
  `POST /outer\r\nHost: a\r\n\r\n${hidden}`,
  `\r\n\r\nGET /outer HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET /outer HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
  `GET /outer HTTP/1.1\r\n\r\n`,
  `GET http://b/outer HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET /outer\x00 HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET /outer\tHTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET  /outer HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET /outer?x=%0d%0aX:y HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET /outer HTTP/1.1\nHost: a\n\n`,
  `GET /outer HTTP/1.1\r\nHost: a\r\nX: \r\r\nY: z\r\n\r\n`,
  `GET /outer HTTP/1.1\r\nHost: a\r\nX\x01: y\r\n\r\n`,
  `GET /outer HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n`,
  `GET /outer HTTP/1.1\r\nHost: a\r\nX\r\n\r\n`,
  `GET /outer HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
  `GET /outer HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 777\r\n\r\n${hidden}`,
  `POST /outer HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  `HEAD /outer HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  `GET /outer HTTP/1.1\r\nHost: a\r\n\r\n${hidden}GET /third HTTP/1.1\r\nHost: a\r\n\r\n`,
  `CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: a\r\n\r\n${hidden}`,
  `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
];

/** Raw requests, byte for byte (latin1). */
export const smugglingCases: readonly string[] = [
  ...encodings.map((encoding) => post(encoding, chunked)),
  ...encodings.map((encoding) => post(`Content-Length: 4\r\n${encoding}`, chunked)),
  ...encodings.map((encoding) => post(`${encoding}\r\nContent-Length: ${chunked.length}`, chunked)),
  ...lengths.map((length) => post(length, `hello${hidden}`)),
  ...chunkBodies.map((body) => post('Transfer-Encoding: chunked', `${body}${hidden}`)),
  ...others,
];

/** The request lines that upstream answers of a raw answer name, in order. */
const answered = (answer: string): readonly string[] =>
  [...answer.matchAll(/^x-line: (.*)\r$/gm)].map((match) => match[1] ?? '');

/** What is out of step, if anything. */
async function tryCase(
  text: string,
  port: number,
  upstream: StrictUpstream,
  quietMs: number,
): Promise<string | undefined> {
  upstream.requests.length = 0;
  upstream.ambiguities.length = 0;
  const answer = await exchangeRaw(port, Buffer.from(text, 'latin1'), quietMs);
  const seen = upstream.requests.map(({ line }) => line);
  const lines = answered(answer);
  // Where the gateway then found the rest broken it ended the connection with 400, and answers on their way went with it.
  const isCutOff = /^HTTP\/1\.1 400 /m.test(answer);
  const isSame = lines.every((line, index) => line === seen[index]) && (isCutOff || seen.length === lines.length);
  if (isSame && upstream.ambiguities.length === 0) return undefined;
  return `${JSON.stringify(text)} → upstream ${JSON.stringify(seen)}, client ${JSON.stringify(lines)}, ${upstream.ambiguities.join('; ')}`;
}

/**
 * Sends every case to `port` and returns what is out of step (an upstream that saw other requests than the client was
 * answered), and how many cases got as far as the upstream.
 */
export async function findDesyncs(
  port: number,
  upstream: StrictUpstream,
): Promise<{ readonly desyncs: readonly string[]; readonly reached: number }> {
  const desyncs: string[] = [];
  let reached = 0;
  for (const text of smugglingCases) {
    // A busy machine may answer late: what looks out of step is looked at again with patience.
    const fault = (await tryCase(text, port, upstream, 60)) && (await tryCase(text, port, upstream, 1_500));
    if (fault !== undefined) desyncs.push(fault);
    if (upstream.requests.length > 0) reached += 1;
    // The next client's request on a kept upstream connection must get its own answer.
    const after = await exchangeRaw(port, 'GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 2_000);
    if (answered(after).join() !== 'GET /after HTTP/1.1')
      desyncs.push(`${JSON.stringify(text)} → the next request got ${JSON.stringify(after)}`);
  }
  return { desyncs, reached };
}
