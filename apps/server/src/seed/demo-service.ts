/** DEMO: the echo service behind `/demo/…`, so that a first request through the gateway has something to reach. */
import { createServer, type Server } from 'node:http';

export interface DemoService {
  readonly port: number;
  close(): Promise<void>;
}

export async function startDemoService(): Promise<DemoService> {
  const server: Server = createServer((request, response) => {
    request.resume();
    const user =
      typeof request.headers['x-userinfo'] === 'string'
        ? JSON.parse(Buffer.from(request.headers['x-userinfo'], 'base64').toString('utf8'))
        : null;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      `${JSON.stringify({ demo: true, message: 'You passed the gateway.', method: request.method, path: request.url, user: user?.sub ?? null, request_id: request.headers['x-request-id'] ?? null })}\n`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
