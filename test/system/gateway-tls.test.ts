/** TLS in and out, client certificates both ways, and WebSockets, through a gateway of its own. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedGateway } from '../../conformance/gateway/targets.js';
import { type Certificates, makeCertificates } from '../servers/certificates.js';

let gateway: Awaited<ReturnType<typeof embeddedGateway>>;
let certificates: Certificates;
let tlsPort = 0;
const folder = mkdtempSync(join(tmpdir(), 'bailiwick-gateway-tls-'));
const pem = (name: string): string => readFileSync(join(folder, name), 'utf8');
const indented = (text: string, by: number): string => text.trim().replace(/^/gm, ' '.repeat(by));
const stoppers: (() => void)[] = [];

beforeAll(async () => {
  certificates = makeCertificates(folder);
  gateway = await embeddedGateway();
  tlsPort = await gateway.gateway.listenTls('127.0.0.1', 0);
});
afterAll(async () => {
  await gateway.stop();
  for (const stop of stoppers) stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

const ask = (
  name: string,
  path: string,
  more: { readonly cert?: string; readonly key?: string; readonly host?: string } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { host = name, ...tls } = more;
    get(
      {
        host: '127.0.0.1',
        port: tlsPort,
        servername: name,
        path,
        ca: certificates.ca,
        checkServerIdentity: () => undefined,
        agent: false,
        headers: { host },
        ...tls,
      },
      (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    ).on('error', reject);
  });

const ssl = (id: string, sni: string, more = ''): string =>
  `  - id: ${id}\n    sni: "${sni}"\n    cert: |\n${indented(pem('server.crt'), 6)}\n    key: |\n${indented(pem('server.key'), 6)}\n${more}`;

describe('the TLS listener', () => {
  let upstream = '';
  beforeAll(async () => {
    const server = createServer(
      {
        cert: pem('server.crt'),
        key: pem('server.key'),
        ca: certificates.ca,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request: IncomingMessage, response) => {
        const socket = request.socket as TLSSocket;
        response.end(
          JSON.stringify({
            client: socket.getPeerCertificate().subject?.CN ?? null,
            proto: request.headers['x-forwarded-proto'],
            sni: socket.servername,
          }),
        );
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stoppers.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    upstream = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await gateway.apply(
      `ssls:\n${ssl('plain', 'open.example')}${ssl('mutual', '*.closed.example', `    client:\n      skip_mtls_uri_regex: ["^/skipped"]\n      ca: |\n${indented(certificates.ca, 8)}\n`)}` +
        `${ssl('client', 'unused.example')}`
          .replace('sni: "unused.example"', 'type: client')
          .replace(/server\.(crt|key)/g, 'client.$1') +
        `routes:\n  - {id: out, uri: /out, upstream: {type: roundrobin, scheme: https, pass_host: rewrite, upstream_host: localhost, nodes: {"${upstream}": 1}, tls: {verify: false, client_cert_id: client}}}\n` +
        `  - {id: strict, uri: /strict, upstream: {type: roundrobin, scheme: https, nodes: {"${upstream}": 1}, tls: {verify: true}}}\n#END\n`,
    );
  });

  it('shows the certificate of the name that is asked for, and none for a name it does not have', async () => {
    expect((await ask('open.example', '/none')).status).toBe(404);
    await expect(ask('other.example', '/none')).rejects.toThrow();
  });

  it('sends upstream by TLS with its own client certificate, and says how the client came', async () => {
    const answer = JSON.parse((await ask('open.example', '/out')).body);
    expect(answer).toEqual({ client: 'server', proto: 'https', sni: 'localhost' });
  });

  it('does not speak to an upstream whose certificate nobody vouches for, when it is to verify', async () => {
    expect((await ask('open.example', '/strict')).status).toBe(503);
  });

  it('demands a client certificate where the name says so, but for skipped paths', async () => {
    const { cert, key } = certificates;
    expect((await ask('a.closed.example', '/out')).status).toBe(400);
    expect((await ask('a.closed.example', '/skipped')).status).toBe(404);
    expect((await ask('a.closed.example', '/out', { cert, key })).status).toBe(200);
  });

  it('does not take a connection made for an open name for one to a closed name', async () => {
    expect((await ask('open.example', '/out', { host: 'a.closed.example' })).status).toBe(400);
  });
});

describe('a WebSocket', () => {
  it('goes through where the route says so, both ways, and not elsewhere', async () => {
    const { WebSocket, WebSocketServer } = await import('ws');
    const http = createHttpServer((_request, response) => response.end('plain'));
    const sockets = new WebSocketServer({ server: http });
    sockets.on('connection', (socket, request) => {
      socket.send(`hello ${request.url} ${request.headers['x-added']}`);
      socket.on('message', (data) => socket.send(`echo ${String(data)}`));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    stoppers.push(
      () => sockets.close(),
      () => http.closeAllConnections(),
      () => http.close(),
    );
    const node = `upstream: {type: roundrobin, nodes: {"127.0.0.1:${(http.address() as AddressInfo).port}": 1}}`;
    await gateway.apply(
      `routes:\n  - {id: ws, uri: /ws, enable_websocket: true, plugins: {proxy-rewrite: {headers: {set: {X-Added: "yes"}}}}, ${node}}\n  - {id: guarded, uri: /guarded, enable_websocket: true, plugins: {key-auth: {}}, ${node}}\n  - {id: no, uri: /plain, ${node}}\n#END\n`,
    );
    const address = gateway.url.replace('http', 'ws');
    const client = new WebSocket(`${address}/ws?a=1`);
    const messages: string[] = [];
    await new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.on('message', (data) => {
        messages.push(String(data));
        if (messages.length === 1) client.send('one');
        if (messages.length === 2) client.send('x'.repeat(200_000));
        if (messages.length === 3) resolve();
      });
    });
    expect(messages[0]).toBe('hello /ws?a=1 yes');
    expect(messages[1]).toBe('echo one');
    expect(messages[2]).toHaveLength(200_005);
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.close();
    await closed;
    const refusal = (path: string): Promise<number> =>
      new Promise((resolve) => {
        const refused = new WebSocket(address + path);
        refused.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
        refused.on('error', () => undefined);
      });
    expect(await refusal('/guarded')).toBe(401);
    expect(await refusal('/plain')).toBe(200);
    expect(await refusal('/none')).toBe(404);
  });
});
