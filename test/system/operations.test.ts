import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allowRole, repositoryRoot, startTestServer } from './harness.js';

describe('a running server', () => {
  it('describes its API as OpenAPI 3.1, and shows it without asking another site', async () => {
    const server = await startTestServer();
    try {
      const document = (await server.call('GET', '/openapi.json', { token: null })).json;
      expect(document.openapi).toBe('3.1.0');
      for (const path of ['/policies/{project}', '/policies/{project}/check', '/api/v1/audit', '/v1/data/{*}'])
        expect(Object.keys(document.paths)).toContain(path);
      expect(document.paths['/policies/{project}'].put.responses).toHaveProperty('201');
      const page = await server.call('GET', '/docs', { token: null });
      expect(page.text).toContain('swagger-ui-bundle.js');
      expect(page.text).not.toMatch(/https?:\/\//);
      expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
      expect((await server.call('GET', '/docs/swagger-ui-bundle.js', { token: null })).status).toBe(200);
    } finally {
      await server.stop();
    }
  });

  it('sends traces by OTLP that continue the caller’s', async () => {
    const received: string[] = [];
    const ragTrace = '00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const collector = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        received.push(`${request.url} ${body}`);
        response.end('{}');
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const address = collector.address();
    const server = await startTestServer({
      otlpEndpoint: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    });
    await server.call('GET', '/demo/hello', {
      headers: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
    });
    const asked = { question: 'Who is there?' };
    await server.call('POST', '/rag/demo/query', { body: asked, headers: { traceparent: ragTrace } });
    await server.stop();
    collector.closeAllConnections();
    await new Promise((resolve) => collector.close(resolve));
    expect(received.join('\n')).toContain('/v1/traces');
    expect(received.join('\n')).toContain('4bf92f3577b34da6a3ce929d0e0e4736');
    for (const name of ['rag.query', 'rag.search']) expect(received.join('\n')).toContain(`"name":"${name}"`);
    expect(received.join('\n')).toContain('5bf92f3577b34da6a3ce929d0e0e4736');
  });

  it('keeps keys and tokens from other users of the machine', async () => {
    const server = await startTestServer();
    const mode = (name: string): number => statSync(join(server.directory, name)).mode & 0o777;
    expect([mode('admin.token'), mode('keys'), mode('keys/token.pem'), mode('keys/audit.pem')]).toEqual([
      0o600, 0o700, 0o600, 0o600,
    ]);
    await server.stop();
  });

  it('starts again on its data with everything there, the administrator’s token included', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bailiwick-again-'));
    const first = await startTestServer({}, folder);
    await first.call('PUT', '/policies/kept', { body: { rego: allowRole('a') } });
    const { token } = first;
    await first.stop();
    const second = await startTestServer({}, folder);
    expect((await second.call('GET', '/policies/kept', { token })).status).toBe(200);
    expect((await second.call('GET', '/policies/platform/versions')).json.items).toHaveLength(1);
    await second.stop();
    rmSync(folder, { recursive: true });
  });

  it('leaves the demo out when it is asked to', async () => {
    const server = await startTestServer({ demo: 'false' });
    expect((await server.call('GET', '/policies')).json.items).toEqual(['platform']);
    await server.stop();
  });
});

/** The built program with arguments; resolves when it ended. */
function run(args: readonly string[], environment: Record<string, string>): { code: number; text: string } {
  try {
    return {
      code: 0,
      text: execFileSync(process.execPath, [join(repositoryRoot, 'dist/bailiwick.mjs'), ...args], {
        env: { PATH: process.env['PATH'] ?? '', ...environment },
        encoding: 'utf8',
        stdio: 'pipe',
        timeout: 20_000,
      }),
    };
  } catch (error) {
    const { status, stderr } = error as { status: number; stderr: string };
    return { code: status, text: stderr };
  }
}

describe('the program', () => {
  it('names every wrong setting at once and does not start', () => {
    const { code, text } = run(['--nonsense'], {});
    expect([code, text]).toEqual([1, expect.stringContaining("'--nonsense' is not an option")]);
    const wrong = run([], { BAILIWICK_PORT: 'x', BAILIWICK_LOG_LEVEL: 'loud', BAILIWICK_PROT: '1' });
    for (const fault of ["BAILIWICK_PORT is 'x'", "BAILIWICK_LOG_LEVEL is 'loud'", 'BAILIWICK_PROT is not a setting'])
      expect(wrong.text).toContain(fault);
    expect(wrong.text).not.toContain('    at ');
  });

  it('refuses a data folder that another process holds, and says which', async () => {
    const server = await startTestServer();
    const { code, text } = run([], { BAILIWICK_DATA_DIR: server.directory, BAILIWICK_PORT: '0' });
    expect(code).toBe(1);
    expect(text).toContain(String(process.pid));
    expect(text).not.toContain('    at ');
    await server.stop();
  });

  it('stops on SIGTERM with exit code 0 and everything acknowledged kept and in history', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bailiwick-stop-'));
    const child = spawn(process.execPath, [join(repositoryRoot, 'dist/bailiwick.mjs')], {
      env: { PATH: process.env['PATH'], BAILIWICK_PORT: '0', BAILIWICK_DATA_DIR: folder, BAILIWICK_LOG_LEVEL: 'error' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const url = await new Promise<string>((resolve) =>
      child.stdout.on(
        'data',
        (chunk) => /http:\/\/[\d.:]+/.exec(String(chunk)) && resolve(/http:\/\/[\d.:]+/.exec(String(chunk))?.[0] ?? ''),
      ),
    );
    const token = readFileSync(join(folder, 'admin.token'), 'utf8').trim();
    const acknowledged: string[] = [];
    const writers = Array.from({ length: 8 }, async (_unused, writer) => {
      for (let count = 0; ; count += 1) {
        const name = `stop-${writer}-${count}`;
        const answer = await fetch(`${url}/policies/${name}`, {
          method: 'PUT',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ rego: allowRole('a') }),
        }).catch(() => undefined);
        if (answer?.status !== 201) return;
        acknowledged.push(name);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await Promise.all(writers);
    expect(acknowledged.length).toBeGreaterThan(10);
    const again = await startTestServer({}, folder);
    const names = (await again.call('GET', '/policies')).json.items as string[];
    expect(acknowledged.filter((name) => !names.includes(name))).toEqual([]);
    expect((await again.call('GET', '/readyz')).json.outbox_depth).toBe(0);
    await again.stop();
    rmSync(folder, { recursive: true });
  });
});
