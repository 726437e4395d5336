import { describe, expect, it } from 'vitest';
import { readPlainHead } from './plain-call.js';

const body = '{"input":{}}';
const length = `Content-Length: ${body.length}`;
const call = (headers: readonly string[], first = 'POST /v1/data/a/b HTTP/1.1', after = body): Buffer =>
  Buffer.from(`${first}\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n${after}`, 'latin1');
const read = (piece: Buffer): ReturnType<typeof readPlainHead> => readPlainHead(piece, undefined);

describe('the head of a plain call', () => {
  it('is read', () => {
    expect(read(call(['Host: a', 'content-type:application/json', length, 'X-Request-Id:  r 1 ']))).toMatchObject({
      ...{ path: 'a/b', requestId: 'r 1', bodyBytes: body.length },
    });
    expect(read(call(['Host:', 'content-length: 0', 'Connection: Keep-Alive'], undefined, ''))?.bodyBytes).toBe(0);
    expect(read(call(['Host: a', length], 'POST /v1/data/ HTTP/1.1'))?.path).toBe('');
  });

  it('is known again, by every byte', () => {
    const last = read(call(['Host: a', length]));
    expect(readPlainHead(call(['Host: a', length]), last)).toBe(last);
    const other = readPlainHead(call(['Host: b', length]), last);
    expect(other).not.toBe(last);
    expect(other?.path).toBe('a/b');
    expect(readPlainHead(call(['Host: a', length], undefined, `${body} `), last)).toBeUndefined();
  });

  it.each([
    ['no host', [length]],
    ['two hosts', ['Host: a', 'host: a', length]],
    ['no length', ['Host: a']],
    ['two lengths', ['Host: a', length, length]],
    ['a list of lengths', ['Host: a', `${length}, ${body.length}`]],
    ['a sign before the length', ['Host: a', `Content-Length: +${body.length}`]],
    ['a shorter length, and what follows it', ['Host: a', `Content-Length: ${body.length - 1}`]],
    ['a length beyond all bounds', ['Host: a', `Content-Length: ${'9'.repeat(30)}`]],
    ['chunks', ['Host: a', length, 'Transfer-Encoding: chunked']],
    ['any transfer encoding', ['Host: a', length, 'transfer-encoding: identity']],
    ['a compressed body', ['Host: a', length, 'Content-Encoding: gzip']],
    ['an expectation', ['Host: a', length, 'Expect: 100-continue']],
    ['an end of the connection', ['Host: a', length, 'Connection: close']],
    ['an upgrade', ['Host: a', length, 'Connection: Upgrade', 'Upgrade: h2c']],
    ['a folded line', ['Host: a', 'X: y', ' z', length]],
    ['a space before the colon', ['Host: a', `Content-Length : ${body.length}`]],
    ['a tab', ['Host: a', `${length}\t`]],
    ['a line without a colon', ['Host: a', 'X', length]],
    ['a header without a name', ['Host: a', ': x', length]],
    ['a zero byte', ['Host: a', 'X: a\0b', length]],
    ['a line feed alone', ['Host: a', 'X: a\nTransfer-Encoding: chunked', length]],
    ['a carriage return alone', ['Host: a', 'X: a\rTransfer-Encoding: chunked', length]],
    ['bytes beyond ASCII', ['Host: a', 'X: \u00e9', length]],
    ['a head beyond 8 KiB', ['Host: a', `X: ${'y'.repeat(8_192)}`, length]],
  ])('%s: is none', (_what, headers) => {
    expect(read(call(headers))).toBeUndefined();
  });

  it.each([
    'POST /v1/data/a?pretty HTTP/1.1',
    'POST /v1/data/a#b HTTP/1.1',
    'POST /v1/data/a b HTTP/1.1',
    'POST  /v1/data/a HTTP/1.1',
    'POST\t/v1/data/a HTTP/1.1',
    'POST /v1/data/\u00e9 HTTP/1.1',
    'POST /v1/data/a HTTP/1.0',
    'POST /v1/data/a HTTP/2.0',
    'POST /v1/data/a HTTP/1.1 ',
    'POST /v1/data/a http/1.1',
    'POST /v1/data HTTP/1.1',
    'POST /v0/data/a HTTP/1.1',
    'POST http://a/v1/data/a HTTP/1.1',
    'post /v1/data/a HTTP/1.1',
    'GET /v1/data/a HTTP/1.1',
  ])('of %j is none', (first) => {
    expect(read(call(['Host: a', length], first))).toBeUndefined();
  });

  it('is none while the head is not all there, wherever it breaks, and knows what is missing of the body', () => {
    const whole = call(['Host: a', length]);
    const headBytes = whole.length - body.length;
    for (let bytes = 0; bytes < headBytes; bytes += 1) expect(read(whole.subarray(0, bytes))).toBeUndefined();
    for (let bytes = headBytes; bytes <= whole.length; bytes += 1)
      expect(read(whole.subarray(0, bytes))).toMatchObject({ headBytes, bodyBytes: body.length });
    expect(read(Buffer.concat([whole, whole]))).toBeUndefined();
    expect(read(Buffer.concat([Buffer.from('\r\n'), whole]))).toBeUndefined();
  });
});
