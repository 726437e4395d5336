/** Asks an OpenAI-compatible embeddings endpoint, which the configuration names, for the vectors of texts. */
import { Transport } from './transport.js';

export interface EmbedderOptions {
  /** The full address; without a path, OpenAI's. */
  readonly endpoint: string;
  /** Lines such as `authorization: Bearer …`. */
  readonly headers: readonly string[];
  /** Put to the address's own query. */
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Undefined where the address says it, as Azure's does. */
  readonly model: string | undefined;
  readonly dimensions: number | undefined;
  readonly timeoutMs: number;
  readonly sslVerify: boolean;
}

const maxAnswerBytes = 16 * 1024 * 1024;

export class Embedder {
  readonly #options: EmbedderOptions;
  readonly #path: string;
  readonly #transport: Transport;

  constructor(options: EmbedderOptions) {
    this.#options = options;
    const url = new URL(options.endpoint);
    for (const [name, value] of Object.entries(options.query ?? {})) url.searchParams.set(name, value);
    this.#path = (url.pathname === '/' ? '/v1/embeddings' : url.pathname) + url.search;
    const { timeoutMs, sslVerify } = options;
    this.#transport = new Transport({ url, sslVerify, keepaliveMs: 60_000, keepaliveSize: 16, timeoutMs });
  }

  /** Rejects when there is no vector in time. */
  async embed(input: string): Promise<Float32Array> {
    const [vector] = await this.#ask(input, 1);
    return vector ?? new Float32Array();
  }

  /** One vector for each text, in their order. Rejects when one is missing. */
  async embedAll(texts: readonly string[]): Promise<readonly Float32Array[]> {
    return await this.#ask(texts, texts.length);
  }

  async #ask(input: string | readonly string[], count: number): Promise<readonly Float32Array[]> {
    const { model, dimensions, timeoutMs, headers: own } = this.#options;
    const about = { ...(model === undefined ? {} : { model }), ...(dimensions === undefined ? {} : { dimensions }) };
    const body = Buffer.from(JSON.stringify({ ...about, input }));
    const headers = ['content-type: application/json', 'accept-encoding: identity', ...own];
    const answer = await this.#transport.send(this.#path, headers, body, AbortSignal.timeout(timeoutMs));
    const bytes = await answer.whole(maxAnswerBytes, () => undefined);
    if (answer.status !== 200) throw new Error(`the embeddings endpoint answered ${answer.status}`);
    const { data } = JSON.parse(bytes.toString('utf8')) as { readonly data?: unknown };
    return vectorsOf(data, count);
  }

  close(): void {
    this.#transport.close();
  }
}

/** By their `index` where the endpoint says it. */
function vectorsOf(data: unknown, count: number): readonly Float32Array[] {
  const found: (Float32Array | undefined)[] = Array.from({ length: count });
  if (Array.isArray(data))
    for (const [at, one] of (data as unknown[]).entries()) {
      const { embedding, index = at } = (one ?? {}) as { readonly embedding?: unknown; readonly index?: unknown };
      const isVector = Array.isArray(embedding) && embedding.length > 0 && embedding.every(Number.isFinite);
      if (isVector && typeof index === 'number' && index in found)
        found[index] = Float32Array.from(embedding as readonly number[]);
    }
  if (found.some((one) => one === undefined)) throw new Error('the embeddings endpoint gave no vector');
  return found as readonly Float32Array[];
}
