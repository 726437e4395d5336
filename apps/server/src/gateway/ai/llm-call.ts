/**
 * One call of a language model on its way: what the client asked (format, model, tools, tokens), what is known of it before any provider is
 * reached (the decision's `input.llm`), and what came of it (usage, cost, times). The `ai-*` plugins share it through `exchange.llm`.
 */

export type LlmKind = 'openai-chat' | 'openai-responses' | 'openai-embeddings' | 'anthropic-messages';

export type Json = Readonly<Record<string, unknown>>;

export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Part of the input tokens. */
  readonly cachedTokens: number;
  /** True when the provider said nothing and the numbers are ours. */
  readonly isEstimated: boolean;
}

/** Money for a million tokens, in the operator's currency. */
export interface Price {
  readonly input: number;
  readonly output: number;
  /** For input tokens that the provider had cached; the price of input when absent. */
  readonly cached_input?: number | undefined;
}

export class LlmCall {
  readonly kind: LlmKind;
  /** As the client sent it, until a plugin changes it. */
  body: Record<string, unknown>;
  /** The bytes that `body` was read from; undefined once it was changed. */
  bytes: Buffer | undefined;
  readonly project: string | undefined;
  readonly requestedModel: string;
  /** `promptTokens` is our estimate. */
  promptTokens: number;
  /** What the answer may have at most; 0: the client did not say. */
  maxTokens: number;

  /** Of the instance that is asked, or will be. */
  provider = '';
  model = '';
  instance = '';
  price: Price | undefined;

  attempts = 0;
  usage: TokenUsage | undefined;
  /** Milliseconds from the call to the first byte of the answer; -1: none came. */
  firstByteMs = -1;
  cache: 'hit' | 'semantic-hit' | 'miss' | 'bypass' | undefined;
  /** The provider has said that its answer is whole. */
  isComplete = false;
  finishReason: string | undefined;
  responseModel: string | undefined;
  responseId: string | undefined;
  /** The provider's own usage, by its names. */
  rawUsage: Json | undefined;
  /** What `logging` asks for, once the call has ended. */
  logged: Json | undefined;

  constructor(about: {
    readonly kind: LlmKind;
    readonly body: Record<string, unknown>;
    readonly bytes: Buffer | undefined;
    readonly project: string | undefined;
  }) {
    this.kind = about.kind;
    this.body = about.body;
    this.bytes = about.bytes;
    this.project = about.project;
    this.requestedModel = typeof about.body['model'] === 'string' ? about.body['model'] : '';
    this.model = this.requestedModel;
    this.promptTokens = estimatePrompt(about.body);
    this.maxTokens = maxTokensOf(about.body);
  }

  get isStream(): boolean {
    return this.body['stream'] === true;
  }

  /** Names of the tools that the model may call, each once. */
  get tools(): readonly string[] {
    return toolNames(this.body);
  }

  /** The answer asks for tools. */
  get callsTools(): boolean {
    return ['tool_calls', 'tool-calls', 'tool_use', 'function_call'].includes(this.finishReason ?? '');
  }

  /** A plugin has put another body in the place of the client's. */
  change(body: Record<string, unknown>): void {
    this.body = body;
    this.bytes = undefined;
    this.promptTokens = estimatePrompt(body);
    this.maxTokens = maxTokensOf(body);
  }

  /** Prompt and answer together, before the call. */
  get estimatedTokens(): number {
    return this.promptTokens + this.maxTokens;
  }

  /** What a policy sees as `input.llm`. No prompt is among it. */
  facts(): Record<string, string | number | boolean | string[]> {
    return {
      kind: this.kind,
      provider: this.provider,
      model: this.model,
      requested_model: this.requestedModel,
      instance: this.instance,
      estimated_tokens: this.estimatedTokens,
      prompt_tokens: this.promptTokens,
      max_tokens: this.maxTokens,
      tools: [...this.tools],
      stream: this.isStream,
      ...(this.project === undefined ? {} : { project: this.project }),
    };
  }

  /** For the access log: numbers and the configuration's names, never what was said. */
  summary(): Record<string, string | number | boolean> {
    const { usage } = this;
    return {
      provider: this.provider,
      model: this.model.slice(0, 200),
      instance: this.instance,
      stream: this.isStream,
      attempts: this.attempts,
      ...(this.project === undefined ? {} : { project: this.project }),
      ...(this.cache === undefined ? {} : { cache: this.cache }),
      ...(this.firstByteMs < 0 ? {} : { first_byte_ms: Math.round(this.firstByteMs * 1000) / 1000 }),
      ...(usage
        ? {
            input_tokens: usage.inputTokens,
            output_tokens: usage.outputTokens,
            cached_tokens: usage.cachedTokens,
            estimated: usage.isEstimated,
            ...(this.price ? { cost: this.costOf(usage) } : {}),
          }
        : {}),
    };
  }

  /** OpenTelemetry's semantic conventions for generative AI; no prompt and no answer is among them. */
  spanAttributes(): Record<string, string | number | readonly string[]> {
    const { usage } = this;
    return {
      'gen_ai.operation.name': this.kind === 'openai-embeddings' ? 'embeddings' : 'chat',
      'gen_ai.provider.name': spanProvider(this.provider),
      'gen_ai.request.model': this.model.slice(0, 200),
      ...(this.maxTokens > 0 ? { 'gen_ai.request.max_tokens': this.maxTokens } : {}),
      ...(this.responseModel === undefined ? {} : { 'gen_ai.response.model': this.responseModel }),
      ...(this.responseId === undefined ? {} : { 'gen_ai.response.id': this.responseId }),
      ...(this.finishReason === undefined ? {} : { 'gen_ai.response.finish_reasons': [this.finishReason] }),
      ...(usage
        ? { 'gen_ai.usage.input_tokens': usage.inputTokens, 'gen_ai.usage.output_tokens': usage.outputTokens }
        : {}),
    };
  }

  /** In the operator's currency; 0 without a price. */
  costOf(usage: Pick<TokenUsage, 'inputTokens' | 'outputTokens' | 'cachedTokens'>): number {
    const { price } = this;
    if (!price) return 0;
    const fresh = Math.max(0, usage.inputTokens - usage.cachedTokens);
    return (
      (fresh * price.input +
        usage.cachedTokens * (price.cached_input ?? price.input) +
        usage.outputTokens * price.output) /
      1e6
    );
  }
}

/** The conventions' own names where they have one. */
const spanProvider = (provider: string): string =>
  ({ bedrock: 'aws.bedrock', gemini: 'gcp.gemini', 'azure-openai': 'azure.ai.openai' })[provider] ?? provider;

const asRecord = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;

/** OpenAI's `tools` and `functions`, Anthropic's `tools`; a built-in tool counts by its type. */
export function toolNames(body: Json): readonly string[] {
  const names = new Set<string>();
  for (const list of [body['tools'], body['functions']]) {
    if (!Array.isArray(list)) continue;
    for (const one of list) {
      const tool = asRecord(one);
      const name =
        asRecord(tool?.['function'])?.['name'] ??
        asRecord(tool?.['custom'])?.['name'] ??
        tool?.['name'] ??
        tool?.['type'];
      names.add(typeof name === 'string' ? name : '');
    }
  }
  return [...names];
}

function maxTokensOf(body: Json): number {
  let most = 0;
  for (const name of ['max_completion_tokens', 'max_tokens', 'max_output_tokens']) {
    const value = body[name];
    if (typeof value === 'number' && value > most) most = Math.ceil(value);
  }
  const choices = typeof body['n'] === 'number' && body['n'] > 1 ? Math.ceil(body['n']) : 1;
  return most * choices;
}

/**
 * Tokens of the texts that the model will read, rather too many than too few: three and a half ASCII characters a token, one for any other
 * character, and four a message. Cost: linear in the text.
 */
export function estimatePrompt(body: Json): number {
  let tokens = 0;
  const pending: unknown[] = [
    body['messages'],
    body['input'],
    body['system'],
    body['instructions'],
    body['tools'],
    body['functions'],
  ];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value === 'string') tokens += estimateText(value);
    else if (Array.isArray(value)) for (const one of value) pending.push(one);
    else if (typeof value === 'object' && value !== null) {
      tokens += 4;
      for (const key in value) pending.push((value as Json)[key]);
    } else if (typeof value === 'number') tokens += 1;
  }
  return tokens;
}

export function estimateText(text: string): number {
  // Pictures and sound in base64 are not read letter by letter.
  if (text.length > 1_000 && text.startsWith('data:')) return 1_000;
  let other = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 127) other += 1;
  return Math.ceil((text.length - other) / 3.5) + other;
}
