/** Data of megabytes is replaced while decisions go on: read, written and put in force between requests. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './harness.js';

const MIB = 1024 * 1024;
const rego =
  'package project.authz\n\ndefault allow := false\n\nallow if some grant in data.grants[input.user]\n\nversion := data.version\n';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ maxDataBytes: String(9 * MIB) });
});
afterAll(async () => {
  await server.stop();
});

function documentOf(version: number, bytes: number): string {
  const grants: string[] = [];
  for (let user = 0, size = 0; size < bytes; user += 1) {
    const grant = `"user-${user}":[{"project":"p${user % 97}","action":"read","scope":["a","b",${user}]}]`;
    grants.push(grant);
    size += grant.length + 1;
  }
  return `{"version":${version},"grants":{${grants.join(',')}}}`;
}

const bodyOf = (data: string): string => `{"rego":${JSON.stringify(rego)},"data":${data}}`;
const versionNow = async (): Promise<unknown> =>
  (await server.call('GET', '/v1/data/projects/large/project/authz/version')).json.result;

let etag: string | null = null;
async function put(body: string): Promise<number> {
  const headers: Record<string, string> = etag === null ? {} : { 'if-match': etag };
  const answer = await server.call('PUT', '/policies/large?wait=applied', { raw: body, headers });
  etag = answer.headers.get('etag') ?? etag;
  return answer.status;
}

it('answers while 8 MiB of data are replaced, and has them in force afterwards', async () => {
  expect(await put(bodyOf('{"version":0,"grants":{}}'))).toBe(201);
  await put(bodyOf(documentOf(1, MIB)));
  const body = bodyOf(documentOf(2, 8 * MIB));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let answered = 0;
  let isDone = false;
  const asking = (async (): Promise<void> => {
    for (; !isDone; answered += 1) expect([1, 2]).toContain(await versionNow());
  })();
  delay.enable();
  expect(await put(body)).toBe(200);
  delay.disable();
  isDone = true;
  await asking;
  console.log(`8 MiB: the longest pause ${(delay.max / 1e6).toFixed(0)} ms, ${answered} decisions meanwhile`);
  expect(await versionNow()).toBe(2);
  expect(answered).toBeGreaterThan(10);
  // Steps take a few milliseconds; what is left is the collector's and the platform's own work on a text of 8 MiB.
  expect(delay.max / 1e6).toBeLessThan(2000);
});

it('changes nothing for a document that ends badly or does not end', async () => {
  const before = await versionNow();
  const text = documentOf(3, 2 * MIB);
  expect(await put(bodyOf(`${text.slice(0, -1)},}`))).toBe(400);
  expect(await put(bodyOf(`${text.slice(0, -1)},"version":4}`))).toBe(400);
  const body = Buffer.from(bodyOf(text));
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `PUT /policies/large HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${server.token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  await new Promise((resolve) => socket.write(body.subarray(0, body.length / 2), resolve));
  socket.destroy();
  await once(socket, 'close');
  expect(await versionNow()).toBe(before);
  expect(await put(bodyOf(text))).toBe(200);
  expect(await versionNow()).toBe(3);
});
