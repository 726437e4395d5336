/** Asks an OpenAI-compatible embeddings endpoint, which the configuration names, for the vector of a text. */
import { Transport } from './transport.js';

export interface EmbedderOptions {
  readonly endpoint: string;
  readonly apiKey: string;
  readonly model: string;
  readonly dimensions: number | undefined;
  readonly timeoutMs: number;
  readonly sslVerify: boolean;
}

const maxAnswerBytes = 4 * 1024 * 1024;

export class Embedder {
  readonly #options: EmbedderOptions;
  readonly #url: URL;
  readonly #transport: Transport;

  constructor(options: EmbedderOptions) {
    this.#options = options;
    this.#url = new URL(options.endpoint);
    const { timeoutMs, sslVerify } = options;
    this.#transport = new Transport({ url: this.#url, sslVerify, keepaliveMs: 60_000, keepaliveSize: 16, timeoutMs });
  }

  /** Rejects when there is no vector in time. */
  async embed(input: string): Promise<Float32Array> {
    const { apiKey, model, dimensions, timeoutMs } = this.#options;
    const body = Buffer.from(JSON.stringify({ model, input, ...(dimensions === undefined ? {} : { dimensions }) }));
    const headers = ['content-type: application/json', 'accept-encoding: identity', `authorization: Bearer ${apiKey}`];
    const path = this.#url.pathname === '/' ? '/v1/embeddings' : this.#url.pathname + this.#url.search;
    const answer = await this.#transport.send(path, headers, body, AbortSignal.timeout(timeoutMs));
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body) {
      bytes += chunk.length;
      if (bytes > maxAnswerBytes) throw new RangeError('the embeddings endpoint answered too much');
      chunks.push(chunk);
    }
    if (answer.status !== 200) throw new Error(`the embeddings endpoint answered ${answer.status}`);
    const parsed = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
      readonly data?: readonly { readonly embedding?: readonly number[] }[];
    };
    const vector = parsed.data?.[0]?.embedding;
    if (!Array.isArray(vector) || vector.length === 0) throw new Error('the embeddings endpoint gave no vector');
    return Float32Array.from(vector as readonly number[]);
  }

  close(): void {
    this.#transport.close();
  }
}
