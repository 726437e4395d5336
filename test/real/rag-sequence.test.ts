/**
 * The specification's sequence 6.4, whole: user → gateway → RAG → Cosmos DB (emulator) prefilters → vector DB (pgvector) → hairpin through
 * the gateway → key from Vault → LLM (a stand-in) → answer. Then each of them dies in turn: what users see is a clear error or less
 * of an answer, never a document that is not theirs; and when it is back, all is as before.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CosmosServer, startCosmos } from '../servers/cosmos.js';
import { type EmbeddingStandIn, startEmbeddingStandIn } from '../servers/embedding-stand-in.js';
import { chat, type LlmStandIn, startLlmStandIn } from '../servers/llm-stand-in.js';
import { startPgvector } from '../servers/pgvector.js';
import { describeWithServers } from '../servers/presence.js';
import { findFreePorts, makeTemporaryFolder } from '../servers/processes.js';
import { startVault, type VaultServer } from '../servers/vault.js';
import { repositoryRoot, startTestServer, type TestServer } from '../system/harness.js';
import { type RagClient, ragClient } from '../system/rag-client.js';

const policy = `package team.authz

default allow := false

allow if {
	input.claims.project == "team"
	startswith(input.action, "rag.")
}

allow if {
	input.claims.project == "team"
	input.action in {"document.write", "document.delete"}
}

allow if {
	input.claims.project == "team"
	input.action == "document.read"
	not hidden
}

hidden if {
	"board" in input.document.tags
	not "director" in input.claims.roles
}

# The call to the language model, which the gateway asks about with its facts.
allow if {
	input.claims.project == "team"
	input.llm.model == "model-x"
}
`;
const providerKey = 'sk-from-vault-4711';

describeWithServers(['vault', 'cosmos', 'pgvector'], () => {
  describe('a question, from the user to the language model and back', () => {
    let vault: VaultServer;
    let cosmos: CosmosServer;
    let vectors: Awaited<ReturnType<typeof startPgvector>>;
    let llm: LlmStandIn;
    let embeddings: EmbeddingStandIn;
    let server: TestServer;
    /** From the RAG service to the gateway's public address: cut, it is as if the gateway had died. */
    let way: Way;
    let ann: RagClient;
    let dora: RagClient;

    beforeAll(async () => {
      [vault, cosmos, vectors, llm, embeddings] = await Promise.all([
        startVault(),
        startCosmos(),
        startPgvector(),
        startLlmStandIn(chat(['Thirty days [1]', ', says the handbook [9].'])),
        startEmbeddingStandIn(),
      ]);
      await vault.call('PUT', 'kv2/data/llm/main', { data: { authorization: `Bearer ${providerKey}` } });
      const [port = 0, wayPort = 0] = await findFreePorts(2);
      way = wayTo(port, wayPort);
      await way.open();
      server = await startTestServer({
        port: String(port),
        demo: 'false',
        gatewayFile: await gatewayFile(vault, llm.url),
        // So that a new key is soon seen.
        secretCacheSeconds: '1',
        documentCatalog: 'cosmos',
        ...{ cosmosEndpoint: cosmos.endpoint, cosmosKey: cosmos.key },
        ...{ vectorIndex: 'pgvector', pgvectorUrl: vectors.url },
        ...{
          embeddingUrl: embeddings.url,
          embeddingModel: 'stand-in',
          embeddingDimensions: String(embeddings.dimensions),
        },
        ...{ llmUrl: `http://127.0.0.1:${wayPort}/llm/v1/chat/completions`, llmModel: 'model-x', llmTimeoutMs: '5000' },
      });
      const written = await server.call('PUT', '/policies/team?wait=applied', { body: { rego: policy } });
      expect(written.status, written.text).toBe(201);
      ann = await ragClient(server, 'team', { sub: 'ann', project: 'team', roles: [] });
      dora = await ragClient(server, 'team', { sub: 'dora', project: 'team', roles: ['director'] });
      const handbook = await dora.upload('handbook.md', '# Leave\n\nEmployees have thirty days of annual leave.', {});
      const minutes = await dora.upload('minutes.md', '# Board\n\nThe annual leave of directors is unlimited.', {
        tags: ['board'],
      });
      await dora.ready(handbook.document.id);
      await dora.ready(minutes.document.id);
    }, 300_000);
    afterAll(async () => {
      await way?.cut();
      await server?.stop();
      await Promise.all([vault?.stop(), cosmos?.stop(), vectors?.stop(), llm?.stop(), embeddings?.stop()]);
    });

    const question = 'How many days of annual leave do I have?';

    const works = async (): Promise<void> => {
      const answer = await ann.query(question);
      expect(answer).toMatchObject({ kind: 'generated', model: 'model-x', retrieval: { mode: 'hybrid' } });
      expect(answer.answer).toBe('Thirty days [1], says the handbook .');
      expect(answer.citations.map(({ passage }) => passage.document.name)).toEqual(['handbook.md']);
    };
    const seesOnlyHis = async (): Promise<void> => {
      const { status, json } = await ann.call('POST', '/search', { query: 'annual leave of directors' });
      if (status === 200) expect(JSON.stringify(json)).not.toContain('unlimited');
    };

    it('is answered with citations, by the key from Vault, and the prompt has only what the caller may see', async () => {
      llm.reset();
      await works();
      const [asked] = llm.seen.slice(-1);
      expect(asked?.headers['authorization']).toBe(`Bearer ${providerKey}`);
      expect(asked?.text).toContain('thirty days of annual leave');
      expect(asked?.text).not.toContain('unlimited');
      await dora.query(question);
      expect(llm.seen.at(-1)?.text).toContain('unlimited');
    });

    it('in a conversation is first put so that it stands alone, by the model, and searched for as that', async () => {
      llm.reset();
      llm.behave((request, response) => {
        const isRewrite = request.text.includes('Rewrite the last question');
        return chat([isRewrite ? 'How many days of annual leave do employees have?' : 'Thirty [1].'])(
          request,
          response,
        );
      });
      const conversation = [{ role: 'user', content: 'Tell me about annual leave.' }];
      const answer = await ann.query('And how many do I have?', { conversation });
      expect(answer).toMatchObject({
        question: 'How many days of annual leave do employees have?',
        answer: 'Thirty [1].',
      });
      expect(llm.seen).toHaveLength(2);
      expect(llm.seen[1]?.body.messages.at(-1).content).toBe('And how many do I have?');
      llm.reset();
    });

    it('says what was refused, and never shows the key', async () => {
      const answer = await ann.query(question);
      expect(answer.retrieval.notes.join()).toContain('outside of the context');
      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      expect(JSON.stringify(answer) + metrics).not.toContain(providerKey);
    });

    it('is refused when the policy does not let it go to the model', async () => {
      const { headers } = await server.call('GET', '/policies/team');
      const closed = policy.replace('input.llm.model == "model-x"', 'input.llm.model == "model-y"');
      const put = async (rego: string, etag: string | null) =>
        await server.call('PUT', '/policies/team?wait=applied', {
          body: { rego },
          headers: { 'if-match': etag ?? '' },
        });
      const written = await put(closed, headers.get('etag'));
      const { status, json } = await ann.call('POST', '/query', { question });
      expect([status, (json as { reason: string }).reason]).toEqual([403, 'model.denied']);
      await put(policy, written.headers.get('etag'));
      await works();
    });

    it('without the LLM is a clear 503, and works again when it is back', async () => {
      llm.behave((_request, response) => void response.destroy());
      const { status, json } = await ann.call('POST', '/query', { question });
      expect([status, (json as { reason: string }).reason]).toEqual([503, 'model.unavailable']);
      llm.reset();
      await works();
    });

    it('without the gateway on the way to the LLM is a clear 503, and works again when it is back', async () => {
      await way.cut();
      const { status, json } = await ann.call('POST', '/query', { question });
      expect([status, (json as { reason: string }).reason]).toEqual([503, 'model.unavailable']);
      expect((await ann.search('annual leave')).items).toHaveLength(1);
      await way.open();
      await works();
    });

    it('whose answer breaks off ends with an error event, not as if it were whole', async () => {
      llm.behave(async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const piece = { choices: [{ index: 0, delta: { content: 'Thirty' } }], model: 'model-x' };
        response.write(`data: ${JSON.stringify(piece)}\n\n`);
        await new Promise((resolve) => setTimeout(resolve, 50));
        response.destroy();
      });
      const events = await ann.stream(question);
      expect(events.at(-1)?.event).toBe('error');
      expect(events.map(({ event }) => event)).not.toContain('answer');
      llm.reset();
    });

    it('goes on with the key at hand while Vault is away, and takes up a new one when it is back', async () => {
      await vault.kill();
      await works();
      await vault.restart();
      await vault.call('PUT', 'kv2/data/llm/main', { data: { authorization: 'Bearer sk-rotated' } });
      const isRotated = async (): Promise<void> => {
        await works();
        expect(llm.seen.at(-1)?.headers['authorization']).toBe('Bearer sk-rotated');
      };
      await vi.waitFor(isRotated, { timeout: 30_000, interval: 500 });
    }, 60_000);

    it('without the vector DB is a clear 503; searches by words go on', async () => {
      await vectors.kill();
      const { status, json } = await ann.call('POST', '/query', { question });
      expect([status, (json as { reason: string }).reason]).toEqual([503, 'store.unavailable']);
      const byWords = await ann.search('annual leave', { mode: 'text' });
      expect(byWords.items.map(({ document }) => document.name)).toEqual(['handbook.md']);
      await vectors.restart();
      await vi.waitFor(works, { timeout: 30_000, interval: 500 });
    }, 90_000);

    it('without the catalog is a clear 503: nothing is shown that cannot be checked', async () => {
      await cosmos.kill();
      for (const path of ['/search', '/query'] as const) {
        const body = path === '/search' ? { query: 'annual leave' } : { question };
        const { status, json } = await ann.call('POST', path, body);
        expect([status, (json as { reason: string }).reason]).toEqual([503, 'store.unavailable']);
      }
      await cosmos.restart();
      await vi.waitFor(works, { timeout: 30_000, interval: 500 });
    }, 90_000);

    it('without the embedding service is answered from what words find', async () => {
      embeddings.isDown = true;
      const answer = await ann.query(question);
      expect(answer).toMatchObject({ kind: 'generated', retrieval: { mode: 'text' } });
      expect(answer.retrieval.notes.join()).toContain('does not answer');
      embeddings.isDown = false;
      await works();
    });

    it('never showed anything that was not for the caller', seesOnlyHis);
  });
});

interface Way {
  open(): Promise<void>;
  cut(): Promise<void>;
}

function wayTo(port: number, ownPort: number): Way {
  let server: Server | undefined;
  const open = new Set<Socket>();
  return {
    open: async () => {
      server = createServer((near) => {
        const far = connect(port, '127.0.0.1');
        for (const socket of [near, far]) {
          open.add(socket);
          socket.on('error', () => undefined).on('close', () => open.delete(socket));
        }
        near.pipe(far).pipe(near);
      });
      await new Promise<void>((resolve) => server?.listen(ownPort, '127.0.0.1', resolve));
    },
    cut: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
      server = undefined;
    },
  };
}

/** The installation's own file, and behind it Vault's secrets and the route to the language model. */
async function gatewayFile(vault: VaultServer, llmUrl: string): Promise<string> {
  const own = readFileSync(join(repositoryRoot, 'deploy/apisix/apisix.yaml'), 'utf8');
  const route = `
  - id: llm
    uri: /llm/*
    labels:
      project: team
    plugins:
      openid-connect:
        client_id: bailiwick
        client_secret: unused-with-bearer-only
        discovery: "\${{BAILIWICK_DISCOVERY_URL}}"
        bearer_only: true
        use_jwks: true
      opa:
        host: "\${{BAILIWICK_OPA_URL}}"
        policy: bailiwick/authz
      ai-proxy:
        provider: openai-compatible
        auth: {header: {Authorization: $secret://vault/main/llm/main/authorization}}
        override: {endpoint: "${llmUrl}"}

secrets:
  - id: vault/main
    uri: ${vault.url}
    prefix: kv2
    kv_version: 2
    role_id: ${vault.roleId}
    secret_id: ${vault.secretId}
#END
`;
  const file = join(await makeTemporaryFolder('rag-gateway'), 'apisix.yaml');
  writeFileSync(file, own.replace('#END', `  ${route.trimStart()}`));
  return file;
}
